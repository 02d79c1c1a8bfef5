package demo

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"candor/client/figures"
	"candor/cmd/candor/internal/config"
	"candor/crypto/seal"
	"candor/crypto/sign"
	"candor/schema/dap"
	"candor/schema/round"
)

const (
	instrument = "provider-reports"
	partName   = "counts"
	// valueCap is the greatest count a member contributes to a cell. It is so wide that it caps nothing: the figures are public.
	valueCap = 1 << 40
)

// The parties of a coalition beside its members, with what each would hold on its own machine; only the demo sees all of it.
type parties struct {
	operators      [2]operator // Leader, Helper
	trust          round.Trust // what all parties have pinned
	secretariat    *sign.PrivateKey
	collectorKey   *seal.PrivateKey
	collectorHPKE  dap.HpkeConfig
	collectorToken string
}

// A coalition is everything that exists before the first member submits to a round of its own, with figures of any file.
type coalition struct {
	parties
	document *round.Document
	signed   *round.Signed
	task     *round.Task
	noise    round.Noise
	members  []participant
}

// A participant is one organisation of the figures file with its key.
type participant struct {
	id     string
	key    *sign.PrivateKey
	source figures.Organisation
}

// An operator is one aggregator's side of the setup.
type operator struct {
	role     string // "leader" or "helper"
	address  string // of the public listener
	private  string // of the listener for health and metrics
	endpoint string // URL at which the others reach it
	identity *sign.PrivateKey
	hpke     dap.HpkeConfig
}

// setUp plays what the parties do before a round: keys, the pairing of the operators, the roster, the round document and its signatures.
func (d *demo) setUp(ctx context.Context) error {
	p, err := d.newParties(ctx)
	if err != nil {
		return err
	}
	d.coalition, err = d.newCoalition(p)
	return err
}

// newParties empties the demo's directory and makes the keys and the directories of the secretariat and both operators.
func (d *demo) newParties(ctx context.Context) (p parties, err error) {
	if err := prepareDir(d.Out); err != nil {
		return p, err
	}
	if p.secretariat, err = d.newIdentity("secretariat"); err != nil {
		return p, err
	}
	for i, role := range []string{"leader", "helper"} {
		if p.operators[i], err = d.newOperator(role); err != nil {
			return p, err
		}
	}
	p.trust = round.Trust{
		Secretariat: p.secretariat.PublicKey().Fingerprint(),
		Leader:      p.operators[0].identity.PublicKey().Fingerprint(),
		Helper:      p.operators[1].identity.PublicKey().Fingerprint(),
	}
	// The operators meet: they compare fingerprints and exchange the pair secret and the token of the Leader.
	trust := fmt.Sprintf("trust:\n  secretariat: %s\n  leader: %s\n  helper: %s\n", p.trust.Secretariat, p.trust.Leader, p.trust.Helper)
	pair, peer, collectorToken := config.GenerateToken(), config.GenerateToken(), config.GenerateToken()
	for _, o := range p.operators {
		if err := d.configure(ctx, o, trust, pair, peer, collectorToken); err != nil {
			return p, err
		}
	}
	p.collectorToken = strings.TrimSpace(string(collectorToken))
	hpkeFile, hpke, err := config.GenerateHPKE("x-wing", 1)
	if err != nil {
		return p, err
	}
	p.collectorHPKE = hpke
	path := d.dir("secretariat", "collector.key")
	if err := config.WriteSecret(path, hpkeFile); err != nil {
		return p, err
	}
	_, p.collectorKey, err = config.LoadHPKE(path)
	return p, err
}

// newIdentity makes a party's directory and its signing key.
func (d *demo) newIdentity(party string) (*sign.PrivateKey, error) {
	if err := os.MkdirAll(d.dir(party), 0o700); err != nil {
		return nil, err
	}
	key, err := sign.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return key, config.WriteSecret(d.dir(party, "identity.key"), config.EncodeIdentity(key))
}

