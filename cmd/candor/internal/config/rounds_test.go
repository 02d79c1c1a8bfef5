package config_test

import (
	"strings"
	"testing"

	"candor/aggregator"
	"candor/cmd/candor/internal/config"
	"candor/schema/round"
	"candor/schema/round/roundtest"
)

func runner(c *roundtest.Coalition) *config.Runner {
	return &config.Runner{Trust: c.Trust(), Secret: aggregator.NewPairSecret([32]byte{1}), Identity: c.Leader, Key: aggregator.NewReleaseKey([32]byte{2}), Software: "test"}
}

func TestRunnerRefusesRounds(t *testing.T) {
	c := roundtest.New(t, 12, 1)
	r := runner(c)
	good := c.Sign(t).Encode()
	for range 2 { // a file is read again when it changes
		if tasks, err := r.Tasks(good); err != nil || len(tasks) != 1 || tasks[0].Check() != nil {
			t.Fatalf("a good round: %v, %v", tasks, err)
		}
	}
	for _, refused := range []struct {
		name, want string
		text       func() []byte
	}{
		{"one byte changed", "not one of this document", func() []byte { return []byte(strings.Replace(string(good), "Member m3", "Member m4x", 1)) }},
		{"not signed by the Helper", "the helper has not signed", func() []byte {
			s, err := round.NewSigned(c.Document)
			if err != nil || s.Sign(round.BySecretariat, c.Secretariat) != nil || s.Sign(round.ByLeader, c.Leader) != nil {
				t.Fatal(err)
			}
			return s.Encode()
		}},
		{"strangers", "is pinned", func() []byte { return roundtest.New(t, 12, 1).Sign(t).Encode() }},
		{"another round over the period", "covers part of the period", func() []byte {
			other := *c
			d := *c.Document
			d.ID = "a-second-one"
			other.Document = &d
			return other.Sign(t).Encode()
		}},
		{"signed and contradicting itself", "contradicts itself", func() []byte {
			other := *c
			d := *c.Document
			d.ID, d.Minimum.Groups = "careless", 2
			other.Document = &d
			return other.Sign(t).Encode()
		}},
	} {
		t.Run(refused.name, func(t *testing.T) {
			if _, err := r.Tasks(refused.text()); err == nil || !strings.Contains(err.Error(), refused.want) {
				t.Errorf("error is %v, want one that says %q", err, refused.want)
			}
		})
	}
	t.Run("an amendment that only the secretariat signed", func(t *testing.T) {
		a, err := round.NewCancellation(c.Document, "a test")
		if err != nil {
			t.Fatal(err)
		}
		if err := a.Sign(c.Sign(t), round.BySecretariat, c.Secretariat); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Tasks(good, a); err == nil || !strings.Contains(err.Error(), "signature of the leader") {
			t.Errorf("error is %v", err)
		}
	})
}

// Both servers derive the same verify keys and configurations, so that the code that approve prints is the same.
func TestBothServersDeriveTheSame(t *testing.T) {
	c := roundtest.New(t, 12, 1)
	leader, helper := runner(c), runner(c)
	helper.Identity, helper.Key = c.Helper, aggregator.NewReleaseKey([32]byte{3})
	a, err := leader.Code(c.Sign(t).Encode())
	if err != nil {
		t.Fatal(err)
	}
	if b, err := helper.Code(c.Sign(t).Encode()); err != nil || a != b {
		t.Errorf("the codes are %s and %s, %v", a, b, err)
	}
	helper.Secret = aggregator.NewPairSecret([32]byte{9})
	if b, err := helper.Code(c.Sign(t).Encode()); err != nil || a == b {
		t.Errorf("with another pair secret the code is the same, %s, %v", b, err)
	}
}
