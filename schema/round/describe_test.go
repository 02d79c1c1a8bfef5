package round_test

import (
	"strings"
	"testing"

	"candor/schema/round"
	"candor/schema/round/roundtest"
)

func TestDescribeSaysWhatChanged(t *testing.T) {
	c := roundtest.New(t, 11, 2)
	before := *c.Document
	d := c.Document
	d.ID = "test-2026q2"
	d.Roster = append([]round.Member(nil), d.Roster...)
	d.Roster[0].Key = roundtest.NewKey(t).PublicKey().String()
	d.Roster[1].Group = "m3"
	d.Roster[10] = round.Member{ID: "m99", Name: "A newcomer", Group: "m99", Key: roundtest.NewKey(t).PublicKey().String()}
	d.Minimum.Groups = 11
	d.Parts = append([]round.Part(nil), d.Parts...)
	d.Parts[0].Cap *= 2
	signed := c.Sign(t)
	got := signed.Describe(&before)
	for _, want := range []string{
		string(signed.Code()), "Leader Operator", "Member m5 (m5, group m5), key ", "11 groups, a cell 5",
		"New key of Member m1", "Member m2 moved from group m2 to m3", "Joined: A newcomer", "Left: Member m11", "The minimum: {11 5}, before {10 5}",
		"test/counts: counts up to 2097152", "before counts up to 1048576", "ε = 1/1 for one item",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the description does not say %q:\n%s", want, got)
		}
	}
	first, err := round.NewSigned(&before)
	if err != nil {
		t.Fatal(err)
	}
	if first.Code() == signed.Code() {
		t.Error("two documents have one short code")
	}
	if same := first.Describe(&before); !strings.Contains(same, "Nothing but the period") {
		t.Errorf("an unchanged round is described with changes:\n%s", same)
	}
}
