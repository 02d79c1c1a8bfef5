package boltstore

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// Recode decodes a value as a row of the type named and encodes it again.
func Recode(name string, value []byte) ([]byte, error) {
	var r row
	switch name {
	case "report":
		r = new(reportRow)
	case "progress":
		r = new(progress)
	case "batch":
		r = new(batchRow)
	case "job":
		r = new(jobRow)
	case "members":
		r = new(memberRow)
	case "bucket":
		r = new(bucketRow)
	case "collection":
		r = new(collectionRow)
	case "helper":
		r = new(helperRow)
	case "share":
		r = new(shareRow)
	case "submission":
		r = new(submissionRow)
	case "statement":
		r = new(statementRow)
	case "run":
		r = new(runRow)
	case "chunk":
		entries, err := chunk(value)
		if err != nil {
			return nil, err
		}
		return raw(entries), nil
	case "number":
		n, err := decodeUint64("number", value)
		return encodeUint64(n), err
	case "bytes":
		b, err := unraw("bytes", value)
		return raw(b), err
	case "unassigned":
		if len(value) < 16 {
			return nil, errMalformed
		}
		key, v := value[:16:16], value[16:]
		rep, err := offered(key, v)
		if err != nil {
			return nil, err
		}
		x := numbered{id: rep.ID, row: reportRow{Time: rep.Time}}
		return append(key, offerValue(x)...), nil
	default:
		return nil, fmt.Errorf("no row %q", name)
	}
	if err := decode(value, r); err != nil {
		return nil, err
	}
	return encode(r, 0)
}

// Samples returns the encodings of some rows of each type that [Recode] knows.
func Samples() map[string][][]byte {
	at := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	waiting := store.Waiting{Code: "peer", Text: "the Helper answered 503", Since: at}
	batch := &store.Batch{ID: &dap.BatchID{1, 2}}
	interval := store.Batch{Interval: dap.Interval{Start: 5, Duration: 6}}
	samples := make(map[string][][]byte)
	add := func(name string, rows ...row) {
		for _, r := range rows {
			b, err := encode(r, 0)
			if err != nil {
				panic(err)
			}
			samples[name] = append(samples[name], b)
		}
	}
	add("report", &reportRow{State: store.ReportUnassigned}, &reportRow{store.ReportRejected, 8, 7, at, dap.AggregationJobID{1}})
	add("progress", &progress{}, &progress{1, 2, 3, 4})
	add("batch", &batchRow{}, &batchRow{at, 3, progress{1, 2, 3, 4}, &dap.CollectionJobID{9}})
	add("job", &jobRow{State: store.JobLive}, &jobRow{7, batch.ID, at, "/job", 2, at, waiting, at, 4, store.JobFinished})
	add("members", &memberRow{}, &memberRow{{dap.ReportID{1}, 2}, {dap.ReportID{3}, 4}})
	add("bucket", &bucketRow{}, &bucketRow{Erased: true, Count: 5}, &bucketRow{5, [32]byte{6}, 7, 8, false, []byte("share")})
	add("collection", &collectionRow{State: store.JobLive}, &collectionRow{
		1, 2, []byte("request"), [32]byte{3}, at, batch, []byte("share request"), "/x", []byte("response"), []byte("{}"), 4, at, waiting, at, 5, store.JobAbandoned,
	})
	add("helper", &helperRow{State: store.JobFinished}, &helperRow{1, [32]byte{2}, []byte("request"), []byte("response"), at, at, at, store.JobLive})
	add("share", &shareRow{}, &shareRow{1, [32]byte{2}, interval, []byte("response"), at}, &shareRow{Batch: *batch})
	add("submission", &submissionRow{}, &submissionRow{1, dap.ReportID{2}, [32]byte{9}, []byte{5}, at, true})
	add("statement", &statementRow{}, &statementRow{[]byte("text"), []byte("salts"), at})
	add("run", &runRow{1, 1000})
	samples["chunk"] = [][]byte{raw(newEntry(dap.ReportID{1}, 2)), raw(append(newEntry(dap.ReportID{1}, 2), newEntry(dap.ReportID{3}, 4)...))}
	samples["number"] = [][]byte{encodeUint64(0), encodeUint64(1 << 63)}
	samples["bytes"] = [][]byte{raw(nil), raw([]byte("request"))}
	x := numbered{n: 3, id: dap.ReportID{1}, row: reportRow{Time: 4, NotBefore: at}}
	samples["unassigned"] = [][]byte{append(offerKey(x), offerValue(x)...)}
	return samples
}

// Commits returns how many transactions of bbolt were written to the file.
func (s *Store) Commits() int {
	b, err := s.db.Begin(false)
	if err != nil {
		panic(err)
	}
	defer b.Rollback() //nolint:errcheck // a reader
	return b.ID()
}

// Waiting returns how many Updates wait for their turn.
func (s *Store) Waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.queue)
}

// MappedResident returns how many bytes of files are resident in this process.
func MappedResident() int { return mappedResident() }

// Runs returns the number of runs of each level in a task's index of marks.
func (s *Store) Runs(task dap.TaskID) (levels [maxLevel + 1]int) {
	err := s.View(context.Background(), "test", func(tx store.Tx) error {
		x := tx.(interface {
			index(dap.TaskID, indexKinds) *index
		}).index(task, indexMarks)
		if err := x.load(); err != nil {
			return err
		}
		for _, r := range x.list {
			levels[r.Level]++
		}
		return nil
	})
	if err != nil {
		panic(err)
	}
	return levels
}

// Filters returns the number of filters in memory, and their bytes.
func (s *Store) Filters() (n, bytes int) { return len(s.filters.byName), s.filters.bytes }

// FalsePositives returns in how many of tries random IDs a filter of so many random IDs is wrong; it panics if it denies one that it has.
func FalsePositives(entries, tries int) (wrong int) {
	f := newFilter(uint64(entries))
	random := func() (id dap.ReportID) {
		rand.Read(id[:])
		return id
	}
	for range entries {
		id := random()
		f.add(id)
		if !f.mayHave(id) {
			panic("denied")
		}
	}
	for range tries {
		if f.mayHave(random()) {
			wrong++
		}
	}
	return wrong
}
