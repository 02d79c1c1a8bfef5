// Package care looks after the store of an aggregator: backup, restore, check, rekey. A bbolt file belongs to the process that serves from it, so that for a running
// server the work is done there and asked for at a socket beside the file; see Serve and Dial.
//
// Floor 7: the command line picks the stores, a store itself knows nothing of files.
package care

import (
	"context"
	"errors"
	"fmt"
	"io"

	"candor/aggregator/sealstore"
	"candor/aggregator/store"
	"candor/aggregator/storefile"
	"candor/schema/dap"
)

// A Store is what is cared for.
type Store struct {
	Beneath store.Store      // as on the disk
	Opened  store.Store      // with its secrets opened; Beneath itself if it is in the clear
	Sealed  *sealstore.Store // Opened, if it is sealed; else nil
}

// A Report says what a store holds and what does not fit together in it.
type Report struct {
	store.Summary
	Sealed   bool     `json:"sealed"`
	Problems []string `json:"problems"`
}

// Check reads the whole store and counts it again, see [store.Check]. Every sealed value is opened.
func (s Store) Check(ctx context.Context) (r Report, err error) {
	r.Sealed = s.Sealed != nil
	err = s.Opened.View(ctx, "check_store", func(tx store.Tx) (err error) {
		r.Summary, r.Problems, err = store.Check(tx)
		return err
	})
	if errors.Is(err, sealstore.ErrAltered) {
		// The rows after this one were not read.
		r.Problems, err = append(r.Problems, err.Error()), nil
	}
	return r, err
}

// Backup writes one snapshot of the store to out, as it is on the disk.
func (s Store) Backup(ctx context.Context, out io.Writer) error {
	return s.Beneath.View(ctx, "backup_store", func(tx store.Tx) error {
		w := storefile.NewWriter(out)
		err := tx.Records(func(r store.Record) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			return w.Write(r)
		})
		if err != nil {
			return err
		}
		return w.Close()
	})
}

// Contents says what a file holds.
type Contents struct {
	Sealed  bool   `json:"sealed"`
	Records uint64 `json:"records"`
	Tasks   int    `json:"tasks"`
	Reports uint64 `json:"reports"` // of the Leader, or aggregated by the Helper
}

// Inspect reads a file and checks that it is whole.
func Inspect(in io.Reader, progress func(records uint64)) (c Contents, err error) {
	r, err := storefile.NewReader(in)
	if err != nil {
		return c, err
	}
	tasks := make(map[dap.TaskID]bool)
	for {
		record, err := r.Next()
		if errors.Is(err, io.EOF) {
			c.Tasks = len(tasks)
			return c, nil
		}
		if err != nil {
			return c, err
		}
		c.Sealed = c.Sealed || isStoreKey(record)
		c.Records++
		switch record := record.(type) {
		case store.PinRecord:
			tasks[record.Task] = true
		case store.ReportRecord, store.MarkRecord:
			c.Reports++
		}
		progress(c.Records)
	}
}

// isStoreKey says whether a record is the key of a sealed store itself. It is the first of a file.
func isStoreKey(r store.Record) bool {
	k, ok := r.(store.Key)
	return ok && k.Task == dap.TaskID{}
}

// ErrNotEmpty means that a store into which a file should go holds rows.
var ErrNotEmpty = errors.New("the store is not empty")

// errUnfinished means that a store was not restored to its end.
var errUnfinished = errors.New("a restore into this store did not end: empty it and restore again")

// unfinished is a row that a store has while it is being restored.
var unfinished = store.Key{Task: dap.TaskID{31: 1}, ID: 1, Wrapped: []byte("unfinished restore")}

// Usable returns an error if a store was not restored to its end.
func Usable(ctx context.Context, beneath store.Store) error {
	return beneath.View(ctx, "look_for_restore", func(tx store.Tx) error {
		keys, err := tx.Keys(unfinished.Task)
		if err == nil && len(keys) > 0 {
			err = errUnfinished
		}
		return err
	})
}

// recordsPerUpdate is how many records go into a store in one transaction.
const recordsPerUpdate = 500

// Restore puts the records of a file into an empty store. open returns the store as it is to be used: records that are in the clear go into it, and are sealed by
// it; sealed ones go into beneath, under the key that open must then have. It returns what Check says at the end.
func Restore(ctx context.Context, beneath store.Store, in io.Reader, open func(context.Context) (Store, error), progress func(records uint64)) (Report, error) {
	r, err := storefile.NewReader(in)
	if err != nil {
		return Report{}, err
	}
	first, err := r.Next()
	if err != nil && !errors.Is(err, io.EOF) {
		return Report{}, err
	}
	sealed := first != nil && isStoreKey(first)
	if err := begin(ctx, beneath, first, sealed); err != nil {
		return Report{}, err
	}
	// The key is tried before the work is done.
	opened, err := open(ctx)
	if err != nil {
		return Report{}, errors.Join(err, undo(ctx, beneath))
	}
	into := opened.Opened
	if sealed {
		into = beneath
		first = nil // begin put it there
		if opened.Sealed == nil {
			return Report{}, errors.Join(errors.New("the file is sealed, and the store would be in the clear"), undo(ctx, beneath))
		}
	}
	if err := fill(ctx, into, first, r, progress); err != nil {
		return Report{}, err
	}
	report, err := opened.Check(ctx)
	if err != nil {
		return report, err
	}
	return report, beneath.Update(ctx, "end_restore", func(tx store.Tx) error { return tx.DeleteKey(unfinished.Task, unfinished.ID) })
}

// begin marks an empty store as being restored. One that was only opened is empty too: all it has is a key of its own, which seals nothing.
func begin(ctx context.Context, beneath store.Store, first store.Record, sealed bool) error {
	return beneath.Update(ctx, "begin_restore", func(tx store.Tx) error {
		err := tx.Records(func(r store.Record) error {
			if isStoreKey(r) {
				return nil
			}
			return ErrNotEmpty
		})
		if err != nil {
			return err
		}
		if err := deleteKeys(tx); err != nil {
			return err
		}
		if err := tx.PutKey(unfinished); err != nil || !sealed {
			return err
		}
		return tx.AddRecord(first)
	})
}

// undo takes back what begin did.
func undo(ctx context.Context, beneath store.Store) error {
	return beneath.Update(ctx, "undo_restore", deleteKeys)
}

func deleteKeys(tx store.Tx) error {
	keys, err := tx.AllKeys()
	for _, k := range keys {
		err = errors.Join(err, tx.DeleteKey(k.Task, k.ID))
	}
	return err
}

// fill puts records into a store, first and what r has.
func fill(ctx context.Context, into store.Store, first store.Record, r *storefile.Reader, progress func(records uint64)) error {
	var batch []store.Record
	n := uint64(0)
	if first != nil {
		batch = append(batch, first)
	}
	for end := false; !end; {
		record, err := r.Next()
		switch {
		case errors.Is(err, io.EOF):
			end = true
		case err != nil:
			return err
		default:
			batch = append(batch, record)
		}
		if len(batch) < recordsPerUpdate && !end {
			continue
		}
		err = into.Update(ctx, "restore", func(tx store.Tx) error {
			for _, record := range batch {
				if err := tx.AddRecord(record); err != nil {
					return fmt.Errorf("adding a %T: %w", record, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		n += uint64(len(batch))
		batch = batch[:0]
		progress(n)
	}
	return nil
}
