//go:build unix

package config

import (
	"os"
	"syscall"
)

// keepOwner gives a file the owner that the file at path has: an operator may work as root on what the server's user reads.
func keepOwner(f *os.File, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil // there is none yet
	}
	is, ok := info.Sys().(*syscall.Stat_t)
	if !ok || int(is.Uid) == os.Geteuid() && int(is.Gid) == os.Getegid() {
		return nil
	}
	return f.Chown(int(is.Uid), int(is.Gid))
}
