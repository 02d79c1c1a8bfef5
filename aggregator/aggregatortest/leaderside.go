package aggregatortest

import (
	"net/http"
	"testing"

	"candor/aggregator"
	"candor/crypto/prio3"
	"candor/schema/dap"
	"candor/schema/round"
)

// A Verification is a Leader's side of an aggregation job, done by hand.
type Verification struct {
	Request dap.AggregationJobInitReq
	States  []*prio3.LeaderState
}

// VerifyReports does what a Leader does with reports before it asks the Helper. Reports that do not verify at the Leader get the payload {0}. batch is nil in
// time-interval tasks.
func (k *Keys) VerifyReports(t testing.TB, task *round.Task, batch *dap.BatchID, reports ...dap.Report) Verification {
	t.Helper()
	lt := k.LeaderTask(task)
	if err := lt.Check(); err != nil {
		t.Fatal(err)
	}
	judge := aggregator.Judge{Role: dap.Leader, Keys: k.Leader}
	var v Verification
	if batch != nil {
		v.Request.Extensions = []dap.Extension{dap.NewBatchIDExtension(*batch)}
	}
	for _, r := range reports {
		init := dap.VerifyInit{ReportShare: dap.ReportShare{Metadata: r.Metadata, PublicShare: r.PublicShare, Ciphertext: r.Helper}, Payload: []byte{0}}
		var state *prio3.LeaderState
		if opened, err := judge.OpenAgain(lt, LeaderView(t, r)); err == nil {
			lt.WithVerifier(prio3.Leader, 0, func(w *prio3.Verifier) {
				result := w.LeaderInit([]prio3.Report{opened})[0]
				if result.Err == nil {
					state, init.Payload = result.State, result.Outbound
				}
			})
		}
		v.Request.VerifyInits, v.States = append(v.Request.VerifyInits, init), append(v.States, state)
	}
	return v
}

// LeaderView and HelperView return a report as one of the Aggregators sees it.

func LeaderView(t testing.TB, r dap.Report) aggregator.ReportView {
	return view(t, r, r.Leader)
}

func HelperView(t testing.TB, r dap.Report) aggregator.ReportView {
	return view(t, r, r.Helper)
}

func view(t testing.TB, r dap.Report, ct dap.HpkeCiphertext) aggregator.ReportView {
	t.Helper()
	metadata, err := dap.Marshal(r.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	return aggregator.ReportView{Metadata: r.Metadata, Encoded: metadata, PublicShare: r.PublicShare, Ciphertext: ct}
}

// A Reply is a response with what one looks at.
type Reply struct {
	Status     int
	Header     http.Header
	Body       []byte
	Problem    *dap.Problem // nil if the body is none
	Location   string
	RetryAfter string
}

// Ask makes a request by hand on behalf of whoever token says, and fails the test if there is no response.
func (d *Deployment) Ask(method, url, mediaType, token string, body []byte) Reply {
	d.T.Helper()
	status, header, content, err := d.Do(method, url, mediaType, token, body)
	d.must(err)
	r := Reply{Status: status, Header: header, Body: content, Location: header.Get("Location"), RetryAfter: header.Get("Retry-After")}
	if header.Get("Content-Type") == dap.MediaTypeProblem {
		if r.Problem, err = dap.ParseProblem(content); err != nil {
			d.T.Fatalf("%s %s: problem document %q: %v", method, url, content, err)
		}
	}
	return r
}

// HelperURL and LeaderURL return the URL of a resource of a task.

func (d *Deployment) HelperURL(task *round.Task, resource string) string {
	return HelperURL + "/tasks/" + task.ID.String() + "/" + resource
}

func (d *Deployment) LeaderURL(task *round.Task, resource string) string {
	return LeaderURL + "tasks/" + task.ID.String() + "/" + resource
}

// PostJob asks the Helper for an aggregation job.
func (d *Deployment) PostJob(task *round.Task, body []byte) Reply {
	d.T.Helper()
	return d.Ask(http.MethodPost, d.HelperURL(task, "aggregation_jobs"), dap.MediaTypeAggregationJobInitReq, d.Keys.PeerToken, body)
}

// PostShare asks the Helper for its aggregate share.
func (d *Deployment) PostShare(task *round.Task, body []byte) Reply {
	d.T.Helper()
	return d.Ask(http.MethodPost, d.HelperURL(task, "aggregate_shares"), dap.MediaTypeAggregateShareReq, d.Keys.PeerToken, body)
}

// PostCollection asks the Leader for a collection job.
func (d *Deployment) PostCollection(task *round.Task, body []byte) Reply {
	d.T.Helper()
	return d.Ask(http.MethodPost, d.LeaderURL(task, "collection_jobs"), dap.MediaTypeCollectionJobReq, d.Keys.CollectorToken, body)
}

// Counters returns the Leader's counters of a task.
func (d *Deployment) Counters(task *round.Task) map[string]uint64 {
	d.T.Helper()
	return d.Status(task).Counters
}

// Status returns the Leader's status of a task.
func (d *Deployment) Status(task *round.Task) aggregator.TaskStatus {
	d.T.Helper()
	status, err := d.Leader.Status(d.T.Context())
	d.must(err)
	for _, s := range status.Tasks {
		if s.ID == task.ID {
			return s
		}
	}
	d.T.Fatalf("the Leader does not know task %s", task.ID)
	return aggregator.TaskStatus{}
}

// Now returns the time of reports that are made now.
func (d *Deployment) Now(task *round.Task) dap.Time { return task.TimeOf(d.Clock.Now()) }
