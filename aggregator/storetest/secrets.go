package storetest

import (
	"errors"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// withSecrets returns a record of which change has changed every secret that is there; none says that there is none.
func withSecrets(record store.Record, change func([]byte) []byte) (out store.Record, none bool) {
	none = true
	each := func(secrets ...*[]byte) {
		for _, s := range secrets {
			if len(*s) > 0 {
				*s = change(*s)
				none = false
			}
		}
	}
	switch r := record.(type) {
	case store.ReportRecord:
		each(&r.Encoded)
		return r, none
	case store.AggregationJob:
		each(&r.Request)
		return r, none
	case store.BucketRecord:
		each(&r.Share)
		return r, none
	case store.CollectionJob:
		each(&r.Request, &r.ShareRequest, &r.Response)
		return r, none
	case store.HelperJob:
		each(&r.Request, &r.Response)
		return r, none
	case store.ShareAnswer:
		each(&r.Response)
		return r, none
	case store.Submission:
		each(&r.Contributes)
		return r, none
	case store.Statement:
		each(&r.Text, &r.Salts)
		return r, none
	}
	return record, true
}

var secretTests = []contractTest{
	{name: "secrets are replaced and nothing else", loose: true, run: func(f *fixture) {
		f.update(everyWrite)
		f.update(func(tx store.Tx) error {
			c, err := tx.CollectionJob(task1, collection(1).ID)
			c.ShareRequest, c.Response = []byte("share request"), []byte("response")
			return errors.Join(err, tx.SaveCollectionJob(c))
		})
		longer := func(b []byte) []byte { return append([]byte("other "), b...) }
		before := f.records()
		var want []store.Record
		kinds := 0
		for _, r := range before {
			after, none := withSecrets(r, longer)
			want = append(want, after)
			if none {
				continue
			}
			kinds++
			bare, _ := withSecrets(r, func([]byte) []byte { return nil })
			f.update(func(tx store.Tx) error {
				return tx.ReplaceSecrets(bare, func(is store.Record) (store.Record, error) {
					if d := diff(r, is); d != "" {
						f.Errorf("the row as it is (-want +got):\n%s", d)
					}
					is, _ = withSecrets(is, longer)
					return is, nil
				})
			})
		}
		if kinds < 8 {
			f.Errorf("only %d rows had secrets", kinds)
		}
		f.sameRecords("after all were replaced", f.records(), want)
	}},
	{name: "secrets of no row are not replaced", loose: true, run: func(f *fixture) {
		f.update(everyWrite)
		never := func(store.Record) (store.Record, error) { return nil, errors.New("called") }
		for _, r := range []store.Record{
			store.ReportRecord{Task: task1, Report: store.Report{ID: reportID(999)}},
			store.AggregationJob{Task: task1, ID: aggregationJobID(99)},
			store.BucketRecord{Task: task1, Bucket: store.Bucket{ID: store.TimeBucket(999)}},
			store.CollectionJob{Task: task1, ID: dap.CollectionJobID{99}},
			store.HelperJob{Task: task1, ID: aggregationJobID(99)},
			store.ShareAnswer{Task: task1, ID: dap.AggregateShareID{99}},
			store.Submission{Task: task1, Member: "nobody"},
			store.Statement{Task: task2},
		} {
			f.refused(store.ErrNotFound, func(tx store.Tx) error { return tx.ReplaceSecrets(r, never) })
		}
		// Erased: the reports of a finished job, and the request of the job itself.
		f.update(func(tx store.Tx) error {
			return errors.Join(tx.ReplaceSecrets(store.ReportRecord{Task: task1, Report: report(4)}, never), tx.ReplaceSecrets(store.AggregationJob{Task: task1, ID: aggregationJobID(2)}, never))
		})
		boom := errors.New("boom")
		f.refused(boom, func(tx store.Tx) error {
			return tx.ReplaceSecrets(store.Statement{Task: task1}, func(store.Record) (store.Record, error) { return nil, boom })
		})
	}},
}
