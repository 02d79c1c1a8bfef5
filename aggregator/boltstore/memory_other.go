//go:build !linux

package boltstore

func (s *Store) trim() {}
