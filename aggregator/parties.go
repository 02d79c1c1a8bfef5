package aggregator

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"candor/aggregator/httpapi"
	"candor/aggregator/store"
	"candor/crypto/sign"
	"candor/schema/dap"
	"candor/schema/round"
)

// PartyAuth is the Auth of resources that are for the parties of a round: its members and its secretariat, by a signature on each request
// (see [round.SignRequest]).
const PartyAuth httpapi.Auth = "party"

// Secretariat is the name by which the secretariat signs requests. No member has it: roster ids of that name are not accepted.
const Secretariat = "secretariat"

// party returns who signed a request to a resource of the task; "" if nobody that the round knows did.
func (t *Task) party(r *httpapi.Request, now time.Time) string {
	if t == nil || t.Round == nil {
		return ""
	}
	who, err := round.VerifyRequest(r.HTTP.Header.Get(round.RequestHeader), r.HTTP.Method, r.HTTP.URL.Path, now, func(who string) (sign.PublicKey, bool) {
		if who == Secretariat {
			return t.Round.secretariat, true
		}
		m, ok := t.Round.members[who]
		return m.key, ok
	})
	if err != nil {
		return ""
	}
	return who
}

// A RoundAPI serves what only rounds have, and what DAP has no carrier for: receipts, who has sent, statements.
type RoundAPI struct {
	Tasks *Tasks
	Store store.Store
	Role  dap.Role
	Now   func() time.Time
}

const roundTasks = "/candor/tasks/" + httpapi.TaskID

// Routes returns the resources; the paths are relative to the Aggregator's base URL.
func (a RoundAPI) Routes() []httpapi.Route {
	return []httpapi.Route{
		{Name: "get_receipt", Method: http.MethodGet, Path: roundTasks + "/receipts/{id:[a-z0-9-]{1,40}}", Auth: PartyAuth, Handler: a.getReceipt},
		{Name: "get_members", Method: http.MethodGet, Path: roundTasks + "/members", Auth: PartyAuth, Handler: a.getMembers},
		{Name: "get_statement", Method: http.MethodGet, Path: roundTasks + "/statement", Auth: PartyAuth, Handler: a.getStatement},
	}
}

// Authenticates says whether a request is signed by a party of its task's round.
func (a RoundAPI) Authenticates(r *httpapi.Request) bool {
	id, err := r.TaskID()
	return err == nil && a.Tasks.Get(id).party(r, a.Now()) != ""
}

// caller returns the task of an authenticated request and who made it.
func (a RoundAPI) caller(r *httpapi.Request) (*Task, string, error) {
	t, err := a.Tasks.Of(r)
	if err != nil {
		return nil, "", err
	}
	who := t.party(r, a.Now())
	if who == "" { // the signature has become too old since it was judged
		return nil, "", dap.NewStatusProblem(http.StatusUnauthorized, "sign the request again")
	}
	return t, who, nil
}

// getReceipt gives a member, or the secretariat, the receipt for the member's report.
func (a RoundAPI) getReceipt(ctx context.Context, r *httpapi.Request) (httpapi.Response, error) {
	t, who, err := a.caller(r)
	if err != nil {
		return httpapi.Response{}, err
	}
	member := r.Var("id")
	if who != member && who != Secretariat {
		return httpapi.Response{}, dap.NewStatusProblem(http.StatusForbidden, "a receipt is for its member and the secretariat")
	}
	var s store.Submission
	err = a.Store.View(ctx, "receipt", func(tx store.Tx) (err error) {
		s, err = tx.Submission(t.ID, member)
		return err
	})
	if errors.Is(err, store.ErrNotFound) || err == nil && s.Report == void {
		return httpapi.Response{}, dap.NewStatusProblem(http.StatusNotFound, "no report of this member is here")
	}
	if err != nil {
		return httpapi.Response{}, err
	}
	return jsonResponse(round.NewReceipt(t.Round.Identity, roleName(a.Role), t.ID, member, s.Correction, s.Report, s.Received, s.Aggregated))
}

// A MemberState says of a member that it has sent, never what.
type MemberState struct {
	Member     string     `json:"member"`
	Sent       bool       `json:"sent"`
	Correction uint64     `json:"correction"`
	Received   *time.Time `json:"received,omitempty"`
	Counted    bool       `json:"counted"`
}

// getMembers tells the secretariat who has sent.
func (a RoundAPI) getMembers(ctx context.Context, r *httpapi.Request) (httpapi.Response, error) {
	t, who, err := a.caller(r)
	if err != nil {
		return httpapi.Response{}, err
	}
	if who != Secretariat {
		return httpapi.Response{}, dap.NewStatusProblem(http.StatusForbidden, "who has sent is for the secretariat")
	}
	var list []store.Submission
	err = a.Store.View(ctx, "members", func(tx store.Tx) (err error) {
		list, err = tx.Submissions(t.ID)
		return err
	})
	if err != nil {
		return httpapi.Response{}, err
	}
	sent := make(map[string]store.Submission, len(list))
	for _, s := range list {
		sent[s.Member] = s
	}
	states := make([]MemberState, 0, len(t.Round.Document.Roster))
	for _, m := range t.Round.Document.Roster {
		state := MemberState{Member: m.ID}
		if s, ok := sent[m.ID]; ok && s.Report != void {
			state = MemberState{m.ID, true, s.Correction, &s.Received, s.Aggregated}
		}
		states = append(states, state)
	}
	return jsonResponse(states)
}

// A StatementAnswer is what get_statement answers.
type StatementAnswer struct {
	Statement json.RawMessage `json:"statement"` // a release.SignedStatement
	Salts     []byte          `json:"salts"`     // of the commitment, sealed to the Collector
}

// getStatement gives any party the statement on the task's batch.
func (a RoundAPI) getStatement(ctx context.Context, r *httpapi.Request) (httpapi.Response, error) {
	t, _, err := a.caller(r)
	if err != nil {
		return httpapi.Response{}, err
	}
	var s store.Statement
	err = a.Store.View(ctx, "statement", func(tx store.Tx) (err error) {
		s, err = tx.Statement(t.ID)
		return err
	})
	if errors.Is(err, store.ErrNotFound) {
		return httpapi.Response{}, dap.NewStatusProblem(http.StatusNotFound, "the batch was not collected yet")
	}
	if err != nil {
		return httpapi.Response{}, err
	}
	return jsonResponse(StatementAnswer{s.Text, s.Salts})
}

func jsonResponse(v any) (httpapi.Response, error) {
	body, err := json.Marshal(v)
	return httpapi.Response{MediaType: "application/json", Body: body}, err
}
