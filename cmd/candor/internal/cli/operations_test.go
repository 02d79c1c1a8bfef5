package cli

import (
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"candor/aggregator"
	"candor/aggregator/boltstore"
	"candor/aggregator/helper"
	"candor/aggregator/leader"
	"candor/cmd/candor/internal/config"
)

// A recorder is a registry that remembers the names of what is registered, also of metrics without a value yet.
type recorder struct {
	prometheus.Registerer
	names map[string]bool
}

func (r recorder) Register(c prometheus.Collector) error {
	descriptions := make(chan *prometheus.Desc)
	go func() { c.Describe(descriptions); close(descriptions) }()
	for d := range descriptions {
		r.names[regexp.MustCompile(`fqName: "([^"]+)"`).FindStringSubmatch(d.String())[1]] = true
	}
	return nil
}

func (r recorder) MustRegister(cs ...prometheus.Collector) {
	for _, c := range cs {
		_ = r.Register(c) // never fails
	}
}

// registered returns the names of all metrics of both roles.
func registered(t *testing.T) map[string]bool {
	t.Helper()
	st, err := boltstore.Open(t.TempDir()+"/x.db", boltstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	path := t.TempDir() + "/hpke.key"
	text, _, err := config.GenerateHPKE("x25519", 1)
	if err == nil {
		err = config.WriteSecret(path, text)
	}
	if err != nil {
		t.Fatal(err)
	}
	keys, err := (&config.Aggregator{HPKE: []config.HPKEKey{{File: path}}}).Keyring(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r := recorder{prometheus.NewRegistry(), map[string]bool{}}
	aggregator.NewStoreMetrics(r)
	if _, err := leader.New(leader.Config{Store: st, Keys: keys, Metrics: r}); err != nil {
		t.Fatal(err)
	}
	if _, err := helper.New(helper.Config{Store: st, Keys: keys, Metrics: r}); err != nil {
		t.Fatal(err)
	}
	return r.names
}

const operations = "../../../../docs/operations.md"

// The operators' page has a line for each metric, and none for one that is not there.
func TestEveryMetricIsExplained(t *testing.T) {
	page, names := read(t, operations), registered(t)
	if len(names) < 12 {
		t.Fatalf("only %d metrics were found: %v", len(names), names)
	}
	for name := range names {
		if !strings.Contains(page, "\n| `"+name+"` | ") {
			t.Errorf("%s has no line for %s", operations, name)
		}
	}
	for _, m := range regexp.MustCompile("`(candor_[a-z_]+)`").FindAllStringSubmatch(page, -1) {
		if !names[m[1]] {
			t.Errorf("%s explains %s, which nothing registers", operations, m[1])
		}
	}
}

// The operators' page has a line for each reason to wait, and `candor status` knows which need a person.
func TestEveryReasonIsExplained(t *testing.T) {
	page := read(t, operations)
	for _, code := range aggregator.WaitingCodes {
		if !strings.Contains(page, "\n| `"+code+"` | ") {
			t.Errorf("%s has no line for %s", operations, code)
		}
		if _, ok := needsOperator[code]; !ok {
			t.Errorf("candor status does not know whether %s needs an operator", code)
		}
	}
	if len(needsOperator) != len(aggregator.WaitingCodes) {
		t.Errorf("candor status knows %d codes, there are %d", len(needsOperator), len(aggregator.WaitingCodes))
	}
}
