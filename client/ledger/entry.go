package ledger

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// Format names the form of the file; a reader refuses every other.
const Format = "candor-ledger/1"

// An Entry is one line of a ledger. Exactly one of its events is set.
type Entry struct {
	Seq  uint64    `json:"seq"`  // 1, 2, 3, …
	Prev string    `json:"prev"` // SHA-256 (hex) of the line before, zeros before the first
	Time time.Time `json:"time"` // whole seconds, UTC; by this machine's clock

	Opening  *Opening  `json:"opening,omitempty"`
	Adoption *Adoption `json:"adoption,omitempty"`
	Charge   *Charge   `json:"charge,omitempty"`
	Send     *Send     `json:"send,omitempty"`
	Void     *Void     `json:"void,omitempty"`
}

// An Opening begins a ledger.
type Opening struct {
	Format string `json:"format"`
	ID     string `json:"id"` // random, hex
	Member string `json:"member"`
	Policy string `json:"policy"` // its text
}

// An Adoption replaces the policy.
type Adoption struct {
	Policy    string     `json:"policy"`
	Approvals []Approval `json:"approvals,omitempty"`
}

// A Round is what the ledger remembers of a round.
type Round struct {
	ID         string    `json:"id"`
	Hash       string    `json:"hash"` // of the round document, hex
	Supersedes string    `json:"supersedes,omitempty"`
	First      string    `json:"first"` // of the period, a date
	Last       string    `json:"last"`
	Closes     time.Time `json:"closes"`
}

// A Charge is what one vector tells: privacy spent, from when it is written, unless it is voided.
type Charge struct {
	Round      Round  `json:"round"`
	Instrument string `json:"instrument"`
	Part       string `json:"part"`
	Parameters string `json:"parameters"` // SHA-256 (hex) of all that the noise and the cells' meaning depend on
	Vector     string `json:"vector"`     // SHA-256 (hex) of ledger id and true values

	Population string  `json:"population,omitempty"`
	Unit       string  `json:"unit"`
	Mechanism  string  `json:"mechanism"`
	Place      string  `json:"place,omitempty"`
	Epsilon    string  `json:"epsilon"` // rational; "0" without noise
	Delta      string  `json:"delta"`
	Rho        float64 `json:"rho"`
	Offset     uint64  `json:"offset"`

	Noisy []int64 `json:"noisy,omitempty"` // values with noise, without offset; where the member adds noise
}

// A Send says that reports with a charge's values may have left, under a correction number.
type Send struct {
	Charge     uint64 `json:"charge"` // Seq of the charge
	Round      Round  `json:"round"`  // of the reports; a revision may reuse an older round's charge
	Correction uint64 `json:"correction"`
}

// A Void takes a charge back of which nothing was sent.
type Void struct {
	Charge uint64 `json:"charge"`
	Reason string `json:"reason"`
}

// encode returns the entry's line, without the line end.
func (e Entry) encode() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, fmt.Errorf("encoding a ledger entry: %w", err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// parseEntry reads a line. There is one line for each entry: what encode would write otherwise is refused.
func parseEntry(line []byte) (Entry, error) {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	var e Entry
	if err := dec.Decode(&e); err != nil {
		return e, fmt.Errorf("it does not parse: %w", err)
	}
	again, err := e.encode()
	if err != nil {
		return e, err
	}
	if !bytes.Equal(line, again) {
		return e, fmt.Errorf("it is not in the form in which entries are written")
	}
	return e, nil
}

func hashLine(line []byte) string {
	h := sha256.Sum256(line)
	return hex.EncodeToString(h[:])
}