// newOperator makes an operator's keys and chooses its addresses.
func (d *demo) newOperator(role string) (o operator, err error) {
	o.role = role
	if o.identity, err = d.newIdentity(role); err != nil {
		return o, err
	}
	if o.address, err = freeAddress(); err != nil {
		return o, err
	}
	if o.private, err = freeAddress(); err != nil {
		return o, err
	}
	o.endpoint = "http://" + o.address + "/"
	if d.Hooks.Endpoint != nil {
		o.endpoint = d.Hooks.Endpoint(role, o.address)
	}
	file, hpke, err := config.GenerateHPKE("x-wing", 1)
	if err != nil {
		return o, err
	}
	o.hpke = hpke
	return o, config.WriteSecret(d.dir(role, "hpke.key"), file)
}

// configure writes an operator's configuration and what it was given by others, and seals its key files.
func (d *demo) configure(ctx context.Context, o operator, trust string, pair, peer, collectorToken []byte) error {
	if err := os.Mkdir(d.dir(o.role, "rounds"), 0o700); err != nil {
		return err
	}
	yaml := fmt.Sprintf("listen: %s\nprivate_listen: %s\nstore: %s.db\nstore_key: file:store.key\nidentity: identity.key\nhpke:\n  - file: hpke.key\npair_secret: pair.secret\nrelease_key: release.key\npeer_token: peer.token\nrounds: rounds\npoll_interval: 100ms\n%s",
		o.address, o.private, o.role, trust)
	files := map[string][]byte{"pair.secret": pair, "peer.token": peer, "release.key": config.GenerateToken(), "store.key": config.GenerateToken()}
	if o.role == "leader" {
		files["collector.token"] = collectorToken
		yaml += "collector_token: collector.token\n"
	}
	files[o.role+".yaml"] = []byte(yaml)
	for name, text := range files {
		if err := config.WriteSecret(d.dir(o.role, name), text); err != nil {
			return err
		}
	}
	cfg, err := config.LoadAggregator(d.dir(o.role, o.role+".yaml"))
	if err != nil {
		return err
	}
	_, err = cfg.SealKeys(ctx, false)
	return err
}

// freeAddress returns a loopback address that nobody listens on now.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func (d *demo) newCoalition(p parties) (*coalition, error) {
	c := &coalition{parties: p}
	doc, err := d.roundDocument(c)
	if err != nil {
		return nil, err
	}
	if why := doc.Unattainable(); why != "" {
		d.say("%s", why)
	}
	signed, err := d.approve(p, doc)
	if err != nil {
		return nil, err
	}
	tasks, err := doc.Tasks()
	if err != nil {
		return nil, err
	}
	c.document, c.signed, c.task = doc, signed, tasks[0]
	c.noise, err = doc.Parts[0].Privacy.MemberNoise()
	return c, err
}

// approve lets the secretariat and both operators sign a round, and each keep it.
func (d *demo) approve(p parties, doc *round.Document) (*round.Signed, error) {
	if problems := doc.Check(); len(problems) > 0 {
		return nil, fmt.Errorf("the document of round %s is wrong: %s", doc.ID, problems[0])
	}
	signed, err := round.NewSigned(doc)
	if err != nil {
		return nil, err
	}
	for _, by := range []struct {
		who string
		key *sign.PrivateKey
	}{{round.BySecretariat, p.secretariat}, {round.ByLeader, p.operators[0].identity}, {round.ByHelper, p.operators[1].identity}} {
		if err := signed.Sign(by.who, by.key); err != nil {
			return nil, err
		}
	}
	for _, path := range []string{d.dir("leader", "rounds", doc.ID+".json"), d.dir("helper", "rounds", doc.ID+".json"), d.dir("secretariat", doc.ID+".json")} {
		if err := os.WriteFile(path, signed.Encode(), 0o644); err != nil {
			return nil, err
		}
	}
	return signed, nil
}

// aggregator is how round documents name the operator.
func (o operator) aggregator() (round.Aggregator, error) {
	hpke, err := round.EncodeHPKE(o.hpke)
	name := strings.ToUpper(o.role[:1]) + o.role[1:]
	return round.Aggregator{Operator: "Operator of the " + name + " (demo)", Endpoint: o.endpoint, Key: o.identity.PublicKey().String(), HPKE: hpke}, err
}

