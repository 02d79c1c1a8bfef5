//go:build !unix

package config

import "os"

// keepOwner does nothing where files have no owner that would need it.
func keepOwner(*os.File, string) error { return nil }
