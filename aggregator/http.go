package aggregator

import (
	"strconv"
	"time"

	"candor/aggregator/httpapi"
	"candor/schema/dap"
)

// HPKEConfigResponse returns the answer to a request for HPKE configurations (DAP, HPKE Configuration Request).
func HPKEConfigResponse(ring *Keyring, lifetime time.Duration) httpapi.Response {
	return httpapi.Response{
		MediaType:    dap.MediaTypeHpkeConfigList,
		Body:         ring.Encoded(),
		CacheControl: "max-age=" + strconv.FormatInt(int64(lifetime/time.Second), 10),
	}
}

// Of returns the task that a request names. The error is a problem.
func (ts *Tasks) Of(r *httpapi.Request) (*Task, error) {
	id, err := r.TaskID()
	if err != nil {
		return nil, err
	}
	if t := ts.Get(id); t != nil {
		return t, nil
	}
	return nil, dap.NewProblem(dap.UnrecognizedTask, "")
}

// Authenticates says whether a request comes from who holds the token of the task that it names. Who holds the token of any task may know that a task
// is not there; to everybody else an unknown task looks like a wrong token. It takes as long for either.
func (ts *Tasks) Authenticates(r *httpapi.Request, token func(*Task) Token) bool {
	id, err := dap.ParseTaskID(r.Var("task_id"))
	known, ofTask, ofAny := false, false, false
	for _, t := range ts.All() {
		holds := r.Presents(token(t).Reveal())
		ofAny = ofAny || holds
		if err == nil && t.ID == id {
			known, ofTask = true, holds
		}
	}
	if known {
		return ofTask
	}
	return ofAny
}