// roundDocument writes the round: the roster from the figures file, one part with a cell for each metric, Laplace noise of ε = 1 for one item.
func (d *demo) roundDocument(c *coalition) (*round.Document, error) {
	privacy := round.Privacy{Unit: "item", Population: "items/" + label(d.Figures.Period), Mechanism: "laplace", Place: "member", Epsilon: "1/1", Delta: "0", Delta1: 1}
	noise, err := privacy.MemberNoise()
	if err != nil {
		return nil, err
	}
	for i, org := range d.Figures.Organisations {
		key, err := sign.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		c.members = append(c.members, participant{id: "m" + strconv.Itoa(i+1), key: key, source: org})
	}
	roster := make([]round.Member, len(c.members))
	for i, m := range c.members {
		roster[i] = round.Member{ID: m.id, Name: m.source.Name, Group: m.id, Key: m.key.PublicKey().String()}
	}
	cells := make([]round.Cell, len(d.Figures.Metrics))
	for i, metric := range d.Figures.Metrics {
		cells[i] = round.Cell{Metric: metric, Code: "total"}
	}
	offset := uint64(noise.Offset())
	measurement := valueCap + 2*offset
	width := 0
	for v := measurement; v > 0; v >>= 1 {
		width++
	}
	leader, err := c.operators[0].aggregator()
	if err != nil {
		return nil, err
	}
	helper, err := c.operators[1].aggregator()
	if err != nil {
		return nil, err
	}
	collector, err := round.EncodeHPKE(c.collectorHPKE)
	if err != nil {
		return nil, err
	}
	opens := time.Now().UTC().Truncate(time.Second)
	first, last := period(d.Figures.Period, opens)
	return &round.Document{
		Format:        round.Format,
		ID:            "demo-" + label(d.Figures.Period),
		Period:        round.Period{Label: label(d.Figures.Period), First: first, Last: last},
		Window:        round.Window{Opens: opens, Closes: opens.Add(d.window())},
		TimePrecision: 1,
		Catalogue:     round.Catalogue{ID: "demo", Version: "1", Hash: fmt.Sprintf("%x", sha256.Sum256([]byte(instrument)))},
		Secretariat:   c.secretariat.PublicKey().String(),
		Leader:        leader,
		Helper:        helper,
		Collector:     collector,
		Roster:        roster,
		Minimum:       round.Minimum{Groups: round.LeastGroups, CellGroups: round.LeastCellGroups},
		Parts: []round.Part{{
			Instrument: instrument, Name: partName, Kind: round.KindCounts, Cells: cells,
			VDAF: round.VDAF{Type: "Prio3SumVec", Length: uint32(len(cells)), ChunkLength: round.ChunkLength(len(cells) * width), MaxMeasurement: measurement},
			Cap:  valueCap, Offset: offset, Privacy: privacy,
		}},
		Populations: []round.Population{{ID: privacy.Population, Epsilon: "1/1"}},
		Release: round.Release{Colluders: 2, P: "1/5", FewSD: 3, Signatures: 1, Giants: []round.Giants{}, Waivers: []round.Waiver{},
			Calibration: true, NextReview: opens.AddDate(1, 0, 0).Format(time.DateOnly)},
	}, nil
}

// window is how long members can submit: by choice, or so that a slow machine manages.
func (d *demo) window() time.Duration {
	if d.Window > 0 {
		return max(time.Second, d.Window.Round(time.Second))
	}
	cells := len(d.Figures.Organisations) * len(d.Figures.Metrics)
	return 4*time.Second + (time.Duration(len(d.Figures.Organisations))*10*time.Millisecond + time.Duration(cells)*2*time.Millisecond).Round(time.Second)
}

var unfit = regexp.MustCompile(`[^a-z0-9]+`)

// label makes a period's name fit for identifiers: "2023", "2026q1"; "all" where the figures name none.
func label(period string) string {
	s := unfit.ReplaceAllString(strings.ToLower(period), "-")
	s = strings.Trim(s[:min(len(s), 30)], "-")
	if s == "" {
		return "all"
	}
	return s
}

// period returns the days that a label stands for: those of a past year where it is one, else of the last full year.
func period(label string, now time.Time) (first, last string) {
	year, err := strconv.Atoi(label)
	if err != nil || year < 1970 || year >= now.Year() {
		year = now.Year() - 1
	}
	return fmt.Sprintf("%04d-01-01", year), fmt.Sprintf("%04d-12-31", year)
}
