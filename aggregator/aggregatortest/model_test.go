package aggregatortest_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"candor/aggregator/aggregatortest"
	"candor/aggregator/helper"
	"candor/aggregator/leader"
	"candor/aggregator/store"
	"candor/aggregator/storetest"
	"candor/client/collector"
	"candor/schema/dap"
	"candor/schema/round"
)

// TestModel plays random histories of a Leader (two processes on one store), a Helper, Clients and a Collector, with replayed and bad reports, lost requests and
// responses, failing stores, crashes in mid-step, and clocks that jump and differ. Each measurement is a distinct one-hot vector, so that a report counted
// twice, or a batch split between the Aggregators, shows in the result.
//
// Safety: at no time does a result contain anything but reports that were sent, each once, over all results. Liveness: once the faults stop, every
// acknowledged report is in a result, unless it arrived while its batch was being collected, or is left over in a leader-selected batch that is too small.
func TestModel(t *testing.T) {
	runs := 2000
	switch {
	case *oneSeed != 0:
		t.Run(fmt.Sprint("seed ", *oneSeed), func(t *testing.T) { playModel(t, *oneSeed, nil) })
		return
	case testing.Short():
		runs = 60
	case os.Getenv("CANDOR_TEST_LONG") != "":
		runs = 20_000
	}
	for seed := 1; seed <= runs; seed++ {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			t.Parallel()
			playModel(t, uint64(seed), nil)
		})
	}
}

var oneSeed = flag.Uint64("model.seed", 0, "play only this history of TestModel")

// modelHours is how many buckets reports of the model lie in.
const modelHours = 3

// modelReports is how many valid reports the model has, the length of its vectors.
const modelReports = 24

// A modelKind is a sort of task with reports for it. They are made once, since making them takes longest.
type modelKind struct {
	name string
	task *round.Task
	good [modelReports]dap.Report
	bad  []dap.Report
}

var modelKinds = sync.OnceValues(func() ([]*modelKind, *aggregatortest.Keys) {
	t := new(onceTB)
	keys := aggregatortest.NewKeys(t)
	window := dap.Interval{Start: dap.Time(aggregatortest.Start.Unix() / 3600), Duration: modelHours}
	vdaf := dap.VDAFConfig{Type: dap.VDAFHistogram, Length: modelReports, ChunkLength: 5}
	var kinds []*modelKind
	for _, k := range []struct {
		name string
		spec aggregatortest.TaskSpec
	}{
		{"time-interval", aggregatortest.TaskSpec{VDAF: vdaf, MinBatch: 1}},
		{"leader-selected", aggregatortest.TaskSpec{VDAF: vdaf, Mode: dap.LeaderSelected, MinBatch: 4}},
		{"round", aggregatortest.TaskSpec{VDAF: vdaf, MinBatch: 1, Interval: &window, RoundHash: new([32]byte)}},
	} {
		kind := &modelKind{name: k.name, task: aggregatortest.NewRoundTask(t, k.spec)}
		at := func(i int) dap.Time { return window.Start + dap.Time(i%modelHours) }
		for i := range kind.good {
			kind.good[i] = keys.NewReport(t, kind.task, aggregatortest.ReportSpec{Measurement: []uint64{uint64(i)}, Time: at(i)})
		}
		bad := func(i int, spec aggregatortest.ReportSpec, after func(*dap.Report)) {
			spec.Measurement, spec.Time = []uint64{uint64(i)}, at(i)+spec.Time
			report := keys.NewReport(t, kind.task, spec)
			if after != nil {
				after(&report)
			}
			kind.bad = append(kind.bad, report)
		}
		bad(0, aggregatortest.ReportSpec{}, func(r *dap.Report) { r.Leader.Payload[3] ^= 1 })
		bad(1, aggregatortest.ReportSpec{}, func(r *dap.Report) { r.Helper.Payload[3] ^= 1 })
		bad(2, aggregatortest.ReportSpec{}, func(r *dap.Report) { r.Helper.ConfigID++ })
		bad(3, aggregatortest.ReportSpec{Shares: func(_ []byte, s *[2][]byte) { s[0][0] ^= 1 }}, nil) // another measurement
		bad(4, aggregatortest.ReportSpec{Shares: func(_ []byte, s *[2][]byte) { s[1][40] ^= 1 }}, nil)
		bad(5, aggregatortest.ReportSpec{Public: []dap.Extension{{Type: 77}}}, nil)
		bad(6, aggregatortest.ReportSpec{HelperPrivate: []dap.Extension{{Type: 77}}}, nil)
		bad(7, aggregatortest.ReportSpec{Time: 1000}, nil)
		kinds = append(kinds, kind)
	}
	return kinds, keys
})

