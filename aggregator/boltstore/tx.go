package boltstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.etcd.io/bbolt"

	"candor/aggregator/store"
	"candor/schema/dap"
)

var errReadOnly = errors.New("boltstore: a View cannot write")

// A kind names one of a task's buckets.
type kind uint8

const (
	kindCounters kind = iota // name -> n
	kindIDs                  // the index of report IDs: see index
	kindIDRuns
	kindIDChunks
	kindReports    // number -> reportRow
	kindBodies     // number -> encoded report
	kindUnassigned // NotBefore, number -> report ID, time
	kindProgress   // time -> progress
	kindBatches    // batch ID -> batchRow
	kindOpen       // number -> batch ID, while it is not reserved

	kindJobs     // aggregation job ID -> jobRow
	kindMembers  // aggregation job ID -> its reports' IDs and numbers, in order
	kindRequests // aggregation job ID -> request, while live
	kindLive     // due kind, number -> job ID, while live

	kindMarks // the index of aggregated report IDs (Helper): see index
	kindMarkRuns
	kindMarkChunks
	kindMarkBuckets // bucket ID -> number in that index
	kindMarkNumbers // number -> bucket ID
	kindBuckets     // bucket ID -> bucketRow
	kindIntervals   // start -> end; disjoint: collected intervals
	kindCollected   // batch ID -> : collected batches

	kindCollections       // collection job ID -> collectionRow
	kindCollectionOrder   // number -> collection job ID
	kindCollectionDigests // digest, number -> collection job ID, unless failed

	kindHelperJobs    // aggregation job ID -> helperRow
	kindHelperDigests // digest -> aggregation job ID
	kindShares        // aggregate share ID -> shareRow
	kindShareDigests  // digest -> aggregate share ID
	kindShareOrder    // number -> aggregate share ID

	kindSubmissions // member -> submissionRow
	kindStatement   // one statementRow

	kindKeys // ID -> wrapped data key

	kinds
)

// kindNames are the names of the buckets in the file; they never change within a schema version.
var kindNames = [kinds]string{
	"counters", "ids", "id-runs", "id-chunks", "reports", "bodies", "unassigned", "progress", "batches", "open",
	"jobs", "members", "requests", "live",
	"marks", "mark-runs", "mark-chunks", "mark-buckets", "mark-numbers", "buckets", "intervals", "collected",
	"collections", "collection-order", "collection-digests",
	"helper-jobs", "helper-digests", "shares", "share-digests", "share-order",
	"submissions", "statement", "keys",
}

// rows finds the buckets within one transaction of bbolt, each once.
type rows struct {
	bolt    *bbolt.Tx
	filters *filters
	tasks   map[dap.TaskID]*taskRows
}

type taskRows struct {
	bucket *bbolt.Bucket
	kinds  [kinds]*bbolt.Bucket
}

func (s *Store) newRows(b *bbolt.Tx) *rows {
	return &rows{bolt: b, filters: &s.filters, tasks: make(map[dap.TaskID]*taskRows)}
}

// A tx implements [store.Tx].
type tx struct {
	*rows
	writable   bool
	first      bool // nobody else wrote in this transaction of bbolt: to fail is to roll it back
	wantsFirst bool // the function must run again as the first
	ended      bool
	dirty      bool
	bytes      int

	undo   []change
	counts map[countKey]*progress // not yet written

	indexes map[indexKey]*index
	newRuns [][8]byte // written by this function
}

var _ store.Tx = (*tx)(nil)

// A change is what must be put back.
type change struct {
	bucket   *bbolt.Bucket
	key, old []byte
	existed  bool
}

func (t *tx) end() { t.ended = true }

// check is called first by every method, and finds misuse.
func (t *tx) check(write bool) error {
	switch {
	case t.ended:
		panic("boltstore: internal error: a Tx was used after its function returned")
	case write && !t.writable:
		return errReadOnly
	}
	return nil
}

