package member

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"candor/schema/dap"
)

// An outbox is what was sealed for a round, part by part: the file sent/ROUND.json. A sealed report is kept, byte for byte, until the Leader's
// receipt for it is here, so that a submission that was interrupted goes on with the same report.
type outbox struct {
	Format string `json:"format"`
	Round  string `json:"round"` // hash of the document, hex
	Items  []item `json:"parts"`
}

const outboxFormat = "candor-sent/1"

// An item is the newest report of one part.
type item struct {
	Instrument string    `json:"instrument"`
	Part       string    `json:"part"`
	Task       string    `json:"task"`
	Correction uint64    `json:"correction"`
	Report     string    `json:"report"`
	Vector     string    `json:"vector"` // digest of what the report says
	Sealed     time.Time `json:"sealed"`
	Received   bool      `json:"received"`         // the Leader's receipt for this report is here
	Bytes      []byte    `json:"bytes,omitempty"`  // the encoded report, until it is received
	Offline    bool      `json:"offline,omitzero"` // it was given to another machine to upload
}

// loadOutbox reads what was sealed for a round; an empty outbox if nothing was.
func (m *Member) loadOutbox(r *Round) (*outbox, error) {
	fresh := &outbox{Format: outboxFormat, Round: fmt.Sprintf("%x", r.Hash)}
	path := m.path("sent", r.Document.ID+".json")
	text, err := readFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fresh, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading what was sent: %w", err)
	}
	o, err := parseOutbox(text)
	if err != nil {
		return nil, fmt.Errorf("reading what was sent, %s: %w", path, err)
	}
	if o.Round != fresh.Round {
		return nil, fmt.Errorf("reading what was sent: %s belongs to another document of round %s", path, r.Document.ID)
	}
	return o, nil
}

func parseOutbox(text []byte) (*outbox, error) {
	var o outbox
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&o); err != nil {
		return nil, err
	}
	if o.Format != outboxFormat {
		return nil, fmt.Errorf("its format is %q, this program reads %q", o.Format, outboxFormat)
	}
	for i, it := range o.Items {
		if _, err := dap.ParseReportID(it.Report); err != nil {
			return nil, fmt.Errorf("part %d: %w", i+1, err)
		}
		if len(it.Bytes) > 0 {
			if _, err := dap.Parse[dap.Report](it.Bytes); err != nil {
				return nil, fmt.Errorf("part %d: %w", i+1, err)
			}
		}
	}
	return &o, nil
}

func (m *Member) saveOutbox(r *Round, o *outbox) error {
	text, err := json.Marshal(o)
	if err == nil {
		err = writeFile(m.path("sent", r.Document.ID+".json"), append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("keeping what is sent: %w", err)
	}
	return nil
}

// find returns the item of a part, nil if nothing was sealed for it.
func (o *outbox) find(p *part) *item {
	i := slices.IndexFunc(o.Items, func(it item) bool { return it.Instrument == p.Instrument && it.Part == p.Name })
	if i < 0 {
		return nil
	}
	return &o.Items[i]
}

// put adds or replaces the item of a part.
func (o *outbox) put(it item) {
	i := slices.IndexFunc(o.Items, func(old item) bool { return old.Instrument == it.Instrument && old.Part == it.Part })
	if i < 0 {
		o.Items = append(o.Items, it)
	} else {
		o.Items[i] = it
	}
}

// received notes that the Leader has the report; its bytes are of no more use.
func (it *item) received() { it.Received, it.Bytes = true, nil }
