package ledger

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lock takes the ledger for this process, until the file is closed or the process ends. The locked byte lies far behind
// all contents, so that the file can be read meanwhile.
func lock(f *os.File) error {
	at := &windows.Overlapped{OffsetHigh: 1 << 30}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrLocked
	}
	return err
}
