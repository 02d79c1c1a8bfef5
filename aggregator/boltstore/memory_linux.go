package boltstore

import (
	"bytes"
	"os"
	"strconv"
	"syscall"
	"unsafe"
)

// trimEvery is the number of commits between two looks at the process's memory.
const trimEvery = 16

// trim takes the file's pages out of this process's memory when there are more than MappedBytes of them. They stay in the page cache.
// The caller has the turn, so the mapping does not move meanwhile: bbolt replaces it only within a write transaction.
func (s *Store) trim() {
	if s.commits++; s.commits%trimEvery != 0 || mappedResident() <= s.opts.MappedBytes {
		return
	}
	b, err := s.db.Begin(false)
	if err != nil {
		return
	}
	defer b.Rollback() //nolint:errcheck // a reader
	info, size := s.db.Info(), int(b.Size())
	data := *(*unsafe.Pointer)(unsafe.Pointer(&info.Data))
	// The mapping is of a file, shared and read only: nothing can be lost, and an error only means that memory stays used.
	_ = syscall.Madvise(unsafe.Slice((*byte)(data), size), syscall.MADV_DONTNEED)
}

// mappedResident returns how many bytes of files are resident in this process, or zero if that is unknown.
func mappedResident() int {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(b)
	if len(fields) < 3 {
		return 0
	}
	pages, err := strconv.Atoi(string(fields[2]))
	if err != nil {
		return 0
	}
	return pages * os.Getpagesize()
}
