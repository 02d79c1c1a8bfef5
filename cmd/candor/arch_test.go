package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// floors is the house: a package may import only packages on lower floors (and the allowed exceptions below, each with its reason).
// Changing this table is a design change; it is never done to make the test pass.
var floors = map[string]int{
	"crypto/keccak": 0,
	"crypto/field":  0,
	"crypto/dp":     0,
	"crypto/sign":   0,
	"crypto/seal":   0,
	"schema/dap":    0,
	"schema/metric": 0,

	"crypto/xof": 1,
	"crypto/flp": 1,

	"crypto/prio3": 2,

	"crypto/vectors": 3, // test vectors as data; does no I/O

	"schema/round":   3,
	"schema/release": 3,

	"aggregator/store":   4,
	"aggregator/httpapi": 4,
	"client":             4,

	"aggregator":           5,
	"aggregator/boltstore": 5,
	"aggregator/pgstore":   5,
	"aggregator/storefile": 5,
	"aggregator/sealstore": 5, // over any store: imports aggregator/store only, like the backends
	"client/figures":       5,
	"client/ledger":        5,
	"client/collector":     5,

	"aggregator/leader":          6,
	"aggregator/helper":          6,
	"client/member":              6,
	"client/publish":             6,
	"client/collect":             6,
	"cmd/candor/internal/config": 6,

	"cmd/candor/internal/demo":    7,
	"cmd/candor/internal/care":    7, // what is done with a store; cli only asks for it
	"cmd/candor/internal/interop": 7,

	"cmd/candor/internal/cli": 8,
	"cmd/candor":              9,
}

// testFloor holds packages that only _test.go files may import.
var testFloor = []string{"testvectors", "crypto/dp/dptest", "schema/round/roundtest", "aggregator/storetest", "aggregator/aggregatortest"}

type pkg struct {
	ImportPath, Doc string
	GoFiles         []string
	Imports         []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Doc,GoFiles,Imports", "candor/...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func ours(path string) (string, bool) { return strings.CutPrefix(path, "candor/") }

func TestFloors(t *testing.T) {
	for _, p := range packages(t) {
		name, _ := ours(p.ImportPath)
		if slices.Contains(testFloor, name) || len(p.GoFiles) == 0 {
			continue
		}
		floor, ok := floors[name]
		if !ok {
			t.Errorf("package %s has no floor: add it to the table, with thought", name)
			continue
		}
		for _, imp := range p.Imports {
			if imp, ok := ours(imp); ok {
				if f, known := floors[imp]; slices.Contains(testFloor, imp) || known && f >= floor {
					t.Errorf("%s (floor %d) imports %s (floor %d): imports go downwards only", name, floor, imp, f)
				}
				for _, rule := range walls {
					if strings.HasPrefix(name+"/", rule.from) && strings.HasPrefix(imp+"/", rule.to) {
						t.Errorf("%s imports %s: %s", name, imp, rule.why)
					}
				}
			}
		}
	}
}

// walls are the arrows that must never be drawn although the floors would allow them.
var walls = []struct{ from, to, why string }{
	{"aggregator/", "client/", "aggregators and clients meet only over HTTP"},
	{"client/", "aggregator/", "aggregators and clients meet only over HTTP"},
	{"aggregator/leader/", "aggregator/helper/", "the two roles trust each other with nothing but messages"},
	{"aggregator/helper/", "aggregator/leader/", "the two roles trust each other with nothing but messages"},
	{"crypto/", "schema/", "crypto knows nothing of messages"},
}

func TestImportPolicy(t *testing.T) {
	pure := []string{"context", "net", "net/http", "os", "log", "log/slog"}
	for _, p := range packages(t) {
		name, _ := ours(p.ImportPath)
		isPure := strings.HasPrefix(name, "crypto/") || strings.HasPrefix(name, "schema/")
		for _, imp := range p.Imports {
			if isPure && slices.Contains(pure, imp) {
				t.Errorf("%s imports %s: crypto and schema do no I/O", name, imp)
			}
			if strings.HasPrefix(name, "crypto/") && (imp == "math/rand" || imp == "math/rand/v2") {
				t.Errorf("%s imports %s", name, imp)
			}
		}
		if len(p.GoFiles) > 0 && !strings.HasPrefix(p.Doc, "Package ") && !strings.HasPrefix(p.Doc, "Command ") {
			t.Errorf("%s has no package comment", p.ImportPath)
		}
	}
}
