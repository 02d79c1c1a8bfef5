package round_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"candor/crypto/sign"
	"candor/schema/dap"
	"candor/schema/round"
	"candor/schema/round/roundtest"
)

func TestSignedRequests(t *testing.T) {
	key, stranger := roundtest.NewKey(t), roundtest.NewKey(t)
	keys := func(who string) (sign.PublicKey, bool) { return key.PublicKey(), who == "m1" }
	now := time.Unix(1_800_000_000, 0)
	header := round.SignRequest(key, "m1", "GET", "/base/candor/tasks/x/statement", now)
	if who, err := round.VerifyRequest(header, "GET", "/candor/tasks/x/statement", now.Add(4*time.Minute), keys); who != "m1" || err != nil {
		t.Fatalf("a good request is by %q, %v", who, err)
	}
	for name, verify := range map[string]func() (string, error){
		"another method": func() (string, error) {
			return round.VerifyRequest(header, "DELETE", "/candor/tasks/x/statement", now, keys)
		},
		"another path": func() (string, error) {
			return round.VerifyRequest(header, "GET", "/candor/tasks/y/statement", now, keys)
		},
		"later": func() (string, error) {
			return round.VerifyRequest(header, "GET", "/candor/tasks/x/statement", now.Add(6*time.Minute), keys)
		},
		"another name": func() (string, error) {
			return round.VerifyRequest(strings.Replace(header, "m1", "m2", 1), "GET", "/candor/tasks/x/statement", now, keys)
		},
		"a stranger's key": func() (string, error) {
			return round.VerifyRequest(round.SignRequest(stranger, "m1", "GET", "/candor/tasks/x/statement", now), "GET", "/candor/tasks/x/statement", now, keys)
		},
		"nothing": func() (string, error) { return round.VerifyRequest("", "GET", "/candor/tasks/x/statement", now, keys) },
	} {
		if who, err := verify(); !errors.Is(err, round.ErrRequest) {
			t.Errorf("with %s it passes as %q, %v", name, who, err)
		}
	}
}

func TestReceipts(t *testing.T) {
	key := roundtest.NewKey(t)
	r := round.NewReceipt(key, round.ByHelper, dap.TaskID{1}, "m1", 2, dap.ReportID{3}, time.Unix(1_800_000_000, 5), true)
	if err := r.Verify(key.PublicKey()); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*round.Receipt){
		"role": func(r *round.Receipt) { r.Role = round.ByLeader }, "member": func(r *round.Receipt) { r.Member = "m2" },
		"correction": func(r *round.Receipt) { r.Correction++ }, "report": func(r *round.Receipt) { r.Report = dap.ReportID{4}.String() },
		"time": func(r *round.Receipt) { r.Received = r.Received.Add(time.Second) }, "aggregated": func(r *round.Receipt) { r.Aggregated = false },
	} {
		other := r
		change(&other)
		if other.Verify(key.PublicKey()) == nil {
			t.Errorf("with another %s the receipt passes", name)
		}
	}
}

func FuzzVerifyRequest(f *testing.F) {
	key := roundtest.NewKey(f)
	now := time.Unix(1_800_000_000, 0)
	f.Add(round.SignRequest(key, "m1", "GET", "/candor/x", now))
	f.Fuzz(func(t *testing.T, header string) {
		who, err := round.VerifyRequest(header, "GET", "/candor/x", now, func(string) (sign.PublicKey, bool) { return key.PublicKey(), true })
		if err == nil && header != round.SignRequest(key, who, "GET", "/candor/x", now) && !strings.HasPrefix(header, who+" ") {
			t.Fatalf("%q passes as %q", header, who)
		}
	})
}
