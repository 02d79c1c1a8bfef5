package storefile_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"candor/aggregator/store"
	"candor/aggregator/storefile"
	"candor/schema/dap"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// every is a record of each type with each field set, and one of each with none.
func every() []store.Record {
	task, batch := dap.TaskID{1, 2}, dap.BatchID{3}
	interval := store.Batch{Interval: dap.Interval{Start: 7, Duration: 9}}
	waiting := store.Waiting{Code: "code", Text: "text", Since: now}
	return []store.Record{
		store.Key{Task: task, ID: 1 << 40, Wrapped: []byte("wrapped")},
		store.PinRecord{Task: task, Digest: [32]byte{5}},
		store.CounterRecord{Task: task, Name: "uploaded", N: 1 << 50},
		store.BatchRecord{Task: task, ID: batch, Created: now, Progress: store.Progress{Unassigned: 1, Assigned: 2, Aggregated: 3, Rejected: 4}, Reserved: &dap.CollectionJobID{6}},
		store.ReportRecord{Task: task, Report: store.Report{ID: dap.ReportID{1}, Time: 2, NotBefore: now, Encoded: []byte("body")}, State: store.ReportAssigned, Code: 3, Job: dap.AggregationJobID{4}},
		store.AggregationJob{ID: dap.AggregationJobID{1}, Task: task, Batch: &batch, Reports: []dap.ReportID{{1}, {2}}, Request: []byte("request"), Created: now, Location: "there",
			Attempts: 5, NextAttempt: now, Waiting: waiting, LeaseUntil: now, Revision: 6, State: store.JobLive},
		store.MarkRecord{Task: task, Report: dap.ReportID{1}, Bucket: store.TimeBucket(7)},
		store.BucketRecord{Task: task, Shard: 3, Bucket: store.Bucket{ID: store.BatchBucket(batch), Share: []byte("share"), Count: 4, Checksum: [32]byte{5}, MinTime: 6, MaxTime: 7}, Erased: true},
		store.CollectedRecord{Task: task, Batch: store.Batch{ID: &batch}},
		store.CollectionJob{ID: dap.CollectionJobID{1}, Task: task, Request: []byte("request"), Digest: [32]byte{2}, Created: now, Batch: &interval, ShareRequest: []byte("share request"),
			Location: "there", Response: []byte("response"), Problem: []byte("{}"), Attempts: 3, NextAttempt: now, Waiting: waiting, LeaseUntil: now, Revision: 4, State: store.JobFinished},
		store.HelperJob{ID: dap.AggregationJobID{1}, Task: task, Digest: [32]byte{2}, Request: []byte("request"), Response: []byte("response"), Created: now, NextAttempt: now, LeaseUntil: now, State: store.JobLive},
		store.ShareAnswer{ID: dap.AggregateShareID{1}, Task: task, Digest: [32]byte{2}, Batch: interval, Response: []byte("response"), Created: now},
		store.Submission{Task: task, Member: "m1", Correction: 2, Report: dap.ReportID{3}, Signer: [32]byte{4}, Contributes: []byte{5}, Received: now, Aggregated: true},
		store.Statement{Task: task, Text: []byte("text"), Salts: []byte("salts"), Created: now},
		store.Key{}, store.PinRecord{}, store.CounterRecord{}, store.BatchRecord{}, store.ReportRecord{}, store.AggregationJob{}, store.MarkRecord{}, store.BucketRecord{},
		store.CollectedRecord{}, store.CollectionJob{}, store.HelperJob{}, store.ShareAnswer{}, store.Submission{}, store.Statement{},
	}
}

func write(t testing.TB, records []store.Record) []byte {
	t.Helper()
	var out bytes.Buffer
	w := storefile.NewWriter(&out)
	for _, r := range records {
		if err := w.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func readAll(file []byte) (records []store.Record, err error) {
	r, err := storefile.NewReader(bytes.NewReader(file))
	if err != nil {
		return nil, err
	}
	for {
		record, err := r.Next()
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return records, err
		}
		records = append(records, record)
	}
}

func TestEveryRecord(t *testing.T) {
	want := every()
	got, err := readAll(write(t, want))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("records (-want +got):\n%s", d)
	}
	if got, err := readAll(write(t, nil)); err != nil || len(got) != 0 {
		t.Errorf("an empty store: %v, %v", got, err)
	}
}

// A file that lacks a byte, has one more, or has one changed is not taken for a whole one.
func TestDamage(t *testing.T) {
	file := write(t, every())
	step := 1
	if testing.Short() {
		step = 5
	}
	for n := 0; n < len(file); n += step {
		if _, err := readAll(file[:n]); !errors.Is(err, storefile.ErrMalformed) {
			t.Fatalf("cut off after %d bytes: %v", n, err)
		}
		changed := bytes.Clone(file)
		changed[n] ^= 0x10
		if _, err := readAll(changed); !errors.Is(err, storefile.ErrMalformed) {
			t.Fatalf("byte %d changed: %v", n, err)
		}
	}
	if _, err := readAll(append(bytes.Clone(file), 0)); err == nil || !strings.Contains(err.Error(), "goes on after its end") {
		t.Errorf("a byte more: %v", err)
	}
}

// What reads as records is written again as the same bytes, and no file makes the reader take more memory than it has bytes.
func FuzzReader(f *testing.F) {
	f.Add(write(f, every()))
	for _, r := range every() {
		f.Add(write(f, []store.Record{r}))
	}
	f.Add([]byte("candor store file 1\n\x05\x3f\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, file []byte) {
		records, err := readAll(file)
		if err != nil {
			if !errors.Is(err, storefile.ErrMalformed) {
				t.Errorf("error %v is not ErrMalformed", err)
			}
			return
		}
		if again := write(t, records); !bytes.Equal(again, file) {
			t.Errorf("%x\nis written again as\n%x", file, again)
		}
	})
}

// FuzzRecord is FuzzReader for the body of one record: digests keep a fuzzer from going deep.
func FuzzRecord(f *testing.F) {
	for _, r := range every() {
		kind, body := storefile.EncodeRecord(r)
		f.Add(kind, body)
	}
	f.Fuzz(func(t *testing.T, kind uint8, body []byte) {
		r, ok := storefile.DecodeRecord(kind, body)
		if !ok {
			return
		}
		if k, again := storefile.EncodeRecord(r); k != kind || !bytes.Equal(again, body) {
			t.Errorf("%d %x\nis written again as\n%d %x", kind, body, k, again)
		}
	})
}
