package leader

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"candor/aggregator"
	"candor/aggregator/httpapi"
	"candor/aggregator/store"
	"candor/schema/dap"
)

const tasks = "/tasks/" + httpapi.TaskID

// maxCollectionRequest bounds a collection job request: a query and extensions.
const maxCollectionRequest = 128 << 10

// routes is the table of the Leader's resources (DAP, Protocol Resources).
func (l *Leader) routes() []httpapi.Route {
	return []httpapi.Route{
		{Name: "hpke_config", Method: http.MethodGet, Path: "/hpke_config", Handler: l.getHPKEConfig},
		{Name: "upload", Method: http.MethodPost, Path: tasks + "/reports", MediaType: dap.MediaTypeUploadReq, Limit: l.cfg.MaxUpload, Handler: l.postReports},
		{Name: "create_collection_job", Method: http.MethodPost, Path: tasks + "/collection_jobs", MediaType: dap.MediaTypeCollectionJobReq, Limit: maxCollectionRequest,
			Auth: httpapi.Collector, Handler: l.postCollectionJob},
		{Name: "get_collection_job", Method: http.MethodGet, Path: tasks + "/collection_jobs/" + httpapi.ResourceID, Auth: httpapi.Collector, Handler: l.getCollectionJob},
		{Name: "delete_collection_job", Method: http.MethodDelete, Path: tasks + "/collection_jobs/" + httpapi.ResourceID, Auth: httpapi.Collector, Handler: l.deleteCollectionJob},
	}
}

func (l *Leader) getHPKEConfig(context.Context, *httpapi.Request) (httpapi.Response, error) {
	return aggregator.HPKEConfigResponse(l.keys.Load(), l.cfg.CacheLifetime), nil
}

func (l *Leader) postReports(ctx context.Context, r *httpapi.Request) (httpapi.Response, error) {
	t, err := l.tasks.Of(r)
	if err != nil {
		return httpapi.Response{}, err
	}
	refused, err := l.upload(ctx, t, r.Body)
	if err != nil {
		return httpapi.Response{}, err
	}
	r.Log(slog.Int("refused", len(refused)))
	if len(refused) == 0 {
		return httpapi.Response{}, nil
	}
	body, err := dap.Marshal(refused)
	return httpapi.Response{MediaType: dap.MediaTypeUploadErrors, Body: body}, err
}

func (l *Leader) postCollectionJob(ctx context.Context, r *httpapi.Request) (httpapi.Response, error) {
	t, err := l.tasks.Of(r)
	if err != nil {
		return httpapi.Response{}, err
	}
	job, err := l.createCollection(ctx, t, r.Body)
	if err != nil {
		return httpapi.Response{}, err
	}
	if job, err = l.await(ctx, t, job); err != nil {
		return httpapi.Response{}, err
	}
	r.Log(slog.String("collection_job_id", job.ID.String()))
	resp, err := l.collectionResponse(t, job)
	resp.Location = httpapi.Join(t.Config.LeaderEndpoint, "tasks", t.ID.String(), "collection_jobs", job.ID.String())
	return resp, err
}

// await waits for the result of a new job for as long as the configuration says, for Collectors that like their answer at once.
func (l *Leader) await(ctx context.Context, t *aggregator.Task, job store.CollectionJob) (store.CollectionJob, error) {
	if l.cfg.CollectWait <= 0 || job.State != store.JobLive {
		return job, nil
	}
	deadline := time.NewTimer(l.cfg.CollectWait)
	defer deadline.Stop()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return job, ctx.Err()
		case <-deadline.C:
			return job, nil
		case <-look.C:
			now, err := l.collection(ctx, t, job.ID)
			if err != nil || now.State != store.JobLive {
				return now, err
			}
		}
	}
}

func (l *Leader) getCollectionJob(ctx context.Context, r *httpapi.Request) (httpapi.Response, error) {
	t, id, err := l.collectionJobOf(r)
	if err != nil {
		return httpapi.Response{}, err
	}
	job, err := l.collection(ctx, t, id)
	if err != nil {
		return httpapi.Response{}, err
	}
	return l.collectionResponse(t, job)
}

func (l *Leader) deleteCollectionJob(ctx context.Context, r *httpapi.Request) (httpapi.Response, error) {
	t, id, err := l.collectionJobOf(r)
	if err != nil {
		return httpapi.Response{}, err
	}
	return httpapi.Response{}, l.deleteCollection(ctx, t, id)
}

func (l *Leader) collectionJobOf(r *httpapi.Request) (*aggregator.Task, dap.CollectionJobID, error) {
	t, err := l.tasks.Of(r)
	if err != nil {
		return nil, dap.CollectionJobID{}, err
	}
	id, err := dap.ParseCollectionJobID(r.Var("id"))
	if err != nil {
		return nil, id, dap.NewStatusProblem(http.StatusNotFound, "there is no such collection job")
	}
	return t, id, nil
}

// collectionResponse shows a job to the Collector: its result, the error it ended with, or nothing yet.
func (l *Leader) collectionResponse(t *aggregator.Task, job store.CollectionJob) (httpapi.Response, error) {
	switch job.State {
	case store.JobFinished:
		return httpapi.Response{MediaType: dap.MediaTypeCollectionJobResp, Body: job.Response}, nil
	case store.JobAbandoned:
		problem, err := dap.ParseProblem(job.Problem)
		if err != nil {
			return httpapi.Response{}, err
		}
		return httpapi.Response{}, problem
	}
	return httpapi.Response{RetryAfter: l.cfg.RetryAfter}, nil
}

// Handler returns the Leader's resources as an HTTP handler.
func (l *Leader) Handler() http.Handler { return l.api }

// Routes returns the table of resources, for documents and tests.
func (l *Leader) Routes() []httpapi.Route { return l.api.Routes() }

func (l *Leader) newAPI() (*httpapi.API, error) {
	c := l.cfg.API
	rounds := aggregator.RoundAPI{Tasks: &l.tasks, Store: l.cfg.Store, Role: dap.Leader, Now: l.cfg.Now}
	c.Routes, c.Logger, c.Registry = append(l.routes(), rounds.Routes()...), l.cfg.Logger, l.cfg.Metrics
	c.Authenticate = func(_ context.Context, auth httpapi.Auth, r *httpapi.Request) (bool, error) {
		if auth == aggregator.PartyAuth {
			return rounds.Authenticates(r), nil
		}
		return l.tasks.Authenticates(r, func(t *aggregator.Task) aggregator.Token { return t.CollectorToken }), nil
	}
	return httpapi.New(c)
}
