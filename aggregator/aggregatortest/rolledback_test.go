package aggregatortest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"candor/aggregator/aggregatortest"
	"candor/aggregator/boltstore"
	"candor/aggregator/pgstore"
	"candor/aggregator/sealstore"
	"candor/aggregator/store"
	"candor/aggregator/storetest"
	"candor/client/collector"
	"candor/schema/dap"
	"candor/schema/round"
)

var rollbackKey = sealstore.NewWrappingKey([32]byte{7})

// rows returns the rows of a store.
func rows(t testing.TB, s store.Store) (all []store.Record) {
	t.Helper()
	err := s.View(context.Background(), "test", func(tx store.Tx) error {
		all = nil
		return tx.Records(func(r store.Record) error {
			all = append(all, r)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// rowName names the row that a record is of.
func rowName(record store.Record) string {
	switch r := record.(type) {
	case store.Key:
		return fmt.Sprintf("key %x %s", r.ID, r.Task)
	case store.CounterRecord:
		return fmt.Sprintf("counter %s %s", r.Name, r.Task)
	case store.ReportRecord:
		return fmt.Sprintf("report %s %s", r.ID, r.Task)
	case store.AggregationJob:
		return fmt.Sprintf("aggregation job %s %s", r.ID, r.Task)
	case store.MarkRecord:
		return fmt.Sprintf("mark %s %s", r.Report, r.Task)
	case store.BucketRecord:
		return fmt.Sprintf("bucket %x %d %s", string(r.ID), r.Shard, r.Task)
	case store.HelperJob:
		return fmt.Sprintf("helper job %s %s", r.ID, r.Task)
	case store.Submission:
		return fmt.Sprintf("submission %s %s", r.Member, r.Task)
	}
	return fmt.Sprintf("%T", record)
}

// A tampered is a set of rows of which one is as it was before.
type tampered struct {
	name string // of the row, and what was done to it
	kind reflect.Type
	rows []store.Record
}

// tamper returns the ways to put one row of now back to what it was at an earlier time, or to where it was not yet; a few of each type.
func tamper(now []store.Record, earlier ...[]store.Record) (all []tampered) {
	few := make(map[string]int)
	for i, row := range now {
		kind := reflect.TypeOf(row)
		for n, before := range earlier {
			how := fmt.Sprintf("put back to %d", n)
			changed := slices.Clone(now)
			switch j := slices.IndexFunc(before, func(r store.Record) bool { return rowName(r) == rowName(row) }); {
			case j < 0:
				changed, how = slices.Delete(changed, i, i+1), fmt.Sprintf("taken out as at %d", n)
			case reflect.DeepEqual(before[j], row):
				continue
			default:
				changed[i] = before[j]
			}
			if few[kind.String()+how]++; few[kind.String()+how] <= 2 {
				all = append(all, tampered{rowName(row) + " " + how, kind, changed})
			}
		}
	}
	return all
}

// newStores returns a function that makes empty stores of a kind.
type newStores func(testing.TB) store.Store

func boltStores(t testing.TB) store.Store {
	t.Helper()
	s, err := boltstore.Open(filepath.Join(t.TempDir(), "store.db"), boltstore.Options{UnsafeNoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// A wrap puts another store of a role in the place of a deployment's own.
type wrap = func(dap.Role, store.Store) store.Store

// A collecting collects the batch of a scenario from other stores.
type collecting func(testing.TB, wrap) (figures []int64, err error)

// sealed seals a store.
func sealed(t testing.TB, beneath store.Store) store.Store {
	t.Helper()
	s, err := sealstore.Open(context.Background(), sealstore.Config{Store: beneath, Keys: []*sealstore.WrappingKey{rollbackKey}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A row that somebody put back as it once was never makes a wrong figure: either the collection is refused or the figure is the right one. A batch bucket that was put back
// is always found, and so is a member's submission.
func testRolledBack(t *testing.T, fresh newStores) {
	for name, scenario := range map[string]func(*testing.T, wrap, func()) collecting{"plain task": plainScenario, "round": roundScenario} {
		t.Run(name, func(t *testing.T) {
			beneath := map[dap.Role]store.Store{}
			times := map[dap.Role][][]store.Record{}
			again := scenario(t, func(role dap.Role, _ store.Store) store.Store {
				beneath[role] = fresh(t)
				return sealed(t, beneath[role])
			}, func() {
				for role, s := range beneath {
					times[role] = append(times[role], rows(t, s))
				}
			})
			// collect collects from stores that hold these rows. A store that does not take them is as good as a refusal.
			collect := func(t testing.TB, content map[dap.Role][]store.Record) (figures []int64, err error) {
				stores := map[dap.Role]store.Store{}
				for role, records := range content {
					stores[role] = fresh(t)
					err := stores[role].Update(context.Background(), "test", func(tx store.Tx) error {
						for _, r := range records {
							if err := tx.AddRecord(r); err != nil {
								return err
							}
						}
						return nil
					})
					if err != nil {
						return nil, err
					}
				}
				return again(t, func(role dap.Role, _ store.Store) store.Store { return sealed(t, stores[role]) })
			}
			now := map[dap.Role][]store.Record{}
			for role, list := range times {
				now[role] = list[len(list)-1]
			}
			want, err := collect(t, now)
			if err != nil {
				t.Fatalf("nothing was put back: %v", err)
			}
			tried, refused := 0, map[reflect.Type]int{}
			for role, list := range times {
				for _, c := range tamper(now[role], list[:len(list)-1]...) {
					content := map[dap.Role][]store.Record{dap.Leader: now[dap.Leader], dap.Helper: now[dap.Helper]}
					content[role] = c.rows
					figures, err := collect(t, content)
					tried++
					if err != nil {
						refused[c.kind]++
					}
					mustRefuse := c.kind == reflect.TypeFor[store.BucketRecord]() || c.kind == reflect.TypeFor[store.Submission]()
					if err == nil && (mustRefuse || !slices.Equal(figures, want)) {
						t.Errorf("%s's %s: collected %v, the figures are %v", role, c.name, figures, want)
					}
				}
			}
			t.Logf("%d rows put back, refused by type: %v", tried, refused)
			if refused[reflect.TypeFor[store.BucketRecord]()] < 2 {
				t.Errorf("no buckets were put back at both")
			}
		})
	}
}

// plainScenario aggregates reports of a plain task in two halves.
func plainScenario(t *testing.T, seal wrap, snapshot func()) collecting {
	d := aggregatortest.New(t, aggregatortest.Options{Wrap: seal}, aggregatortest.TaskSpec{VDAF: dap.VDAFConfig{Type: dap.VDAFSum, MaxMeasurement: 100}})
	task := d.Tasks[0]
	d.Upload(task, []uint64{1}, []uint64{2}, []uint64{3})
	snapshot()
	d.Settle(5)
	snapshot()
	d.Upload(task, []uint64{10}, []uint64{20})
	d.Settle(5)
	snapshot()
	return func(t testing.TB, open wrap) ([]int64, error) {
		options := d.Options
		options.Wrap, options.Keys, options.Tasks = open, d.Keys, d.Tasks
		e := aggregatortest.New(t, options)
		e.Advance(d.Clock.Now().Sub(e.Clock.Now()))
		result, err := collectSoon(e, task)
		return figuresOf(result, 0), err
	}
}

// roundScenario takes the window of a round, with corrections.
func roundScenario(t *testing.T, seal wrap, snapshot func()) collecting {
	c := aggregatortest.NewCoalition(t, 12, 2, nil)
	options := c.Options
	options.Wrap, options.Keys, options.Tasks = seal, c.Keys, c.Tasks
	c.Deployment = aggregatortest.New(t, options)
	c.SendAll(0, 12)
	snapshot()
	for i := range 3 {
		if code := c.Send(aggregatortest.Submission{Member: i, Correction: 1, Values: []uint64{7, 8}}); code != 0 {
			t.Fatal(code)
		}
	}
	snapshot()
	c.CloseWindow()
	c.Settle(5)
	snapshot()
	return func(t testing.TB, open wrap) ([]int64, error) {
		options.Wrap = open
		e := aggregatortest.New(t, options)
		e.Advance(c.Clock.Now().Sub(e.Clock.Now()))
		result, err := collectSoon(e, c.Task)
		return figuresOf(result, c.Document.Parts[0].Offset), err
	}
}

func figuresOf(r collector.Result, offset uint64) (figures []int64) {
	for _, x := range r.Aggregate {
		figures = append(figures, x.Int64()-int64(r.ReportCount*offset))
	}
	return figures
}

// collectSoon is Collect for a batch of which all reports are aggregated already: what is not collected within minutes waits for somebody.
func collectSoon(d *aggregatortest.Deployment, task *round.Task) (collector.Result, error) {
	c := d.Collector(task)
	job, err := c.Start(d.T.Context(), d.All(task))
	if err != nil {
		return collector.Result{}, err
	}
	for range 20 {
		if _, err := d.Tick(d.T.Context()); err != nil {
			return collector.Result{}, err
		}
		if result, err := c.Poll(d.T.Context(), job); !errors.Is(err, collector.ErrPending) {
			return result, err
		}
		d.Advance(15 * time.Second)
	}
	status, err := d.Leader.Status(d.T.Context())
	text, _ := json.Marshal(status) // for people
	return collector.Result{}, fmt.Errorf("not collected after minutes: %s (%v)", text, err)
}

func TestRolledBackRow(t *testing.T) { testRolledBack(t, boltStores) }

// TestPostgresRolledBackRow is TestRolledBackRow on databases.
func TestPostgresRolledBackRow(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a server, and makes hundreds of databases")
	}
	server := storetest.StartPostgres(t)
	testRolledBack(t, func(t testing.TB) store.Store {
		t.Helper()
		s, err := pgstore.Open(context.Background(), server.NewDatabase(t), pgstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	})
}
