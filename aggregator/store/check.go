package store

import (
	"fmt"

	"candor/schema/dap"
)

// A Summary says what a store holds.
type Summary struct {
	Tasks   int      `json:"tasks"`
	Reports Progress `json:"reports"` // of the Leader
	Marks   uint64   `json:"marks"`   // reports that the Helper aggregated
	Bytes   uint64   `json:"bytes"`   // of reports' bodies, requests, responses and shares

	LiveAggregationJobs  uint64 `json:"live_aggregation_jobs"`
	EndedAggregationJobs uint64 `json:"ended_aggregation_jobs"`
	Buckets              uint64 `json:"buckets"`
	ErasedBuckets        uint64 `json:"erased_buckets"`
	CollectionJobs       uint64 `json:"collection_jobs"`
	HelperJobs           uint64 `json:"helper_jobs"`
	DeferredHelperJobs   uint64 `json:"deferred_helper_jobs"`
	ShareAnswers         uint64 `json:"share_answers"`
	Submissions          uint64 `json:"submissions"`
	Statements           uint64 `json:"statements"`
}

// maxProblems bounds the list that Check returns.
const maxProblems = 100

// Check reads a whole store and counts it again: what it returns besides the summary is what does not fit together, in sentences that name tasks
// and IDs. Its memory grows with the numbers of jobs and buckets, not with that of reports. The checks are:
//
//   - a report has its body exactly as long as it is unassigned or assigned;
//   - an assigned report belongs to one live job, and a live job's reports are assigned to it;
//   - an aggregated report belongs to a finished job;
//   - each bucket's count and checksum are those of the reports that were aggregated into it, of the Leader's rows or of the Helper's marks;
//   - the counters that Progress reads agree with the reports.
func Check(tx Tx) (Summary, []string, error) {
	c := checker{tasks: make(map[dap.TaskID]*taskCheck)}
	if err := tx.Records(c.record); err != nil {
		return c.sum, nil, err
	}
	c.sum.Tasks = len(c.tasks)
	for _, task := range c.order {
		if err := c.finish(tx, task, c.tasks[task]); err != nil {
			return c.sum, nil, err
		}
	}
	if c.more > 0 {
		c.problems = append(c.problems, fmt.Sprintf("and %d problems more", c.more))
	}
	return c.sum, c.problems, nil
}

type checker struct {
	sum      Summary
	tasks    map[dap.TaskID]*taskCheck
	order    []dap.TaskID
	problems []string
	more     int
}

type taskCheck struct {
	times   map[dap.Time]*Progress
	jobs    map[dap.AggregationJobID]*jobCheck
	seen    map[dap.AggregationJobID]bool // has a row
	batches map[dap.BatchID]Progress      // as counted
	stored  map[dap.BatchID]Progress
	want    map[BucketID]*tally // by reports
	marks   map[BucketID]*tally // by marks
	have    map[BucketID]*tally // buckets
}

// A jobCheck sums up the reports that name a job. Those of one state are told from others of the same number by their checksum.
type jobCheck struct {
	assigned tally
	// aggregated by time, for jobs that are not of a leader-selected batch.
	aggregated map[dap.Time]*tally
	rejected   uint64
}

type tally struct {
	count    uint64
	checksum [32]byte
}

func (t *tally) add(o tally) {
	t.count += o.count
	for i := range t.checksum {
		t.checksum[i] ^= o.checksum[i]
	}
}

func (t *tally) addReport(id dap.ReportID) { t.add(tally{1, dap.Checksum(id)}) }

// at returns the entry of a map, which it creates.
func at[K comparable, V any](m map[K]*V, key K) *V {
	v := m[key]
	if v == nil {
		v = new(V)
		m[key] = v
	}
	return v
}

