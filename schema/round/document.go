package round

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Format names the form of a document; a reader refuses every other.
const Format = "candor-round/1"

// A Document is everything that members, operators and readers agree to before a round begins. Its bytes are its canonical
// JSON, and its name everywhere is their SHA-256. Text in it is shown to people as it stands.
type Document struct {
	Format     string `json:"format"`
	ID         string `json:"id"`                   // lower-case letters, digits and hyphens, at most 40: part of each task_info
	Rehearsal  bool   `json:"rehearsal"`            // synthetic figures: never released
	Supersedes string `json:"supersedes,omitempty"` // hash (hex) of the released round that this one revises

	Period        Period `json:"period"`
	Window        Window `json:"window"`
	TimePrecision uint64 `json:"time_precision"` // seconds in a unit of DAP time

	Catalogue   Catalogue    `json:"catalogue"`
	Secretariat string       `json:"secretariat"` // public key
	Leader      Aggregator   `json:"leader"`
	Helper      Aggregator   `json:"helper"`
	Collector   string       `json:"collector"` // HPKE configuration, base64url
	Roster      []Member     `json:"roster"`
	Minimum     Minimum      `json:"minimum"`
	Parts       []Part       `json:"parts"`
	Populations []Population `json:"populations"`
	Release     Release      `json:"release"`
}

// A Period is what the figures describe: whole days, the last included.
type Period struct {
	Label string `json:"label"` // "2023", "2026Q1"
	First string `json:"first"` // 2026-01-01
	Last  string `json:"last"`
}

// A Window is when members submit: from Opens until just before Closes, both at whole units of time_precision.
type Window struct {
	Opens  time.Time `json:"opens"`
	Closes time.Time `json:"closes"`
}

// A Catalogue names the metric definitions in force.
type Catalogue struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	Hash    string `json:"hash"` // SHA-256, hex
}

// An Aggregator is one of the two servers and who answers for it.
type Aggregator struct {
	Operator string `json:"operator"` // legal name
	Endpoint string `json:"endpoint"` // URL, byte for byte as every party uses it
	Key      string `json:"key"`      // identity key: signs approvals, statements and receipts
	HPKE     string `json:"hpke"`     // configuration for this round, base64url of the DAP encoding
}

// A Member is one organisation of the roster. Members under one owner share a Group and count once.
type Member struct {
	ID    string `json:"id"`
	Name  string `json:"name"` // legal name
	Group string `json:"group"`
	Key   string `json:"key"`
}

// A Minimum is how many distinct groups must contribute.
type Minimum struct {
	Groups     uint64 `json:"groups"`      // to a batch: below it no aggregate share is given
	CellGroups uint64 `json:"cell_groups"` // to a cell: below it the cell is blanked before anybody opens it
}

// The two kinds of part.
const (
	KindCounts  = "counts"
	KindAnswers = "answers"
)

// A Part is one task: the cells of an instrument that share one cap, or its answers.
type Part struct {
	Instrument string  `json:"instrument"`
	Name       string  `json:"name"` // "counts", "counts-2", "answers"
	Kind       string  `json:"kind"`
	Cells      []Cell  `json:"cells"` // in the order of the vector
	VDAF       VDAF    `json:"vdaf"`
	Cap        uint64  `json:"cap"`    // greatest count a member contributes to a cell; counts only
	Offset     uint64  `json:"offset"` // added to each cell so that noise cannot make it negative; counts only
	Privacy    Privacy `json:"privacy"`
}

// A Cell is one element of the vector.
type Cell struct {
	Metric string `json:"metric"`
	Code   string `json:"code"` // of the metric's breakdown; "total" where it has none
}

// IsState reports whether a cell of an answers part is a state of availability: those carry no noise.
func (c Cell) IsState() bool { return strings.HasPrefix(c.Code, "state:") }

