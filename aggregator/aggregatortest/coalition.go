package aggregatortest

import (
	"net/http"
	"testing"
	"time"

	"candor/aggregator"
	"candor/client"
	"candor/client/collector"
	"candor/crypto/prio3"
	"candor/crypto/seal"
	"candor/crypto/sign"
	"candor/schema/dap"
	"candor/schema/round"
	"candor/schema/round/roundtest"
)

// A Coalition is a deployment that runs the rounds of a coalition, with every party's keys.
type Coalition struct {
	*Deployment
	*roundtest.Coalition
	Task  *round.Task // of the first part
	Until time.Time   // when the window closes, as members know by an extension; zero: as the document says
}

// NewCoalition deploys a round with members m1, m2, … and one counts part of some cells. change may change its document before it is signed. The window
// opened a minute ago.
func NewCoalition(t testing.TB, members, cells int, change func(*round.Document)) *Coalition {
	t.Helper()
	c := &Coalition{Coalition: roundtest.New(t, members, cells)}
	d := c.Document
	d.Leader.Endpoint, d.Helper.Endpoint = LeaderURL, HelperURL
	if change != nil {
		change(d)
	}
	return deploy(t, c)
}

func deploy(t testing.TB, c *Coalition) *Coalition {
	t.Helper()
	keys := NewKeys(t)
	ring := func(text string, private *seal.PrivateKey) (*aggregator.Keyring, dap.HpkeConfig) {
		config, err := round.ParseHPKE(text)
		if err != nil {
			t.Fatal(err)
		}
		ring, err := aggregator.NewKeyring(aggregator.Key{Config: config, Private: private})
		if err != nil {
			t.Fatal(err)
		}
		return ring, config
	}
	keys.Leader, keys.LeaderHPKE = ring(c.Document.Leader.HPKE, c.LeaderHPKE)
	keys.Helper, keys.HelperHPKE = ring(c.Document.Helper.HPKE, c.HelperHPKE)
	var err error
	if keys.Collector, err = round.ParseHPKE(c.Document.Collector); err != nil {
		t.Fatal(err)
	}
	keys.CollectorPrivate = c.Collector()
	tasks, err := c.Document.Tasks()
	if err != nil {
		t.Fatal(err)
	}
	keys.Rules = make(map[dap.TaskID][2]*aggregator.Round)
	for i, task := range tasks {
		var rules [2]*aggregator.Round
		for role, identity := range map[int]*sign.PrivateKey{prio3.Leader: c.Coalition.Leader, prio3.Helper: c.Coalition.Helper} {
			if rules[role], err = aggregator.NewRound(c.Document, i, identity, aggregator.NewReleaseKey([32]byte{byte(role + 1)}), "test"); err != nil {
				t.Fatal(err)
			}
		}
		keys.Rules[task.ID] = rules
	}
	c.Task = tasks[0]
	c.Deployment = New(t, Options{Keys: keys, Tasks: tasks, Start: c.Document.Window.Opens.Add(time.Minute)})
	return c
}

// Collector returns the private key of the round's Collector.
func (c *Coalition) Collector() *seal.PrivateKey { return c.Coalition.Collector }

// A Submission says what report a member sends. Alter what a member's client would never do.
type Submission struct {
	Member     int // index in the roster
	Correction uint64
	Values     []uint64         // counts, before the offset; nil: zeros
	As         string           // whose id the report bears; "": the member's own
	Key        *sign.PrivateKey // what signs; nil: the member's own
	Role       dap.Role         // whose share both signatures are for; 0: each its own
	Without    bool             // no signature
	Flags      []bool           // what it contributes to; nil: everything
}

// Report makes a report without uploading it.
func (c *Coalition) Report(s Submission) dap.Report {
	c.T.Helper()
	r, err := c.Client(c.Task).Prepare(c.T.Context(), c.measurement(s.Values), c.public(s), c.private(s))
	if err != nil {
		c.T.Fatal(err)
	}
	return r
}

// Send uploads a report and returns the Leader's answer: 0 if it was accepted.
func (c *Coalition) Send(s Submission) dap.ReportError {
	c.T.Helper()
	refused := c.UploadReports(c.Task, c.Report(s))
	if len(refused) > 0 {
		return refused[0].Error
	}
	return 0
}

// Client returns a client of the coalition's members: it seals to the pinned configurations only.
func (c *Coalition) Client(task *round.Task) *client.Client {
	c.T.Helper()
	cl, err := client.New(client.Config{Task: task, LeaderHPKE: c.Keys.LeaderHPKE, HelperHPKE: c.Keys.HelperHPKE, PlainHTTP: true,
		HTTP: &http.Client{Transport: c.Net}, Now: c.Clock.Now, Until: c.Until, Attempts: 1})
	if err != nil {
		c.T.Fatal(err)
	}
	return cl
}

func (c *Coalition) measurement(values []uint64) []uint64 {
	part := &c.Document.Parts[0]
	m := make([]uint64, len(part.Cells))
	copy(m, values)
	for i := range m {
		m[i] += part.Offset
	}
	return m
}

func (c *Coalition) public(s Submission) []dap.Extension {
	c.T.Helper()
	if s.As == "" {
		s.As = c.Document.Roster[s.Member].ID
	}
	if s.Flags == nil {
		s.Flags = make([]bool, len(c.Document.Parts[0].Metrics()))
		for i := range s.Flags {
			s.Flags[i] = true
		}
	}
	ext, err := round.Contribution{Member: s.As, Correction: s.Correction, Contributes: round.NewContributes(s.Flags)}.Extension()
	if err != nil {
		c.T.Fatal(err)
	}
	return []dap.Extension{ext}
}

func (c *Coalition) private(s Submission) client.Private {
	if s.Without {
		return nil
	}
	key := s.Key
	if key == nil {
		key = c.Members[s.Member]
	}
	return func(share client.Share) ([]dap.Extension, error) {
		role := share.Recipient
		if s.Role != 0 {
			role = s.Role
		}
		ext, err := round.SignReport(key, role, c.Task.ID, share.Metadata, share.PublicShare, nil, share.Payload)
		return []dap.Extension{ext}, err
	}
}

// SendAll lets members from to to-1 each send the value 100.
func (c *Coalition) SendAll(from, to int) {
	c.T.Helper()
	for i := from; i < to; i++ {
		values := make([]uint64, len(c.Document.Parts[0].Cells))
		for k := range values {
			values[k] = 100
		}
		if code := c.Send(Submission{Member: i, Values: values}); code != 0 {
			c.T.Fatalf("member %d: %v", i+1, code)
		}
	}
}

// CloseWindow moves the clocks to the end of the window and a little beyond.
func (c *Coalition) CloseWindow() {
	if wait := c.Document.Window.Closes.Add(time.Second).Sub(c.Clock.Now()); wait > 0 {
		c.Advance(wait)
	}
}

// Figures closes the window, collects the batch and takes the offsets off.
func (c *Coalition) Figures() ([]int64, collector.Result, error) {
	c.T.Helper()
	c.CloseWindow()
	result, err := c.Collect(c.Task, c.All(c.Task))
	if err != nil {
		return nil, result, err
	}
	figures := make([]int64, len(result.Aggregate))
	for i, x := range result.Aggregate {
		figures[i] = x.Int64() - int64(result.ReportCount*c.Document.Parts[0].Offset)
	}
	return figures, result, nil
}
