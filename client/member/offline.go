package member

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"candor/client"
	"candor/schema/dap"
	"candor/schema/round"
)

// A Parcel is a submission that was sealed on one machine to be uploaded by another, which needs no key and can read nothing in it: the
// round, signed, and sealed reports.
type Parcel struct {
	Format  string          `json:"format"`
	Member  string          `json:"member"`
	Round   json.RawMessage `json:"round"`
	Reports []ParcelReport  `json:"reports"`
}

// A ParcelReport is one sealed report.
type ParcelReport struct {
	Instrument string `json:"instrument"`
	Part       string `json:"part"`
	Bytes      []byte `json:"report"`
}

const parcelFormat = "candor-parcel/1"

// Seal makes a parcel of what a draft shows. It makes no request: the comparison with the Leader, which would show that the ledger is an old
// copy, is not made. What was sealed counts as sent; Status finds out whether it arrived.
func (m *Member) Seal(ctx context.Context, d *Draft) (*Parcel, error) {
	if err := m.mayLeave(d); err != nil {
		return nil, err
	}
	o, err := m.loadOutbox(d.Round)
	if err != nil {
		return nil, err
	}
	if err := m.sealAll(ctx, d, o); err != nil {
		return nil, err
	}
	p := &Parcel{Format: parcelFormat, Member: m.cfg.ID, Round: bytes.TrimSpace(d.Round.Encode())}
	for i := range d.Parts {
		if it := o.find(d.Parts[i].part); !it.Received {
			it.Offline = true
			p.Reports = append(p.Reports, ParcelReport{it.Instrument, it.Part, it.Bytes})
		}
	}
	return p, m.saveOutbox(d.Round, o)
}

// Encode returns the file form of a parcel.
func (p *Parcel) Encode() ([]byte, error) {
	text, err := json.Marshal(p)
	return append(text, '\n'), err
}

// ParseParcel reads a parcel. Its round's signatures are not checked: whoever uploads it trusts it with nothing.
func ParseParcel(text []byte) (*Parcel, error) {
	var p Parcel
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&p); err != nil {
		return nil, fmt.Errorf("reading a sealed submission: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("reading a sealed submission: there is more text after it")
	}
	if p.Format != parcelFormat {
		return nil, fmt.Errorf("reading a sealed submission: its format is %q, this program reads %q", p.Format, parcelFormat)
	}
	for _, r := range p.Reports {
		if _, err := dap.Parse[dap.Report](r.Bytes); err != nil {
			return nil, fmt.Errorf("reading a sealed submission: the report of %s/%s: %w", r.Instrument, r.Part, err)
		}
	}
	return &p, nil
}

// A Courier says how a parcel is uploaded.
type Courier struct {
	HTTP      *http.Client     // nil: Go's default
	PlainHTTP bool             // allow http:// URLs to other machines: test profiles only
	Now       func() time.Time // nil: time.Now
	Logger    *slog.Logger     // nil: discard
	Attempts  int              // 0: the client's default
}

// Upload sends the reports of a parcel to the Leader that its round names. A parcel may be uploaded any number of times: each report counts once. progress may
// be nil. The error joins what happened to single reports.
func (c Courier) Upload(ctx context.Context, p *Parcel, progress func(done, total int)) error {
	signed, err := round.ParseSigned(p.Round)
	if err != nil {
		return err
	}
	d := signed.Document
	tasks, err := signed.Tasks()
	if err != nil {
		return err
	}
	leader, err := round.ParseHPKE(d.Leader.HPKE)
	if err != nil {
		return err
	}
	helper, err := round.ParseHPKE(d.Helper.HPKE)
	if err != nil {
		return err
	}
	byPart := map[[2]string]*round.Task{}
	for i := range d.Parts {
		byPart[[2]string{d.Parts[i].Instrument, d.Parts[i].Name}] = tasks[i]
	}
	var errs []error
	for i, r := range p.Reports {
		if err := c.upload(ctx, byPart[[2]string{r.Instrument, r.Part}], leader, helper, r); err != nil {
			errs = append(errs, fmt.Errorf("uploading %s/%s: %w", r.Instrument, r.Part, err))
		}
		if progress != nil {
			progress(i+1, len(p.Reports))
		}
	}
	return errors.Join(errs...)
}

func (c Courier) upload(ctx context.Context, task *round.Task, leader, helper dap.HpkeConfig, r ParcelReport) error {
	if task == nil {
		return errors.New("the round has no such part")
	}
	report, err := dap.Parse[dap.Report](r.Bytes)
	if err != nil {
		return err
	}
	cl, err := client.New(client.Config{Task: task, LeaderHPKE: leader, HelperHPKE: helper, HTTP: c.HTTP, PlainHTTP: c.PlainHTTP, Now: c.Now, Logger: c.Logger, Attempts: c.Attempts})
	if err != nil {
		return err
	}
	refused, err := cl.Upload(ctx, report)
	if err != nil {
		return err
	}
	for _, refusal := range refused {
		if refusal.Error != dap.ErrorReportReplayed { // it was there already
			return explain(refusal.Error)
		}
	}
	return nil
}
