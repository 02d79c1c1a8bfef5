package member

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"candor/client"
	"candor/crypto/sign"
	"candor/schema/dap"
	"candor/schema/round"
)

// maxReceipt bounds a receipt in bytes.
const maxReceipt = 16 << 10

// errNoReceipt says that a server has no report of this member.
var errNoReceipt = errors.New("no report of this member is there")

// fetchReceipt asks one of the aggregators for its receipt for a part and verifies it: signature, role, task and member.
func (m *Member) fetchReceipt(ctx context.Context, r *Round, p *part, role string) (round.Receipt, error) {
	endpoint, key := r.Document.Leader.Endpoint, r.leader
	if role == round.ByHelper {
		endpoint, key = r.Document.Helper.Endpoint, r.helper
	}
	receipt, err := m.requestReceipt(ctx, endpoint, key, p, role)
	if err != nil {
		return round.Receipt{}, fmt.Errorf("fetching the %s's receipt for %s: %w", role, p.name(), err)
	}
	return receipt, nil
}

func (m *Member) requestReceipt(ctx context.Context, endpoint string, key sign.PublicKey, p *part, role string) (receipt round.Receipt, err error) {
	url, err := client.Resource(endpoint, "candor", "tasks", p.task.ID.String(), "receipts", m.cfg.ID)
	if err != nil {
		return receipt, err
	}
	caller := &client.Caller{
		HTTP: m.cfg.HTTP, PlainHTTP: m.cfg.PlainHTTP, Attempts: m.cfg.Attempts, MaxWait: m.cfg.MaxWait, Now: m.cfg.Now, Logger: m.log,
		Authorize: func(req *http.Request) {
			req.Header.Set(round.RequestHeader, round.SignRequest(m.cfg.Key, m.cfg.ID, req.Method, req.URL.Path, m.cfg.Now()))
		},
	}
	resp, err := caller.Do(ctx, client.Request{Method: http.MethodGet, URL: url, MaxResponse: maxReceipt})
	if problem, ok := errors.AsType[*dap.Problem](err); ok {
		switch problem.Status {
		case http.StatusNotFound:
			return receipt, errNoReceipt
		case http.StatusUnauthorized, http.StatusForbidden:
			return receipt, fmt.Errorf("the server does not recognise this member (is this machine's clock right, %s?): %w", m.cfg.Now().UTC().Format(time.RFC3339), err)
		}
	}
	if err != nil {
		return receipt, err
	}
	if receipt, err = ParseReceipt(resp.Body); err != nil {
		return receipt, err
	}
	if err := receipt.Verify(key); err != nil {
		return receipt, err
	}
	if receipt.Role != role || receipt.Task != p.task.ID.String() || receipt.Member != m.cfg.ID {
		return receipt, fmt.Errorf("the answer is a receipt of the %s for task %s and member %s, another than was asked for", receipt.Role, receipt.Task, receipt.Member)
	}
	return receipt, nil
}

// ParseReceipt reads a receipt, as an aggregator answers it and as the directory keeps it. It checks no signature.
func ParseReceipt(text []byte) (receipt round.Receipt, err error) {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&receipt); err != nil {
		return round.Receipt{}, fmt.Errorf("reading a receipt: %w", err)
	}
	if _, err := dec.Token(); err == nil {
		return round.Receipt{}, errors.New("reading a receipt: there is more text after it")
	}
	return receipt, nil
}

// keepReceipt saves a verified receipt.
func (m *Member) keepReceipt(r *Round, p *part, receipt round.Receipt) error {
	text, err := json.MarshalIndent(receipt, "", "  ")
	if err == nil {
		err = writeFile(m.path("receipts", r.Document.ID, p.Instrument+"."+p.Name+"."+receipt.Role+".json"), append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keeping the %s's receipt for %s: %w", receipt.Role, p.name(), err)
	}
	return nil
}
