package storetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// CPU returns the processor time that a throw-away server has had so far, in all its processes, those that ended included. It needs Linux.
func (p *Postgres) CPU() (time.Duration, error) {
	if p.server == nil {
		return 0, fmt.Errorf("storetest: the server is not ours")
	}
	main := p.server.Process.Pid
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	var ticks int
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended
		}
		_, rest, _ := strings.Cut(string(text), ") ") // the name may hold spaces
		fields := strings.Fields(rest)                // from the third on, as proc(5) counts: state, parent, …, user and system time, those of its children
		if len(fields) < 15 {
			continue
		}
		n := func(i int) int {
			n, _ := strconv.Atoi(fields[i]) // the kernel writes numbers
			return n
		}
		switch strconv.Itoa(main) {
		case strings.TrimSuffix(strings.TrimPrefix(file, "/proc/"), "/stat"):
			ticks += n(11) + n(12) + n(13) + n(14)
		case fields[1]:
			ticks += n(11) + n(12)
		}
	}
	return time.Duration(ticks) * (time.Second / 100), nil // the kernel's unit is a hundredth of a second on every Linux
}

// A LockWatch samples what transactions wait for.
type LockWatch struct {
	stop func()
	done sync.WaitGroup

	// After Stop.
	Samples, InTransaction, Waiting int            // looks; transactions that were seen under way, and of these those that waited for a lock of another transaction
	Locks                           map[string]int // waits by kind of lock: transactionid and tuple are those of rows
	err                             error
}

// WatchLocks begins to look every few milliseconds at what transactions do that pgstore has under way on a database.
func WatchLocks(url string) *LockWatch {
	ctx, cancel := context.WithCancel(context.Background())
	w := &LockWatch{stop: cancel, Locks: map[string]int{}}
	w.done.Go(func() {
		conn, err := pgx.Connect(ctx, url)
		for err == nil && ctx.Err() == nil {
			if err = w.sample(ctx, conn); err == nil {
				w.Samples++
				time.Sleep(5 * time.Millisecond)
			}
		}
		if conn != nil {
			_ = conn.Close(context.Background())
		}
		if ctx.Err() == nil {
			w.err = err
		}
	})
	return w
}

func (w *LockWatch) sample(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, `SELECT CASE WHEN wait_event_type = 'Lock' AND state = 'active' THEN wait_event ELSE '' END, count(*)
		FROM pg_stat_activity WHERE application_name = 'candor' AND datname = current_database() AND state IN ('active', 'idle in transaction') GROUP BY 1`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var lock string
		var n int
		if err := rows.Scan(&lock, &n); err != nil {
			return err
		}
		w.InTransaction += n
		if lock != "" {
			w.Waiting += n
			w.Locks[lock] += n
		}
	}
	return rows.Err()
}

// Stop ends the watch.
func (w *LockWatch) Stop() error {
	w.stop()
	w.done.Wait()
	return w.err
}
