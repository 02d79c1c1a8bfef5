// Package aggregatortest runs Leader, Helper, Clients and a Collector in one process for tests: over a network that can lose requests and responses, on
// a clock that stands still until it is told, on stores that can fail.
//
// Only _test.go files import it.
package aggregatortest

import (
	"crypto/rand"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"testing"
	"time"

	"candor/aggregator"
	"candor/crypto/prio3"
	"candor/crypto/seal"
	"candor/schema/dap"
	"candor/schema/round"
)

// A Variant is a VDAF with its parameters, and how to measure for it.
type Variant struct {
	Name string
	VDAF dap.VDAFConfig
	// Random returns a valid measurement.
	Random func(r *mathrand.Rand) []uint64
}

// Variants are the five Prio3 variants.
func Variants() []Variant {
	return []Variant{
		{"Count", dap.VDAFConfig{Type: dap.VDAFCount}, func(r *mathrand.Rand) []uint64 { return []uint64{r.Uint64N(2)} }},
		{"Sum", dap.VDAFConfig{Type: dap.VDAFSum, MaxMeasurement: 4096}, func(r *mathrand.Rand) []uint64 { return []uint64{r.Uint64N(4097)} }},
		{"SumVec", dap.VDAFConfig{Type: dap.VDAFSumVec, Length: 4, MaxMeasurement: 1000, ChunkLength: 7}, func(r *mathrand.Rand) []uint64 {
			return []uint64{r.Uint64N(1001), r.Uint64N(1001), 0, 1000}
		}},
		{"Histogram", dap.VDAFConfig{Type: dap.VDAFHistogram, Length: 10, ChunkLength: 3}, func(r *mathrand.Rand) []uint64 { return []uint64{r.Uint64N(10)} }},
		{"MultihotCountVec", dap.VDAFConfig{Type: dap.VDAFMultihotCountVec, Length: 6, ChunkLength: 2, MaxWeight: 3}, func(r *mathrand.Rand) []uint64 {
			m := make([]uint64, 6)
			for range 3 {
				m[r.IntN(6)] = 1
			}
			return m
		}},
	}
}

// Plain returns the aggregate of measurements, computed in the open.
func Plain(v Variant, measurements [][]uint64) []*big.Int {
	length := int(max(v.VDAF.Length, 1))
	sum := make([]*big.Int, length)
	for i := range sum {
		sum[i] = new(big.Int)
	}
	for _, m := range measurements {
		if v.VDAF.Type == dap.VDAFHistogram {
			sum[m[0]].Add(sum[m[0]], big.NewInt(1))
			continue
		}
		for i, x := range m {
			sum[i].Add(sum[i], new(big.Int).SetUint64(x))
		}
	}
	return sum
}

// A TaskSpec says what task to make. The zero value of each field has a default.
type TaskSpec struct {
	VDAF       dap.VDAFConfig // default: Count
	Mode       dap.BatchMode  // default: time-interval
	MinBatch   uint64         // default: 1
	Precision  uint64         // seconds; default: 3600
	Interval   *dap.Interval
	RoundHash  *[32]byte
	LeaderURL  string // default: http://leader.test/base/
	HelperURL  string // default: http://helper.test
	Extensions []dap.Extension
}

// Hosts of the two Aggregators in tasks made here, unless the spec says otherwise. One base URL has a path and ends in a slash, the other does not.
const (
	LeaderURL = "http://leader.test/base/"
	HelperURL = "http://helper.test"
)

// Keys are the secrets of a deployment.
type Keys struct {
	Leader, Helper *aggregator.Keyring
	// LeaderHPKE and HelperHPKE are the first advertised configurations.
	LeaderHPKE, HelperHPKE dap.HpkeConfig
	Collector              dap.HpkeConfig
	CollectorPrivate       *seal.PrivateKey
	Verify                 aggregator.VerifyKey
	VerifyBytes            [32]byte
	PeerToken              string
	CollectorToken         string
	// Rules are what each Aggregator enforces of the rounds of tasks, by prio3.Leader and prio3.Helper.
	Rules map[dap.TaskID][2]*aggregator.Round
}

