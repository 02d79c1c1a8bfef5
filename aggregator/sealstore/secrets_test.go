package sealstore_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"candor/aggregator/sealstore"
	"candor/aggregator/store"
	"candor/aggregator/storetest"
	"candor/schema/dap"
)

var (
	task = dap.TaskID{1}
	now  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
)

// secret returns 32 bytes that are found nowhere by chance.
func secret(name string) []byte {
	sum := sha256.Sum256([]byte("secret " + name))
	return sum[:]
}

// secrets are the secrets of every kind that fill stores.
var secrets = []string{
	"report 1", "report 2", "aggregation request", "share", "collection request", "share request", "collection response",
	"helper request", "helper response", "share answer", "statement", "salts", "contributes",
}

func reportID(n byte) dap.ReportID { return dap.ReportID{n, 0xee} }

// fill stores a secret of every kind, each by the methods that the roles call.
func fill(tx store.Tx) error {
	var errs []error
	do := func(err error) { errs = append(errs, err) }
	for n := byte(1); n <= 2; n++ {
		do(tx.AddReport(task, store.Report{ID: reportID(n), Time: 7, Encoded: secret("report " + string('0'+n))}))
	}
	claim := store.AggregationJob{ID: dap.AggregationJobID{1}, Task: task, Reports: []dap.ReportID{reportID(1)}, Created: now}
	do(tx.AddAggregationJob(claim))
	claim.Revision, claim.Request = 1, secret("aggregation request")
	do(tx.PrepareAggregationJob(claim, nil))
	// A mark and a report row for each report of the bucket: this store is of both roles.
	_, err := tx.MarkAggregated(task, store.TimeBucket(7), []dap.ReportID{reportID(9)})
	do(err)
	do(tx.MergeBucket(task, store.TimeBucket(7), store.Bucket{Share: secret("share"), Count: 1, Checksum: dap.Checksum(reportID(9)), MinTime: 7, MaxTime: 7}, storetest.Sum))
	collection := store.CollectionJob{ID: dap.CollectionJobID{1}, Task: task, Request: secret("collection request"), Digest: [32]byte{1}, Created: now, State: store.JobLive}
	do(tx.AddCollectionJob(collection))
	collection.Revision, collection.Batch = 1, &store.Batch{Interval: dap.Interval{Start: 7, Duration: 1}}
	collection.ShareRequest, collection.Response = secret("share request"), secret("collection response")
	do(tx.SaveCollectionJob(collection))
	deferred := store.HelperJob{ID: dap.AggregationJobID{2}, Task: task, Digest: [32]byte{2}, Request: secret("helper request"), Created: now, State: store.JobLive}
	do(tx.AddHelperJob(deferred))
	answered := store.HelperJob{ID: dap.AggregationJobID{3}, Task: task, Digest: [32]byte{3}, Response: secret("helper response"), Created: now, State: store.JobFinished}
	do(tx.AddHelperJob(answered))
	do(tx.AddShareAnswer(store.ShareAnswer{ID: dap.AggregateShareID{1}, Task: task, Digest: [32]byte{4}, Response: secret("share answer"), Created: now}))
	do(tx.PutSubmission(store.Submission{Task: task, Member: "m1", Correction: 1, Report: reportID(1), Contributes: secret("contributes"), Received: now}))
	do(tx.PutStatement(store.Statement{Task: task, Text: secret("statement"), Salts: secret("salts"), Created: now}))
	return errors.Join(errs...)
}

func update(t testing.TB, s store.Store, fn func(store.Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), "test", fn); err != nil {
		t.Fatal(err)
	}
}

// TestNoSecretInFile searches the file of a store for every secret. Without sealing each is found.
func TestNoSecretInFile(t *testing.T) {
	for name, sealed := range map[string]bool{"sealed": true, "plain": false} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t).(place)
			s := p.beneath(t)
			if sealed {
				s = seal(t, s, wrapping)
			}
			update(t, s, fill)
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			file, err := os.ReadFile(p.path)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range secrets {
				if found := bytes.Contains(file, secret(want)[:16]); found == sealed {
					t.Errorf("%s: in the file: %v", want, found)
				}
			}
		})
	}
}

// plainMethods are the methods of store.Tx that carry no secret. All others a sealed store has in its own form: a new one must be thought about.
var plainMethods = strings.Fields(`PinTask Count Counters ReportState UnassignedReports DeferReports RejectReports DropReport
	SaveAggregationJob FinishAggregationJob AbandonAggregationJob LiveAggregationJobs MarkAggregated AggregatedReports BatchCollected MarkCollected EraseBatch
	Progress LeaderBatches ReserveBatch DeleteCollectionJob DeleteHelperJob ShareAnswers DeleteShareAnswer Keys AllKeys`)

// TestEveryMethodIsJudged compares the methods that a sealed store changes with those that carry secrets.
func TestEveryMethodIsJudged(t *testing.T) {
	s := seal(t, newPlace(t).(place).beneath(t), wrapping)
	defer s.Close()
	err := s.View(t.Context(), "test", func(tx store.Tx) error {
		sealed := reflect.TypeOf(tx)
		embedded := reflect.TypeFor[store.Tx]()
		for method := range embedded.Methods() {
			name := method.Name
			own := sealstore.HasOwnMethod(sealed, name)
			if plain := slices.Contains(plainMethods, name); own == plain {
				t.Errorf("%s: has its own form here: %v, listed as carrying no secret: %v", name, own, plain)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestOpenRefuses: stores that this key does not open, with a reason.
func TestOpenRefuses(t *testing.T) {
	open := func(s store.Store, keys ...*sealstore.WrappingKey) error {
		_, err := sealstore.Open(context.Background(), sealstore.Config{Store: s, Keys: keys})
		return err
	}
	other := sealstore.NewWrappingKey([32]byte{2})
	t.Run("plain rows", func(t *testing.T) {
		s := newPlace(t).(place).beneath(t)
		defer s.Close()
		update(t, s, func(tx store.Tx) error { return tx.Count(task, "uploaded", 1) })
		if err := open(s, wrapping); !errors.Is(err, sealstore.ErrPlain) {
			t.Errorf("error %v, want ErrPlain", err)
		}
		if sealed, err := sealstore.Sealed(t.Context(), s); sealed || err != nil {
			t.Errorf("Sealed: %v, %v", sealed, err)
		}
	})
	t.Run("another key", func(t *testing.T) {
		s := newPlace(t).(place).beneath(t)
		defer s.Close()
		update(t, seal(t, s, wrapping), fill)
		err := open(s, other)
		if !errors.Is(err, sealstore.ErrWrongKey) || !strings.Contains(err.Error(), wrapping.ID()) || !strings.Contains(err.Error(), other.ID()) {
			t.Errorf("error %v, want ErrWrongKey with both IDs", err)
		}
		if err := open(s, other, wrapping); err != nil {
			t.Errorf("with both keys: %v", err)
		}
		if sealed, err := sealstore.Sealed(t.Context(), s); !sealed || err != nil {
			t.Errorf("Sealed: %v, %v", sealed, err)
		}
	})
}
