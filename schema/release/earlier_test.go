package release_test

import (
	"strings"
	"testing"

	"candor/schema/release"

	"github.com/google/go-cmp/cmp"
)

func earlier() []release.Earlier {
	return []release.Earlier{
		{Round: "2025q4", Document: release.Digest{1}, Revision: 2, Package: release.Digest{2}, Turnovers: []release.Turnover{
			{Instrument: "hash-match", Part: "counts", Before: "counts-2", Known: true, Joined: 3, Left: 1, Corrected: 0}, {Instrument: "hash-match", Part: "answers", Before: "answers"}}},
		{Round: "2025q3", Document: release.Digest{3}, Revision: 1, Package: release.Digest{4}, Turnovers: []release.Turnover{}},
	}
}

func TestEarlier(t *testing.T) {
	text, err := release.EncodeEarlier(earlier())
	if err != nil {
		t.Fatal(err)
	}
	again, err := release.ParseEarlier(text)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(earlier(), again); diff != "" {
		t.Error(diff)
	}
	for name, change := range map[string]func([]release.Earlier){
		"twice":        func(e []release.Earlier) { e[1].Package = e[0].Package },
		"no round":     func(e []release.Earlier) { e[0].Round = "" },
		"no turnovers": func(e []release.Earlier) { e[1].Turnovers = nil },
		"revision":     func(e []release.Earlier) { e[0].Revision = 0 },
		"negative":     func(e []release.Earlier) { e[0].Turnovers[0].Joined = -1 },
		"not known":    func(e []release.Earlier) { e[0].Turnovers[0].Known = false },
		"no part":      func(e []release.Earlier) { e[0].Turnovers[0].Part = "" },
		"part twice":   func(e []release.Earlier) { e[0].Turnovers[1] = e[0].Turnovers[0] },
	} {
		e := earlier()
		change(e)
		if _, err := release.EncodeEarlier(e); err == nil || !strings.Contains(err.Error(), "earlier release") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseEarlier(f *testing.F) {
	text, err := release.EncodeEarlier(earlier())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte("[]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		list, err := release.ParseEarlier(text)
		if err != nil {
			return
		}
		again, err := release.EncodeEarlier(list)
		if err != nil || string(again) != string(text) {
			t.Fatalf("%q is read and written as %q, %v", text, again, err)
		}
	})
}