// A VDAF holds the parameters as DAP encodes them; those a type does not have are zero.
type VDAF struct {
	Type           string `json:"type"` // "Prio3SumVec" or "Prio3MultihotCountVec"
	Length         uint32 `json:"length"`
	ChunkLength    uint32 `json:"chunk_length"`
	MaxMeasurement uint64 `json:"max_measurement"`
	MaxWeight      uint64 `json:"max_weight"`
}

// Privacy says what the noise protects and how it is made (privacy-design, "Instrument definition, privacy block").
type Privacy struct {
	Unit       string `json:"unit"`       // "item", "account", "person", "answer"
	Population string `json:"population"` // whose budget is charged
	Mechanism  string `json:"mechanism"`  // "laplace", "gaussian", "discrete-laplace", "none"
	Place      string `json:"place"`      // "member" or "aggregators"
	Epsilon    string `json:"epsilon"`    // a rational, "1/1"
	Delta      string `json:"delta"`      // a rational; "0" for pure differential privacy
	Delta1     uint64 `json:"delta1"`     // greatest change of the whole vector by one unit, in L1
	L0         uint64 `json:"l0"`         // cells that one unit can change; gaussian only
	LInf       uint64 `json:"linf"`       // how far one unit can change a cell; gaussian only
}

// A Population is a set of units with one budget, and what it has been charged including this round.
type Population struct {
	ID      string `json:"id"`
	Epsilon string `json:"epsilon"` // cumulative, a rational
}

// Release holds the rules that were fixed in advance.
type Release struct {
	Colluders   uint64   `json:"colluders"`     // t: members assumed to pool what they know
	P           string   `json:"p"`             // relative precision that nobody may reach, a rational
	FewSD       uint64   `json:"few_sd"`        // values under this many noise standard deviations are "few" on pages
	Signatures  uint64   `json:"signatures"`    // needed on a release: the secretariat's, and of the signers
	Giants      []Giants `json:"giants"`        // publicly known members above the cap, by metric
	Waivers     []Waiver `json:"waivers"`       // signed before the round was approved
	Calibration bool     `json:"calibration"`   // the figures are public already: release rules are not applied
	NextReview  string   `json:"method_review"` // date by which the method is reviewed

	// Signers are the public keys of those who may sign a release beside the secretariat.
	Signers []string `json:"signers,omitempty"`
}

// Giants is the number of members publicly known to exceed a metric's cap.
type Giants struct {
	Metric string `json:"metric"`
	Count  uint64 `json:"count"`
}

// A Waiver is a member's consent that its own magnitude in one metric may be inferred.
type Waiver struct {
	Metric    string `json:"metric"`
	Member    string `json:"member"`
	Signature string `json:"signature"`
}

// Encode returns the document's canonical bytes.
func (d *Document) Encode() ([]byte, error) {
	text, err := json.Marshal(d)
	if err != nil {
		return nil, fmt.Errorf("encoding round %s: %w", d.ID, err)
	}
	if text, err = Canonicalize(text); err != nil {
		return nil, fmt.Errorf("encoding round %s: %w", d.ID, err)
	}
	return text, nil
}

// Hash returns the SHA-256 of the document's canonical bytes, which every report of the round is bound to.
func (d *Document) Hash() ([32]byte, error) {
	text, err := d.Encode()
	return sha256.Sum256(text), err
}

// ParseDocument reads a document. Only canonical bytes are accepted, with all members known, so that each document has one text and
// one hash. It checks the form, not the sense: see Check.
func ParseDocument(text []byte) (*Document, error) {
	var d Document
	if err := strictJSON(text, &d); err != nil {
		return nil, fmt.Errorf("reading the round document: %w", err)
	}
	if d.Format != Format {
		return nil, fmt.Errorf("reading the round document: its format is %q, this program reads %q", d.Format, Format)
	}
	again, err := d.Encode()
	if err != nil {
		return nil, fmt.Errorf("reading the round document: %w", err)
	}
	if !bytes.Equal(text, again) {
		return nil, fmt.Errorf("reading the round document: its bytes are not in canonical form (RFC 8785), so its hash would not be the one that was signed")
	}
	return &d, nil
}
