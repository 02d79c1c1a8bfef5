package round_test

import (
	"strings"
	"testing"

	"candor/schema/round"
	"candor/schema/round/roundtest"
)

func TestEnrolmentsAndCards(t *testing.T) {
	key := roundtest.NewKey(t)
	line, err := round.Enrol(round.Member{ID: "m1", Name: "Member <One> & Sons", Group: "g1"}, key).Line()
	if err != nil {
		t.Fatal(err)
	}
	m, err := round.ParseEnrolment([]byte(line + "\r\n"))
	if err != nil || m.Name != "Member <One> & Sons" || m.Key != key.PublicKey().String() {
		t.Fatalf("read back as %+v, %v", m, err)
	}
	card, err := round.NewCard(round.ByHelper, round.Aggregator{Operator: "Op", Endpoint: "https://h.example/", HPKE: "x"}, key).Line()
	if err != nil {
		t.Fatal(err)
	}
	if c, err := round.ParseCard([]byte(card)); err != nil || c.Endpoint != "https://h.example/" {
		t.Fatalf("read back as %+v, %v", c, err)
	}
	other := roundtest.NewKey(t).PublicKey().String()
	for name, text := range map[string]string{
		"another name":    strings.Replace(line, "Sons", "Sins", 1),
		"another group":   strings.Replace(line, `"g1"`, `"g2"`, 1),
		"another key":     strings.Replace(line, key.PublicKey().String(), other, 1),
		"reformatted":     strings.Replace(line, ":", ": ", 1),
		"an unknown item": strings.Replace(line, "{", `{"a":1,`, 1),
		"nothing":         "",
	} {
		if _, err := round.ParseEnrolment([]byte(text)); err == nil {
			t.Errorf("an enrolment with %s was read", name)
		}
	}
	for name, text := range map[string]string{
		"another endpoint": strings.Replace(card, "h.example", "evil.example", 1),
		"another role":     strings.Replace(card, `"helper"`, `"leader"`, 1),
		"no role":          strings.Replace(card, `"helper"`, `"collector"`, 1),
	} {
		if _, err := round.ParseCard([]byte(text)); err == nil {
			t.Errorf("a card with %s was read", name)
		}
	}
}

func FuzzParseEnrolment(f *testing.F) {
	line, err := round.Enrol(round.Member{ID: "m1", Name: "M", Group: "g"}, roundtest.NewKey(f)).Line()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(line))
	f.Fuzz(func(t *testing.T, text []byte) {
		if m, err := round.ParseEnrolment(text); err == nil && m.Key == "" {
			t.Fatal("an enrolment without a key was read")
		}
		_, _ = round.ParseCard(text)
	})
}
