package publish_test

import (
	"testing"

	"candor/client/publish"
)

func TestVerify(t *testing.T) {
	r := publishedRound(t)
	v := verifyFiles(r.render(t), r.pins())
	for _, c := range v.Checks {
		t.Logf("%-14s %-24s %s", c.Outcome, c.Item, c.Detail)
	}
	t.Log(v.Verdict())
	status := map[string]int{}
	for _, f := range r.bundle.Figures {
		status[string(f.Status)]++
	}
	t.Log(status, len(r.bundle.Ratios))
	if !v.OK() {
		t.Error("not verified")
	}
	if v := verifyFiles(r.render(t), nil); !v.OK() || v.Pinned {
		t.Errorf("without pins: %s", v.Verdict())
	}
	if c := checkOf(v, "figures"); c.Outcome != publish.Passed {
		t.Error(c)
	}
}