// NewKeys makes the keys of a deployment: X25519 everywhere.
func NewKeys(t testing.TB) *Keys {
	t.Helper()
	k := &Keys{PeerToken: "token-of-the-leader-0123456789", CollectorToken: "token-of-the-collector-0123456789"}
	var leaderKey, helperKey aggregator.Key
	leaderKey, helperKey = NewKey(t, 1, seal.X25519), NewKey(t, 2, seal.X25519)
	k.LeaderHPKE, k.HelperHPKE = leaderKey.Config, helperKey.Config
	var err error
	if k.Leader, err = aggregator.NewKeyring(leaderKey); err != nil {
		t.Fatal(err)
	}
	if k.Helper, err = aggregator.NewKeyring(helperKey); err != nil {
		t.Fatal(err)
	}
	collector := NewKey(t, 200, seal.X25519)
	k.Collector, k.CollectorPrivate = collector.Config, collector.Private
	if _, err := rand.Read(k.VerifyBytes[:]); err != nil {
		t.Fatal(err)
	}
	if k.Verify, err = aggregator.NewVerifyKey(k.VerifyBytes[:]); err != nil {
		t.Fatal(err)
	}
	return k
}

// NewKey makes an HPKE key.
func NewKey(t testing.TB, id dap.HpkeConfigID, suite seal.Suite) aggregator.Key {
	t.Helper()
	public, private, err := seal.GenerateKey(suite, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return aggregator.Key{Config: dap.HpkeConfig{ID: id, KEM: suite.KEM, KDF: suite.KDF, AEAD: suite.AEAD, PublicKey: public}, Private: private}
}

// NewRoundTask makes the public part of a task, with a random ID.
func NewRoundTask(t testing.TB, spec TaskSpec) *round.Task {
	t.Helper()
	orDefault := func(field *uint64, value uint64) {
		if *field == 0 {
			*field = value
		}
	}
	orDefault(&spec.MinBatch, 1)
	orDefault(&spec.Precision, 3600)
	if spec.VDAF.Type == 0 {
		spec.VDAF.Type = dap.VDAFCount
	}
	if spec.Mode == 0 {
		spec.Mode = dap.TimeInterval
	}
	if spec.LeaderURL == "" {
		spec.LeaderURL = LeaderURL
	}
	if spec.HelperURL == "" {
		spec.HelperURL = HelperURL
	}
	var extensions []dap.Extension
	if spec.Interval != nil {
		extensions = append(extensions, dap.NewTaskIntervalExtension(*spec.Interval))
	}
	if spec.RoundHash != nil {
		extensions = append(extensions, dap.NewRoundHashExtension(*spec.RoundHash))
	}
	encoded, err := dap.Marshal(dap.TaskConfiguration{
		TaskInfo: []byte("test"), LeaderEndpoint: spec.LeaderURL, HelperEndpoint: spec.HelperURL, TimePrecision: spec.Precision,
		MinBatchSize: spec.MinBatch, BatchMode: spec.Mode, VDAF: spec.VDAF, Extensions: append(extensions, spec.Extensions...),
	})
	if err != nil {
		t.Fatal(err)
	}
	var id dap.TaskID
	if _, err := rand.Read(id[:]); err != nil {
		t.Fatal(err)
	}
	task, err := round.NewTask(id, encoded)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

// LeaderTask and HelperTask make a task as each Aggregator runs it.

func (k *Keys) LeaderTask(task *round.Task) *aggregator.Task {
	return &aggregator.Task{Task: task, VerifyKeys: map[uint8]aggregator.VerifyKey{0: k.Verify}, Collector: k.Collector, Round: k.Rules[task.ID][prio3.Leader],
		PeerToken: aggregator.NewToken(k.PeerToken), CollectorToken: aggregator.NewToken(k.CollectorToken)}
}

func (k *Keys) HelperTask(task *round.Task) *aggregator.Task {
	return &aggregator.Task{Task: task, VerifyKeys: map[uint8]aggregator.VerifyKey{0: k.Verify}, Collector: k.Collector, Round: k.Rules[task.ID][prio3.Helper],
		PeerToken: aggregator.NewToken(k.PeerToken)}
}

// A ReportSpec says what report to make. Alter what a Client would never do in the hooks.
type ReportSpec struct {
	Measurement []uint64
	ID          dap.ReportID // zero: random
	Time        dap.Time
	Public      []dap.Extension
	// LeaderPrivate and HelperPrivate are the private extensions.
	LeaderPrivate, HelperPrivate []dap.Extension

	// Shares may alter what the VDAF made, before it is sealed.
	Shares func(publicShare []byte, input *[2][]byte)
	// Plaintext may alter what is sealed for one role.
	Plaintext func(role dap.Role, plaintext []byte) []byte
	// Bound may alter what the shares are bound to.
	Bound func(task *dap.TaskID, configuration, metadata, publicShare *[]byte)
	// SwapRoles seals each share for the other Aggregator's role.
	SwapRoles bool
	// Context replaces the VDAF's application context.
	Context []byte
}

// NewReport makes a report by hand, valid unless the spec says otherwise.
func (k *Keys) NewReport(t testing.TB, task *round.Task, spec ReportSpec) dap.Report {
	t.Helper()
	report, err := k.makeReport(task, spec)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func (k *Keys) makeReport(task *round.Task, spec ReportSpec) (dap.Report, error) {
	if spec.ID == (dap.ReportID{}) {
		if _, err := rand.Read(spec.ID[:]); err != nil {
			return dap.Report{}, err
		}
	}
	random := make([]byte, task.VDAF.RandSize())
	if _, err := rand.Read(random); err != nil {
		return dap.Report{}, err
	}
	ctx := task.Context
	if spec.Context != nil {
		ctx = spec.Context
	}
	publicShare, shares, err := task.VDAF.Shard(ctx, [prio3.NonceSize]byte(spec.ID), random, spec.Measurement)
	if err != nil {
		return dap.Report{}, err
	}
	if spec.Shares != nil {
		spec.Shares(publicShare, &shares)
	}
	report := dap.Report{Metadata: dap.ReportMetadata{ReportID: spec.ID, Time: spec.Time, Extensions: spec.Public}, PublicShare: publicShare}
	metadata, err := dap.Marshal(report.Metadata)
	if err != nil {
		return dap.Report{}, err
	}
	id, configuration := task.ID, task.Encoded
	if spec.Bound != nil {
		spec.Bound(&id, &configuration, &metadata, &publicShare)
	}
	aad := dap.InputShareAAD(id, configuration, metadata, publicShare)
	for _, to := range []struct {
		role    dap.Role
		config  dap.HpkeConfig
		share   []byte
		private []dap.Extension
		ct      *dap.HpkeCiphertext
	}{
		{dap.Leader, k.LeaderHPKE, shares[prio3.Leader], spec.LeaderPrivate, &report.Leader},
		{dap.Helper, k.HelperHPKE, shares[prio3.Helper], spec.HelperPrivate, &report.Helper},
	} {
		plaintext, err := dap.Marshal(dap.PlaintextInputShare{Extensions: to.private, Payload: to.share})
		if err != nil {
			return dap.Report{}, err
		}
		if spec.Plaintext != nil {
			plaintext = spec.Plaintext(to.role, plaintext)
		}
		role := to.role
		if spec.SwapRoles {
			role = dap.Leader + dap.Helper - role
		}
		suite := seal.Suite{KEM: to.config.KEM, KDF: to.config.KDF, AEAD: to.config.AEAD}
		enc, payload, err := seal.Seal(suite, to.config.PublicKey, dap.InputShareInfo(role), aad, plaintext, rand.Reader)
		if err != nil {
			return dap.Report{}, fmt.Errorf("sealing a share: %w", err)
		}
		*to.ct = dap.HpkeCiphertext{ConfigID: to.config.ID, Enc: enc, Payload: payload}
	}
	return report, nil
}

// Start is where clocks begin: a whole hour, so that times are easy to name.
var Start = time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