func (c *checker) task(id dap.TaskID) *taskCheck {
	t := c.tasks[id]
	if t == nil {
		t = &taskCheck{
			times: make(map[dap.Time]*Progress), jobs: make(map[dap.AggregationJobID]*jobCheck), seen: make(map[dap.AggregationJobID]bool),
			batches: make(map[dap.BatchID]Progress), stored: make(map[dap.BatchID]Progress),
			want: make(map[BucketID]*tally), marks: make(map[BucketID]*tally), have: make(map[BucketID]*tally),
		}
		c.tasks[id] = t
		c.order = append(c.order, id)
	}
	return t
}

func (c *checker) problem(format string, args ...any) {
	if len(c.problems) == maxProblems {
		c.more++
		return
	}
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

func (c *checker) record(r Record) error {
	switch r := r.(type) {
	case Key: // belongs to no row that is counted
	case PinRecord:
		c.task(r.Task)
	case CounterRecord:
		c.task(r.Task)
	case BatchRecord:
		c.task(r.Task).stored[r.ID] = r.Progress
	case ReportRecord:
		c.report(c.task(r.Task), r)
	case AggregationJob:
		c.job(c.task(r.Task), r)
	case MarkRecord:
		c.sum.Marks++
		at(c.task(r.Task).marks, r.Bucket).addReport(r.Report)
	case BucketRecord:
		c.bucket(c.task(r.Task), r)
	case CollectedRecord:
		c.task(r.Task)
	case CollectionJob:
		c.task(r.Task)
		c.sum.CollectionJobs++
		c.sum.Bytes += uint64(len(r.Request) + len(r.ShareRequest) + len(r.Response))
	case HelperJob:
		c.task(r.Task)
		c.sum.HelperJobs++
		if r.State == JobLive {
			c.sum.DeferredHelperJobs++
		}
		if (r.State == JobLive) != (len(r.Request) > 0) {
			c.problem("task %s: Helper's aggregation job %s of state %d has a request of %d bytes", r.Task, r.ID, r.State, len(r.Request))
		}
		c.sum.Bytes += uint64(len(r.Request) + len(r.Response))
	case ShareAnswer:
		c.task(r.Task)
		c.sum.ShareAnswers++
		c.sum.Bytes += uint64(len(r.Response))
	case Submission:
		c.task(r.Task)
		c.sum.Submissions++
	case Statement:
		c.task(r.Task)
		c.sum.Statements++
		c.sum.Bytes += uint64(len(r.Text) + len(r.Salts))
	default:
		return fmt.Errorf("store: internal error: unknown record %T", r)
	}
	return nil
}

func (c *checker) report(t *taskCheck, r ReportRecord) {
	c.sum.Bytes += uint64(len(r.Encoded))
	p := at(t.times, r.Time)
	body := r.State == ReportUnassigned || r.State == ReportAssigned
	if body != (len(r.Encoded) > 0) {
		c.problem("task %s: report %s of state %d has a body of %d bytes", r.Task, r.ID, r.State, len(r.Encoded))
	}
	if r.State != ReportRejected && (r.Job == dap.AggregationJobID{}) != (r.State == ReportUnassigned) {
		c.problem("task %s: report %s of state %d names job %s", r.Task, r.ID, r.State, r.Job)
	}
	switch r.State {
	case ReportUnassigned:
		p.Unassigned++
		c.sum.Reports.Unassigned++
	case ReportAssigned:
		p.Assigned++
		c.sum.Reports.Assigned++
		at(t.jobs, r.Job).assigned.addReport(r.ID)
	case ReportAggregated:
		p.Aggregated++
		c.sum.Reports.Aggregated++
		j := at(t.jobs, r.Job)
		if j.aggregated == nil {
			j.aggregated = make(map[dap.Time]*tally)
		}
		at(j.aggregated, r.Time).addReport(r.ID)
	case ReportRejected:
		p.Rejected++
		c.sum.Reports.Rejected++
		if (r.Job != dap.AggregationJobID{}) {
			at(t.jobs, r.Job).rejected++
		}
	default:
		c.problem("task %s: report %s has state %d", r.Task, r.ID, r.State)
	}
}

func (c *checker) job(t *taskCheck, r AggregationJob) {
	c.sum.Bytes += uint64(len(r.Request))
	t.seen[r.ID] = true
	j := at(t.jobs, r.ID)
	var listed tally
	if r.State == JobLive {
		c.sum.LiveAggregationJobs++
		for _, id := range r.Reports {
			listed.addReport(id)
		}
	} else {
		c.sum.EndedAggregationJobs++
		if len(r.Request) > 0 {
			c.problem("task %s: aggregation job %s has ended, but has its request", r.Task, r.ID)
		}
	}
	if j.assigned != listed {
		c.problem("task %s: aggregation job %s of state %d lists %d reports that are not the %d assigned to it", r.Task, r.ID, r.State, listed.count, j.assigned.count)
	}
	if r.State != JobFinished && len(j.aggregated) > 0 {
		c.problem("task %s: reports were aggregated in job %s, which is not finished", r.Task, r.ID)
	}
	for time, sum := range j.aggregated {
		bucket := TimeBucket(time)
		if r.Batch != nil {
			bucket = BatchBucket(*r.Batch)
		}
		at(t.want, bucket).add(*sum)
	}
	if r.Batch != nil {
		p := t.batches[*r.Batch]
		p.Assigned += j.assigned.count
		for _, sum := range j.aggregated {
			p.Aggregated += sum.count
		}
		p.Rejected += j.rejected
		t.batches[*r.Batch] = p
	}
}

func (c *checker) bucket(t *taskCheck, r BucketRecord) {
	if t.have[r.ID] == nil {
		c.sum.Buckets++
		if r.Erased {
			c.sum.ErasedBuckets++
		}
	}
	c.sum.Bytes += uint64(len(r.Share))
	if r.Erased {
		if len(r.Share) > 0 {
			c.problem("task %s: bucket %x was erased, but has a share", r.Task, r.ID)
		}
	} else if r.Count > 0 && len(r.Share) == 0 {
		c.problem("task %s: bucket %x counts %d reports, but has no share", r.Task, r.ID, r.Count)
	}
	at(t.have, r.ID).add(tally{r.Count, r.Checksum})
}

func (c *checker) finish(tx Tx, task dap.TaskID, t *taskCheck) error {
	for id, j := range t.jobs {
		if !t.seen[id] {
			c.problem("task %s: %d assigned, %d rejected and some aggregated reports name job %s, which does not exist", task, j.assigned.count, j.rejected, id)
		}
	}
	// A store that has marks is the Helper's.
	want, by := t.want, "aggregated reports"
	if len(t.marks) > 0 {
		want, by = t.marks, "marks"
	}
	for id, w := range want {
		h := t.have[id]
		if h == nil {
			h = new(tally)
		}
		if *h != *w {
			c.problem("task %s: bucket %x has count %d and checksum %x, but %d %s with checksum %x", task, id, h.count, h.checksum[:4], w.count, by, w.checksum[:4])
		}
	}
	for id, h := range t.have {
		if want[id] == nil && *h != (tally{}) {
			c.problem("task %s: bucket %x has count %d and checksum %x, but no %s", task, id, h.count, h.checksum[:4], by)
		}
	}
	for time, p := range t.times {
		got, err := tx.Progress(task, Batch{Interval: dap.Interval{Start: time, Duration: 1}})
		if err != nil {
			return err
		}
		if got != *p && time+1 != 0 { // the last of all times is in no interval
			c.problem("task %s: the counters of time %d are %+v, but its reports are %+v", task, time, got, *p)
		}
	}
	for id, p := range t.stored {
		if got := t.batches[id]; got != p {
			c.problem("task %s: the counters of batch %s are %+v, but its reports are %+v", task, id, p, got)
		}
		delete(t.batches, id)
	}
	for id, p := range t.batches {
		if p != (Progress{}) {
			c.problem("task %s: batch %s has reports %+v, but does not exist", task, id, p)
		}
	}
	return nil
}