// find returns a task's bucket, or nil if it has no rows of that kind.
func (t *tx) find(task dap.TaskID, k kind) *bbolt.Bucket {
	r, ok := t.tasks[task]
	if !ok {
		b := t.bolt.Bucket(bucketTasks).Bucket(task[:])
		if b == nil {
			return nil
		}
		r = &taskRows{bucket: b}
		t.tasks[task] = r
	}
	if r.kinds[k] == nil {
		r.kinds[k] = withFill(r.bucket.Bucket([]byte(kindNames[k])), k)
	}
	return r.kinds[k]
}

// make returns a task's bucket, and creates it if need be. An empty bucket that is left behind by a function that failed does no harm.
func (t *tx) make(task dap.TaskID, k kind) (*bbolt.Bucket, error) {
	if b := t.find(task, k); b != nil {
		return b, nil
	}
	r, ok := t.tasks[task]
	if !ok {
		b, err := t.bolt.Bucket(bucketTasks).CreateBucketIfNotExists(task[:])
		if err != nil {
			return nil, fmt.Errorf("creating the bucket of task %s: %w", task, err)
		}
		r = &taskRows{bucket: b}
		t.tasks[task] = r
	}
	b, err := r.bucket.CreateBucketIfNotExists([]byte(kindNames[k]))
	if err != nil {
		return nil, fmt.Errorf("creating bucket %s of task %s: %w", kindNames[k], task, err)
	}
	r.kinds[k] = withFill(b, k)
	return r.kinds[k], nil
}

// withFill lets pages of rows that only ever come at the end be filled; others keep room for what comes between.
func withFill(b *bbolt.Bucket, k kind) *bbolt.Bucket {
	if b != nil {
		switch k {
		case kindReports, kindBodies, kindUnassigned, kindCollectionOrder, kindShareOrder, kindLive, kindOpen:
			b.FillPercent = 0.95
		case kindIDChunks, kindMarkChunks:
			b.FillPercent = 1
		}
	}
	return b
}

// get returns a value that is valid until the next write of the transaction, or nil. b may be nil.
func get(b *bbolt.Bucket, key []byte) []byte {
	if b == nil {
		return nil
	}
	return b.Get(key)
}

// put stores a value, which must not change afterwards. old is the present one, nil if there is none.
func (t *tx) put(b *bbolt.Bucket, key, old, value []byte) error {
	if err := b.Put(key, value); err != nil {
		return fmt.Errorf("storing a row: %w", err)
	}
	t.bytes += len(key) + len(value)
	t.remember(b, key, old, old != nil)
	return nil
}

// drop deletes a row that exists and has the value old.
func (t *tx) drop(b *bbolt.Bucket, key, old []byte) error {
	if err := b.Delete(key); err != nil {
		return fmt.Errorf("deleting a row: %w", err)
	}
	t.bytes += len(key)
	t.remember(b, key, old, true)
	return nil
}

func (t *tx) remember(b *bbolt.Bucket, key, old []byte, existed bool) {
	t.dirty = true
	if !t.first {
		t.undo = append(t.undo, change{b, key, old, existed})
	}
}

// rollback puts back what this function changed, and leaves what others of its group did.
// Old values still hold: bbolt neither moves the mapping nor writes into it before the commit.
func (t *tx) rollback() {
	t.filters.forget(t.newRuns...)
	for i := len(t.undo) - 1; i >= 0; i-- {
		c := t.undo[i]
		var err error
		if c.existed {
			err = c.bucket.Put(c.key, c.old)
		} else {
			err = c.bucket.Delete(c.key)
		}
		if err != nil {
			panic(fmt.Sprintf("boltstore: internal error: putting back a row: %v", err))
		}
	}
}

// number returns a bucket's next number, which is never given again.
func number(b *bbolt.Bucket) (uint64, error) {
	n, err := b.NextSequence()
	if err != nil {
		return 0, fmt.Errorf("numbering a row: %w", err)
	}
	return n, nil
}

// keyUint64 returns the key of a number; such keys sort as the numbers do.
func keyUint64(n uint64) []byte { return binary.BigEndian.AppendUint64(make([]byte, 0, 8), n) }

// appendTime appends a time to a key, in microseconds and sorting as the times do.
func appendTime(key []byte, t time.Time) []byte {
	return binary.BigEndian.AppendUint64(key, uint64(t.UnixMicro())^1<<63)
}
