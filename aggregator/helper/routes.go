package helper

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"

	"candor/aggregator"
	"candor/aggregator/httpapi"
	"candor/aggregator/store"
	"candor/schema/dap"
)

const (
	tasks       = "/tasks/" + httpapi.TaskID
	candorTasks = "/candor/tasks/" + httpapi.TaskID
	job         = tasks + "/aggregation_jobs/" + httpapi.ResourceID
	share       = tasks + "/aggregate_shares/" + httpapi.ResourceID
)

// maxShareRequest bounds an aggregate share request: a query, a selector and extensions.
const maxShareRequest = 256 << 10

// routes is the table of the Helper's resources (DAP, Protocol Resources), and of the two that package aggregator describes.
func (h *Helper) routes() []httpapi.Route {
	return []httpapi.Route{
		{Name: "hpke_config", Method: http.MethodGet, Path: "/hpke_config", Handler: h.getHPKEConfig},
		{Name: "create_aggregation_job", Method: http.MethodPost, Path: tasks + "/aggregation_jobs", MediaType: dap.MediaTypeAggregationJobInitReq,
			Limit: h.cfg.MaxJob, Auth: httpapi.Leader, Handler: h.postJobs},
		{Name: "continue_aggregation_job", Method: http.MethodPost, Path: job, MediaType: dap.MediaTypeAggregationJobContinueReq,
			Limit: h.cfg.MaxJob, Auth: httpapi.Leader, Handler: h.postJob},
		{Name: "get_aggregation_job", Method: http.MethodGet, Path: job, Auth: httpapi.Leader, Handler: h.getJob},
		{Name: "delete_aggregation_job", Method: http.MethodDelete, Path: job, Auth: httpapi.Leader, Handler: h.deleteJob},
		{Name: "create_aggregate_share", Method: http.MethodPost, Path: tasks + "/aggregate_shares", MediaType: dap.MediaTypeAggregateShareReq,
			Limit: maxShareRequest, Auth: httpapi.Leader, Handler: h.postShares},
		{Name: "get_aggregate_share", Method: http.MethodGet, Path: share, Auth: httpapi.Leader, Handler: h.getShare},
		{Name: "delete_aggregate_share", Method: http.MethodDelete, Path: share, Auth: httpapi.Leader, Handler: h.deleteShare},
		{Name: "batch_digest", Method: http.MethodGet, Path: candorTasks + "/" + aggregator.ResourceBatchDigest, Auth: httpapi.Leader, Handler: h.getDigest},
		{Name: "batch_reports", Method: http.MethodGet, Path: candorTasks + "/" + aggregator.ResourceBatchReports, Auth: httpapi.Leader, Handler: h.getReports},
	}
}

// Handler returns the Helper's resources as an HTTP handler.
func (h *Helper) Handler() http.Handler { return h.api }

// Routes returns the table of resources, for documents and tests.
func (h *Helper) Routes() []httpapi.Route { return h.api.Routes() }

func (h *Helper) newAPI() (*httpapi.API, error) {
	c := h.cfg.API
	rounds := aggregator.RoundAPI{Tasks: &h.tasks, Store: h.cfg.Store, Role: dap.Helper, Now: h.cfg.Now}
	c.Routes, c.Logger, c.Registry = append(h.routes(), rounds.Routes()...), h.cfg.Logger, h.cfg.Metrics
	c.Authenticate = func(_ context.Context, auth httpapi.Auth, r *httpapi.Request) (bool, error) {
		if auth == aggregator.PartyAuth {
			return rounds.Authenticates(r), nil
		}
		return h.tasks.Authenticates(r, func(t *aggregator.Task) aggregator.Token { return t.PeerToken }), nil
	}
	return httpapi.New(c)
}

func (h *Helper) getHPKEConfig(context.Context, *httpapi.Request) (httpapi.Response, error) {
	return aggregator.HPKEConfigResponse(h.keys.Load(), h.cfg.CacheLifetime), nil
}

