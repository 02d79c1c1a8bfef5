package boltstore

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// holder says who holds the lock on the file at path, as the end of "locked ...".
func holder(path string) string {
	info, err := os.Stat(path)
	if err != nil {
		return "by another process"
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return "by another process"
	}
	locks, err := os.Open("/proc/locks")
	if err != nil {
		return "by another process"
	}
	defer locks.Close()
	inode := strconv.FormatUint(stat.Ino, 10)
	for sc := bufio.NewScanner(locks); sc.Scan(); {
		// 1: FLOCK  ADVISORY  WRITE 1234 fe:00:5678 0 EOF
		f := strings.Fields(sc.Text())
		if len(f) < 6 || f[1] != "FLOCK" || !strings.HasSuffix(f[5], ":"+inode) {
			continue
		}
		pid, err := strconv.Atoi(f[4])
		if err != nil || pid <= 0 || !hasOpen(pid, info) {
			continue
		}
		if pid == os.Getpid() {
			return fmt.Sprintf("by this process (pid %d)", pid)
		}
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err != nil {
			return fmt.Sprintf("by process %d", pid)
		}
		return fmt.Sprintf("by process %d (%s)", pid, strings.TrimSpace(string(name)))
	}
	return "by another process"
}

// hasOpen says whether a process has the file open, and true where that cannot be found out: inode numbers are unique only within one file system.
func hasOpen(pid int, file os.FileInfo) bool {
	fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil || len(fds) == 0 {
		return true
	}
	for _, fd := range fds {
		if info, err := os.Stat(fd); err == nil && os.SameFile(info, file) {
			return true
		}
	}
	return false
}