// onceTB lets what is made once use the makers that tests use. It must not fail.
type onceTB struct{ testing.TB }

func (*onceTB) Helper()           {}
func (*onceTB) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// A model is one history in play.
type model struct {
	*aggregatortest.Deployment
	t       *testing.T
	r       *rand.Rand
	kind    *modelKind
	task    *round.Task
	faults  [2]*storetest.Faulty
	loss    float64 // of requests, and of responses
	crash   float64 // of the Leader during an exchange with the Helper
	kill    context.CancelFunc
	leaders [2]*leader.Leader
	depth   int // of things that go on while a request is on its way

	acked   map[int]bool // good reports that were acknowledged
	unsure  map[int]bool // sent, never acknowledged, or acknowledged while their batch was being collected
	counted map[int]int
	jobs    []*modelJob
}

// A modelJob is a collection job as the Collector knows it.
type modelJob struct {
	query   dap.Query
	job     *collector.Job // nil: the answer to its creation was lost
	done    bool           // a result was counted, or it failed for good
	deleted bool
}

// playModel plays the history of a seed, on stores that open opens, or on bbolt files.
func playModel(t *testing.T, seed uint64, open func(dap.Role) store.Store) {
	kinds, keys := modelKinds()
	r := rand.New(rand.NewPCG(seed, 4))
	m := &model{t: t, r: r, kind: kinds[r.IntN(len(kinds))], acked: map[int]bool{}, unsure: map[int]bool{}, counted: map[int]int{}}
	m.task = m.kind.task
	m.loss, m.crash = [...]float64{0, 0.1, 0.3}[r.IntN(3)], [...]float64{0, 0.05, 0.2}[r.IntN(3)]
	rate := [...]float64{0, 0.02, 0.1}[r.IntN(3)]
	options := aggregatortest.Options{
		Keys:  keys,
		Open:  open,
		Tasks: []*round.Task{m.task},
		Start: aggregatortest.Start.Add(modelHours*time.Hour - 30*time.Minute),
		Leader: leader.Config{MaxJobReports: 1 + r.IntN(8), MaxJobDelay: 20 * time.Second, MaxLiveJobs: 1 + r.IntN(4), CollectGiveUp: time.Hour,
			LeaderBatchReports: uint64(r.IntN(8))},
		Helper: helper.Config{Deferred: r.IntN(2) == 0},
		Wrap: func(role dap.Role, s store.Store) store.Store {
			f := storetest.NewFaulty(s, seed+uint64(role)<<32, rate)
			m.faults[role-dap.Leader] = f
			return f
		},
	}
	if *oneSeed != 0 {
		options.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	m.Deployment = aggregatortest.New(t, options)
	m.leaders = [2]*leader.Leader{m.Leader, m.NewLeader()}
	m.Net.Decide(m.fate)
	m.Net.Alter(func(req *http.Request, _ *http.Response) { m.meanwhile(req) })
	for range 60 + r.IntN(100) {
		m.act()
	}
	m.Net.Decide(nil)
	m.Net.Alter(nil)
	for _, f := range m.faults {
		f.SetRate(0)
	}
	m.finish()
	m.judge()
}

func (m *model) log(format string, args ...any) {
	if *oneSeed != 0 {
		m.t.Logf("%s "+format, append([]any{m.Clock.Now().Format("15:04:05")}, args...)...)
	}
}

// fate decides about a request, with a crash of the Leader that makes it as one of the possibilities.
func (m *model) fate(req *http.Request) aggregatortest.Fate {
	m.meanwhile(req)
	if req.URL.Host == "helper.test" && m.kill != nil && m.r.Float64() < m.crash {
		m.log("the Leader dies while it talks to the Helper")
		m.kill()
	}
	switch x := m.r.Float64(); {
	case x < m.loss:
		return aggregatortest.RequestLost
	case x < 2*m.loss:
		return aggregatortest.ResponseLost
	}
	return aggregatortest.Delivered
}

// meanwhile lets others go on while a request of a Leader to the Helper, or the response, is on its way: the other process, Clients, the Collector.
func (m *model) meanwhile(req *http.Request) {
	if req.URL.Host != "helper.test" || m.kill == nil {
		return
	}
	for kill := m.kill; m.depth < 2 && m.r.IntN(4) > 0; {
		m.depth++
		m.kill = nil
		m.act()
		m.kill = kill
		m.depth--
	}
}

// act does one thing at random.
func (m *model) act() {
	switch m.r.IntN(20) {
	case 0, 1, 2, 3, 4:
		m.upload()
	case 5, 6, 7, 8, 9, 10:
		m.tickLeader(m.r.IntN(2))
	case 11, 12:
		m.tickHelper()
	case 13:
		m.startCollection()
	case 14, 15:
		if len(m.jobs) > 0 {
			m.poll(m.jobs[m.r.IntN(len(m.jobs))])
		}
	case 16:
		m.Advance(time.Duration(m.r.IntN(60)) * time.Second)
	case 17:
		m.Advance(time.Duration(m.r.IntN(20)-5) * time.Minute)
	case 18:
		m.HelperClock.Advance(time.Duration(m.r.IntN(5)-2) * time.Minute)
	case 19:
		if m.r.IntN(2) == 0 {
			m.log("the Helper restarts")
			m.RestartHelper()
		} else {
			m.restartLeader(m.r.IntN(2))
		}
	}
}

func (m *model) restartLeader(i int) {
	m.log("Leader %d restarts", i)
	m.leaders[i] = m.NewLeader()
	m.Net.Serve("leader.test", m.leaders[m.r.IntN(2)].Handler())
}

func (m *model) tickLeader(i int) bool {
	ctx, kill := context.WithCancel(m.t.Context())
	defer kill()
	before := m.kill
	m.kill = kill
	defer func() { m.kill = before }()
	worked, err := m.leaders[i].Tick(ctx)
	if ctx.Err() != nil {
		m.restartLeader(i)
	} else if err != nil && !errors.Is(err, storetest.ErrFault) {
		m.t.Fatalf("the Leader: %v", err)
	}
	return worked
}

func (m *model) tickHelper() bool {
	worked, err := m.Helper.Tick(m.t.Context())
	if err != nil && !errors.Is(err, storetest.ErrFault) {
		m.t.Fatalf("the Helper: %v", err)
	}
	return worked
}

// upload sends a few reports in one request: new ones, repeated ones, bad ones.
func (m *model) upload() {
	var reports []dap.Report
	var sent []int
	for range 1 + m.r.IntN(4) {
		if m.r.IntN(5) == 0 {
			reports = append(reports, m.kind.bad[m.r.IntN(len(m.kind.bad))])
			continue
		}
		i := m.r.IntN(modelReports)
		reports, sent = append(reports, m.kind.good[i]), append(sent, i)
	}
	refused, err := m.TryUpload(m.task, reports...)
	frozen := m.frozen()
	for _, i := range sent {
		ok := err == nil && !slices.ContainsFunc(refused, func(s dap.ReportUploadStatus) bool { return s.ReportID == m.kind.good[i].Metadata.ReportID })
		m.log("report %d: acknowledged=%v err=%v", i, ok, err)
		switch {
		case ok && !contains(frozen, m.kind.good[i].Metadata.Time):
			m.acked[i] = true
		case !m.acked[i]:
			m.unsure[i] = true
		}
	}
}

func contains(intervals []dap.Interval, at dap.Time) bool {
	return slices.ContainsFunc(intervals, func(i dap.Interval) bool { return i.Contains(at) })
}

// frozen returns the intervals that are being collected.
func (m *model) frozen() (list []dap.Interval) {
	err := m.faults[0].Unwrap().View(m.t.Context(), "model", func(tx store.Tx) error {
		jobs, err := tx.CollectionJobs(m.task.ID)
		for _, j := range jobs {
			if j.State == store.JobLive && len(j.ShareRequest) > 0 && j.Batch.ID == nil {
				list = append(list, j.Batch.Interval)
			}
		}
		return err
	})
	if err != nil {
		m.t.Fatal(err)
	}
	return list
}

func (m *model) startCollection() {
	var query dap.Query
	switch start := dap.Time(aggregatortest.Start.Unix() / 3600); {
	case m.task.Config.BatchMode == dap.LeaderSelected:
		query = dap.NewLeaderSelectedQuery()
	case m.task.RoundHash != nil:
		query = dap.NewTimeIntervalQuery(*m.task.Interval)
	default:
		first := m.r.IntN(modelHours)
		query = dap.NewTimeIntervalQuery(dap.Interval{Start: start + dap.Time(first), Duration: dap.Duration(1 + m.r.IntN(modelHours-first))})
	}
	m.start(query)
}

// start creates a collection job, unless one of the same query is in play: two of the same bytes are one job.
func (m *model) start(query dap.Query) {
	i := slices.IndexFunc(m.jobs, func(j *modelJob) bool { return !j.deleted && string(j.query.Config) == string(query.Config) })
	if i >= 0 && m.jobs[i].done {
		return // the old job would be found again
	}
	var j *modelJob
	if i >= 0 {
		j = m.jobs[i]
	} else {
		j = &modelJob{query: query}
		m.jobs = append(m.jobs, j)
	}
	job, err := m.Collector(m.task).Start(m.t.Context(), query)
	m.log("collection of %x starts: %v", query.Config, err)
	if problem := (*dap.Problem)(nil); errors.As(err, &problem) && problem.Status < 500 {
		m.refused(j, problem)
		return
	}
	if err == nil {
		j.job = job
	}
}

// refused ends a collection job that cannot succeed: it overlaps another, or there was nothing to collect.
func (m *model) refused(j *modelJob, problem *dap.Problem) {
	if problem.Type != dap.BatchOverlap && problem.Type != dap.InvalidBatchSize {
		m.t.Fatalf("collection refused: %v", problem)
	}
	j.done, j.deleted = true, true
}

func (m *model) poll(j *modelJob) {
	switch {
	case j.done && !j.deleted:
		err := m.Collector(m.task).Delete(m.t.Context(), j.job)
		m.log("collection job deleted: %v", err)
		j.deleted = err == nil
		return
	case j.done:
		return
	case j.job == nil:
		m.start(j.query)
		return
	}
	j.job.NotBefore = time.Time{}
	result, err := m.Collector(m.task).Poll(m.t.Context(), j.job)
	m.log("collection of %x polled: %v %v", j.query.Config, result.Aggregate, err)
	if problem := (*dap.Problem)(nil); errors.As(err, &problem) && problem.Status < 500 {
		m.refused(j, problem)
	}
	if err != nil {
		return
	}
	j.done = true
	interval, isInterval := j.query.Interval()
	var total uint64
	for i, x := range result.Aggregate {
		if !x.IsUint64() || x.Uint64() > 1 {
			m.t.Fatalf("report %d is in a result %v times", i, x)
		}
		if x.Uint64() == 0 {
			continue
		}
		total++
		m.counted[i]++
		if m.counted[i] > 1 {
			m.t.Fatalf("report %d is in two results", i)
		}
		if !m.acked[i] && !m.unsure[i] {
			m.t.Fatalf("report %d is in a result and was never sent", i)
		}
		if at := m.kind.good[i].Metadata.Time; isInterval && !interval.Contains(at) || !result.Interval.Contains(at) {
			m.t.Fatalf("report %d of time %d is in the result of %v, which says %v", i, at, interval, result.Interval)
		}
	}
	if total != result.ReportCount || total < m.task.Config.MinBatchSize {
		m.t.Fatalf("a result has %d reports and says %d; the minimum is %d", total, result.ReportCount, m.task.Config.MinBatchSize)
	}
}

// finish lets everything come to its end without faults.
func (m *model) finish() {
	if gap := m.Clock.Now().Sub(m.HelperClock.Now()); gap > 0 {
		m.HelperClock.Advance(gap)
	}
	if m.task.Config.BatchMode == dap.TimeInterval {
		m.settle()
		start := dap.Time(aggregatortest.Start.Unix() / 3600)
		if m.task.RoundHash != nil {
			m.start(dap.NewTimeIntervalQuery(*m.task.Interval))
		} else {
			for h := range modelHours {
				m.start(dap.NewTimeIntervalQuery(dap.Interval{Start: start + dap.Time(h), Duration: 1}))
			}
		}
		m.settle()
		return
	}
	for range modelReports { // each collects one batch, until none is complete
		before := len(m.counted)
		m.settle()
		m.start(dap.NewLeaderSelectedQuery())
		m.settle()
		if len(m.counted) == before {
			return
		}
	}
}

// settle lets the roles work until no collection job is open, or for six hours on the clock.
func (m *model) settle() {
	for range 6 * 60 {
		for worked := true; worked; {
			worked = m.tickLeader(0)
			worked = m.tickLeader(1) || worked
			worked = m.tickHelper() || worked
		}
		open := false
		for _, j := range m.jobs {
			m.poll(j)
			open = open || !j.done || !j.deleted
		}
		if !open && m.idle() {
			return
		}
		m.Advance(time.Minute)
	}
	status, _ := m.Leader.Status(m.t.Context())
	m.t.Fatalf("nothing comes to an end: %+v", status.Tasks)
}

// idle says whether no report waits to be aggregated.
func (m *model) idle() bool {
	status, err := m.Leader.Status(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	return status.Tasks[0].Queue == 0
}

func (m *model) judge() {
	left := make(map[int]bool)
	for i := range modelReports {
		if m.acked[i] && m.counted[i] == 0 {
			left[i] = true
		}
	}
	if m.task.Config.BatchMode == dap.LeaderSelected {
		err := m.faults[0].Unwrap().View(m.t.Context(), "model", func(tx store.Tx) error {
			batches, err := tx.LeaderBatches(m.task.ID)
			for _, b := range batches {
				if b.Progress.Aggregated >= m.task.Config.MinBatchSize {
					m.t.Errorf("a batch of %d reports was not collected", b.Progress.Aggregated)
				}
				ids, err := tx.AggregatedReports(m.task.ID, store.Batch{ID: &b.ID}, nil, modelReports)
				if err != nil {
					return err
				}
				for i := range left {
					if slices.Contains(ids, m.kind.good[i].Metadata.ReportID) {
						delete(left, i)
					}
				}
			}
			return err
		})
		if err != nil {
			m.t.Fatal(err)
		}
	}
	if len(left) > 0 {
		var list []string
		for i := range left {
			list = append(list, fmt.Sprint(i))
		}
		m.t.Errorf("acknowledged reports that were not counted: %s; the Leader counts %v", strings.Join(list, ", "), m.Counters(m.task))
	}
}