func (h *Helper) postJobs(ctx context.Context, r *httpapi.Request) (httpapi.Response, error) {
	t, err := h.tasks.Of(r)
	if err != nil {
		return httpapi.Response{}, err
	}
	j, err := h.createJob(ctx, t, r.Body)
	if err != nil {
		return httpapi.Response{}, err
	}
	r.Log(slog.String("aggregation_job_id", j.ID.String()))
	resp := h.jobResponse(j)
	resp.Location = httpapi.Join(t.Config.HelperEndpoint, "tasks", t.ID.String(), "aggregation_jobs", j.ID.String())
	if j.State == store.JobLive {
		resp.Location += "?step=0"
	}
	return resp, nil
}

// jobResponse shows a job to the Leader: its response, or nothing yet.
func (h *Helper) jobResponse(j store.HelperJob) httpapi.Response {
	if j.State == store.JobLive {
		return httpapi.Response{RetryAfter: h.cfg.RetryAfter}
	}
	return httpapi.Response{MediaType: dap.MediaTypeAggregationJobResp, Body: j.Response}
}

// jobOf returns the job that a request names.
func (h *Helper) jobOf(ctx context.Context, r *httpapi.Request) (*aggregator.Task, store.HelperJob, error) {
	t, err := h.tasks.Of(r)
	if err != nil {
		return nil, store.HelperJob{}, err
	}
	unknown := dap.NewProblem(dap.UnrecognizedAggregationJob, "")
	id, err := dap.ParseAggregationJobID(r.Var("id"))
	if err != nil {
		return t, store.HelperJob{}, unknown
	}
	var j store.HelperJob
	err = h.cfg.Store.View(ctx, "aggregation_job", func(tx store.Tx) (err error) {
		j, err = tx.HelperJob(t.ID, id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return t, j, unknown
	}
	return t, j, err
}

func (h *Helper) getJob(ctx context.Context, r *httpapi.Request) (httpapi.Response, error) {
	_, j, err := h.jobOf(ctx, r)
	if err != nil {
		return httpapi.Response{}, err
	}
	values := r.HTTP.URL.Query()["step"]
	if len(values) != 1 {
		return httpapi.Response{}, dap.NewProblem(dap.InvalidMessage, "a GET of an aggregation job has one step")
	}
	step, err := strconv.ParseUint(values[0], 10, 16)
	if err != nil {
		return httpapi.Response{}, dap.NewProblem(dap.InvalidMessage, "the step is not a number below 65536")
	}
	if step != 0 {
		return httpapi.Response{}, dap.NewProblem(dap.StepMismatch, "the aggregation job is at step 0")
	}
	return h.jobResponse(j), nil
}

// postJob refuses every continuation (DAP, Helper Continuation): a job of Prio3 ends with its first step, so that no report has a state to continue from.
func (h *Helper) postJob(ctx context.Context, r *httpapi.Request) (httpapi.Response, error) {
	if _, _, err := h.jobOf(ctx, r); err != nil {
		return httpapi.Response{}, err
	}
	req, err := httpapi.Parse(r, dap.Parse[dap.AggregationJobContinueReq])
	if err != nil {
		return httpapi.Response{}, err
	}
	if req.Step == 0 {
		return httpapi.Response{}, dap.NewProblem(dap.InvalidMessage, "a continuation has a step greater than 0")
	}
	seen := make(map[dap.ReportID]struct{}, len(req.VerifyContinues))
	for _, v := range req.VerifyContinues {
		if _, twice := seen[v.ReportID]; twice {
			return httpapi.Response{}, dap.NewProblem(dap.InvalidMessage, "report "+v.ReportID.String()+" is in the continuation twice")
		}
		seen[v.ReportID] = struct{}{}
	}
	if req.Step != 1 {
		return httpapi.Response{}, dap.NewProblem(dap.StepMismatch, "the aggregation job is at step 0")
	}
	return httpapi.Response{}, dap.NewProblem(dap.InvalidMessage, "no report of the aggregation job waits for a continuation")
}

// deleteJob frees a job's state; what was committed, and is remembered against replays, stays (DAP, Aggregation Job Abandonment and Deletion).
func (h *Helper) deleteJob(ctx context.Context, r *httpapi.Request) (httpapi.Response, error) {
	t, err := h.tasks.Of(r)
	if err != nil {
		return httpapi.Response{}, err
	}
	id, err := dap.ParseAggregationJobID(r.Var("id"))
	if err != nil {
		return httpapi.Response{}, dap.NewProblem(dap.UnrecognizedAggregationJob, "")
	}
	return httpapi.Response{}, h.cfg.Store.Update(ctx, "delete_aggregation_job", func(tx store.Tx) error { return tx.DeleteHelperJob(t.ID, id) })
}

func (h *Helper) postShares(ctx context.Context, r *httpapi.Request) (httpapi.Response, error) {
	t, err := h.tasks.Of(r)
	if err != nil {
		return httpapi.Response{}, err
	}
	a, err := h.createShare(ctx, t, r.Body)
	if err != nil {
		return httpapi.Response{}, err
	}
	return httpapi.Response{MediaType: dap.MediaTypeAggregateShare, Body: a.Response,
		Location: httpapi.Join(t.Config.HelperEndpoint, "tasks", t.ID.String(), "aggregate_shares", a.ID.String())}, nil
}

func (h *Helper) getShare(ctx context.Context, r *httpapi.Request) (httpapi.Response, error) {
	t, id, err := h.shareOf(r)
	if err != nil {
		return httpapi.Response{}, err
	}
	var a store.ShareAnswer
	err = h.cfg.Store.View(ctx, "aggregate_share", func(tx store.Tx) (err error) {
		a, err = tx.ShareAnswer(t.ID, id)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		err = errNoShare
	}
	return httpapi.Response{MediaType: dap.MediaTypeAggregateShare, Body: a.Response}, err
}

var errNoShare = dap.NewStatusProblem(http.StatusNotFound, "there is no such aggregate share, or it was deleted")

// deleteShare frees an answer; the batch stays collected (DAP, Aggregate Share Deletion).
func (h *Helper) deleteShare(ctx context.Context, r *httpapi.Request) (httpapi.Response, error) {
	t, id, err := h.shareOf(r)
	if err != nil {
		return httpapi.Response{}, err
	}
	return httpapi.Response{}, h.cfg.Store.Update(ctx, "delete_aggregate_share", func(tx store.Tx) error { return tx.DeleteShareAnswer(t.ID, id) })
}

func (h *Helper) shareOf(r *httpapi.Request) (*aggregator.Task, dap.AggregateShareID, error) {
	t, err := h.tasks.Of(r)
	if err != nil {
		return nil, dap.AggregateShareID{}, err
	}
	id, err := dap.ParseAggregateShareID(r.Var("id"))
	if err != nil {
		return nil, id, errNoShare
	}
	return t, id, nil
}

func (h *Helper) getDigest(ctx context.Context, r *httpapi.Request) (httpapi.Response, error) {
	t, batch, _, err := h.batchQuery(r)
	if err != nil {
		return httpapi.Response{}, err
	}
	d, err := h.digest(ctx, t, batch)
	if err != nil {
		return httpapi.Response{}, err
	}
	body, err := json.Marshal(d)
	return httpapi.Response{MediaType: aggregator.MediaTypeJSON, Body: body}, err
}

func (h *Helper) getReports(ctx context.Context, r *httpapi.Request) (httpapi.Response, error) {
	t, batch, after, err := h.batchQuery(r)
	if err != nil {
		return httpapi.Response{}, err
	}
	reports, err := h.reports(ctx, t, batch, after)
	if err != nil {
		return httpapi.Response{}, err
	}
	body, err := json.Marshal(reports)
	return httpapi.Response{MediaType: aggregator.MediaTypeJSON, Body: body}, err
}

// batchQuery reads the query of the two resources about a batch.
func (h *Helper) batchQuery(r *httpapi.Request) (*aggregator.Task, store.Batch, *dap.ReportID, error) {
	t, err := h.tasks.Of(r)
	if err != nil {
		return nil, store.Batch{}, nil, err
	}
	selector, after, err := aggregator.ParseBatchQuery(r.HTTP.URL.Query())
	if err != nil {
		return nil, store.Batch{}, nil, err
	}
	if selector.BatchMode != t.Config.BatchMode {
		return nil, store.Batch{}, nil, dap.NewProblem(dap.InvalidMessage, "the batch selector has another batch mode than the task")
	}
	batch, err := batchOf(t, selector)
	return t, batch, after, err
}
