package collect

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"candor/client"
	"candor/client/collector"
	"candor/crypto/sign"
	"candor/schema/dap"
	"candor/schema/release"
	"candor/schema/round"
)

// A server is one aggregator as the round document names it.
type server struct {
	role     dap.Role
	name     string
	of       round.Aggregator
	identity sign.PublicKey
}

// servers returns Leader and Helper, in the order of a batch's arrays.
func (r *Round) servers() [2]server {
	return [2]server{
		{dap.Leader, release.Leader, r.document.Leader, r.leader},
		{dap.Helper, release.Helper, r.document.Helper, r.helper},
	}
}

// resource gets a resource of a task that is for parties of the round.
func (r *Round) resource(ctx context.Context, s server, t *task, name string, limit int64) ([]byte, error) {
	url, err := client.Resource(s.of.Endpoint, "candor", "tasks", t.ID.String(), name)
	if err != nil {
		return nil, err
	}
	resp, err := r.caller.Do(ctx, client.Request{Method: http.MethodGet, URL: url, MaxResponse: limit})
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

// An answer is what an aggregator answers to the request for its statement.
type answer struct {
	Statement json.RawMessage `json:"statement"`
	Salts     []byte          `json:"salts"` // sealed to the Collector
}

// statement gets and keeps the statement of one server, unless it is kept.
func (r *Round) statement(ctx context.Context, t *task, i int, s server) error {
	if len(t.kept.Answers[i]) > 0 {
		return nil
	}
	r.cfg.Progress(t.name(), "asking the "+s.name+" for its statement")
	text, err := r.resource(ctx, s, t, "statement", 8<<10+4*int64(len(t.part.Cells))*(release.SaltSize+16))
	if err != nil {
		problem, ok := errors.AsType[*dap.Problem](err)
		switch {
		case ok && problem.Status == http.StatusNotFound:
			err = fmt.Errorf("it has given its share and no statement: its operator, %s, must run `candor store check`: %w", s.of.Operator, err)
		case ok && problem.Status == http.StatusUnauthorized:
			err = fmt.Errorf("it does not accept the secretariat's signature: compare the clocks, and the fingerprints with its operator, %s: %w", s.of.Operator, err)
		case ctx.Err() != nil:
			return waiting(t.name())
		}
		return fmt.Errorf("%s: statement of the %s: %w", t.name(), s.name, err)
	}
	if _, _, err := r.open(t, text, s); err != nil {
		return fmt.Errorf("%s: statement of the %s: %w; its operator, %s, must explain it", t.name(), s.name, err, s.of.Operator)
	}
	t.kept.Answers[i] = text
	return r.save(t)
}

// saltsInfo separates sealed salts from all else that is sealed to the Collector.
const saltsInfo = "candor/1 salts"

// open parses an answer, checks the statement's signature, and opens the salts: one for each cell.
func (r *Round) open(t *task, text []byte, s server) (release.SignedStatement, []byte, error) {
	var a answer
	var statement release.SignedStatement
	if err := strict(text, &a); err != nil {
		return statement, nil, err
	}
	if err := strict(a.Statement, &statement); err != nil {
		return statement, nil, err
	}
	if err := statement.Verify(s.identity); err != nil {
		return statement, nil, err
	}
	sealed, err := dap.Parse[dap.HpkeCiphertext](a.Salts)
	if err != nil {
		return statement, nil, fmt.Errorf("the salts: %w", err)
	}
	salts, err := r.cfg.Key.Open(sealed.Enc, append([]byte(saltsInfo), byte(s.role)), t.ID[:], sealed.Payload)
	if err != nil {
		return statement, nil, fmt.Errorf("the salts: %w", err)
	}
	if len(salts) != release.SaltSize*len(t.part.Cells) {
		return statement, nil, fmt.Errorf("the salts: %d bytes for %d cells", len(salts), len(t.part.Cells))
	}
	return statement, salts, nil
}

// strict parses one JSON value with known members only.
func strict(text []byte, v any) error {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("it is not JSON of this kind: %w", err)
	}
	if dec.More() {
		return errors.New("there is text behind it")
	}
	return nil
}

// batch opens and checks what is kept of a complete task.
func (r *Round) batch(ctx context.Context, t *task) (release.Batch, error) {
	b := release.Batch{Task: t.ID, Reports: t.kept.Sent, Refused: t.kept.Refused}
	if b.Refused != "" {
		return b, nil
	}
	fail := func(err error) (release.Batch, error) { return release.Batch{}, fmt.Errorf("%s: %w", t.name(), err) }
	job, err := collector.ParseJob(t.kept.Job)
	if err != nil {
		return fail(err)
	}
	result, err := t.collector.Poll(ctx, job) // opens what is there without asking anybody
	if err != nil {
		return fail(err)
	}
	b.Reports = result.ReportCount
	if uint64(len(t.kept.Counted)) == b.Reports { // else nobody knows whose they are
		b.Members = t.kept.Counted
	}
	for i, s := range r.servers() {
		var salts []byte
		if b.Statements[i], salts, err = r.open(t, t.kept.Answers[i], s); err != nil {
			return fail(fmt.Errorf("statement of the %s: %w", s.name, err))
		}
		if b.Leaves[i], err = leaves(result.Shares[i], salts); err != nil {
			return fail(fmt.Errorf("share of the %s: %w", s.name, err))
		}
	}
	if err := b.Check(r.hash, r.leader, r.helper); err != nil {
		return fail(fmt.Errorf("nothing can be released of it, and both operators must explain it: %w", err))
	}
	return b, nil
}

// leaves pairs the elements of a share with their salts.
func leaves(share, salts []byte) ([]release.Leaf, error) {
	n := len(salts) / release.SaltSize
	if n == 0 || len(share)%n != 0 || len(share) == 0 {
		return nil, fmt.Errorf("%d bytes are not the share of %d cells", len(share), n)
	}
	size := len(share) / n
	list := make([]release.Leaf, n)
	for i := range list {
		list[i] = release.Leaf{Salt: [release.SaltSize]byte(salts[release.SaltSize*i:]), Element: share[size*i : size*(i+1)]}
	}
	return list, nil
}

// A memberState is what the Leader says of a member: that it sent and was counted, never what.
type memberState struct {
	Member  string `json:"member"`
	Sent    bool   `json:"sent"`
	Counted bool   `json:"counted"`
}

// members asks the Leader who has sent.
func (r *Round) members(ctx context.Context, t *task) (members []memberState, err error) {
	r.cfg.Progress(t.name(), "asking the Leader who has sent")
	text, err := r.resource(ctx, r.servers()[0], t, "members", 1<<20)
	if err == nil {
		err = json.Unmarshal(text, &members)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: who has sent, from the Leader: %w", t.name(), err)
	}
	return members, nil
}
