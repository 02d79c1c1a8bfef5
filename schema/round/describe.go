package round

import (
	"fmt"
	"slices"
	"strings"

	"candor/crypto/sign"
)

// Code returns the short code of a round, over its whole document: the operators read it to each other, and each member's client prints it.
func (s *Signed) Code() sign.Fingerprint { return sign.FingerprintOf("round code", s.Text) }

// Describe says in plain words what a document means, for whoever is about to sign it. previous is the round that the reader agreed to before, or nil;
// what changed since is then listed.
func (s *Signed) Describe(previous *Document) string {
	d := s.Document
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("Round %s, short code %s", d.ID, s.Code())
	if d.Rehearsal {
		line("  A rehearsal: synthetic figures, never released.")
	}
	if d.Supersedes != "" {
		line("  Revises the released round with hash %s.", d.Supersedes)
	}
	line("  Period: %s, %s to %s.", d.Period.Label, d.Period.First, d.Period.Last)
	line("  Members submit from %s until %s; nothing is aggregated before that.", d.Window.Opens.Format("2006-01-02 15:04 MST"), d.Window.Closes.Format("2006-01-02 15:04 MST"))
	line("  Leader: %s at %s, key %s.", d.Leader.Operator, d.Leader.Endpoint, fingerprint(d.Leader.Key))
	line("  Helper: %s at %s, key %s.", d.Helper.Operator, d.Helper.Endpoint, fingerprint(d.Helper.Key))
	line("  Secretariat: key %s.", fingerprint(d.Secretariat))
	line("  A batch needs %d groups, a cell %d; below that nobody opens it.", d.Minimum.Groups, d.Minimum.CellGroups)
	line("  Catalogue: %s %s, hash %.16s….", d.Catalogue.ID, d.Catalogue.Version, d.Catalogue.Hash)
	if len(d.Release.Signers) > 0 {
		line("  A release bears %d signatures: the secretariat's, and of these keys:", d.Release.Signatures)
		for _, k := range d.Release.Signers {
			line("    %s.", fingerprint(k))
		}
	}
	line("What is counted:")
	for i := range d.Parts {
		p := &d.Parts[i]
		line("  %s/%s: %d cells; %s.", p.Instrument, p.Name, len(p.Cells), p.words())
	}
	line("Privacy charged so far, this round included:")
	for _, p := range d.Populations {
		line("  %s: ε = %s.", p.ID, p.Epsilon)
	}
	line("Members (%d, in %d groups):", len(d.Roster), len(d.Groups()))
	for _, m := range d.Roster {
		line("  %s (%s, group %s), key %s.", m.Name, m.ID, m.Group, fingerprint(m.Key))
	}
	if previous != nil {
		line("Changed since round %s:", previous.ID)
		changes := d.changes(previous)
		for _, c := range changes {
			line("  %s", c)
		}
		if len(changes) == 0 {
			line("  Nothing but the period and the window.")
		}
	}
	return b.String()
}

func fingerprint(key string) string {
	k, err := sign.ParsePublicKey(key)
	if err != nil {
		return "unreadable"
	}
	return string(k.Fingerprint())
}

// words says how a part is protected.
func (p *Part) words() string {
	what := fmt.Sprintf("counts up to %d", p.Cap)
	if p.Kind == KindAnswers {
		what = "answers, one vote per question"
	}
	switch {
	case p.Privacy.Mechanism == "none":
		return what + ", without noise"
	case p.Privacy.Place == "aggregators":
		return fmt.Sprintf("%s; each aggregator adds %s noise, %s; states have none", what, p.Privacy.Mechanism, p.Privacy.Claim())
	}
	return fmt.Sprintf("%s; each member adds %s noise, %s (sensitivity %d)", what, p.Privacy.Mechanism, p.Privacy.Claim(), p.Privacy.Delta1)
}

// changes lists what a reader who agreed to before must look at again.
func (d *Document) changes(before *Document) (changes []string) {
	add := func(format string, args ...any) { changes = append(changes, fmt.Sprintf(format, args...)) }
	was := map[string]Member{}
	for _, m := range before.Roster {
		was[m.ID] = m
	}
	for _, m := range d.Roster {
		old, ok := was[m.ID]
		delete(was, m.ID)
		switch {
		case !ok:
			add("Joined: %s (%s, group %s), key %s.", m.Name, m.ID, m.Group, fingerprint(m.Key))
		case old.Key != m.Key:
			add("New key of %s (%s): %s, before %s.", m.Name, m.ID, fingerprint(m.Key), fingerprint(old.Key))
		}
		if ok && old.Name != m.Name {
			add("%s is now called %s.", old.Name, m.Name)
		}
		if ok && old.Group != m.Group {
			add("%s moved from group %s to %s.", m.Name, old.Group, m.Group)
		}
	}
	for _, m := range before.Roster {
		if _, left := was[m.ID]; left {
			add("Left: %s (%s).", m.Name, m.ID)
		}
	}
	for _, pair := range []struct {
		what     string
		old, new any
	}{
		{"The Leader", before.Leader, d.Leader}, {"The Helper", before.Helper, d.Helper}, {"The secretariat's key", fingerprint(before.Secretariat), fingerprint(d.Secretariat)},
		{"The Collector's key", before.Collector, d.Collector}, {"The minimum", before.Minimum, d.Minimum}, {"The catalogue", before.Catalogue, d.Catalogue},
	} {
		if pair.old != pair.new {
			add("%s: %v, before %v.", pair.what, pair.new, pair.old)
		}
	}
	parts := map[string]*Part{}
	for i := range before.Parts {
		parts[before.Parts[i].Instrument+"/"+before.Parts[i].Name] = &before.Parts[i]
	}
	for i := range d.Parts {
		p := &d.Parts[i]
		name := p.Instrument + "/" + p.Name
		old := parts[name]
		delete(parts, name)
		switch {
		case old == nil:
			add("New: %s, %s.", name, p.words())
		case old.words() != p.words():
			add("%s: %s, before %s.", name, p.words(), old.words())
		case !slices.Equal(old.Cells, p.Cells):
			add("%s has other cells.", name)
		}
	}
	for i := range before.Parts {
		if name := before.Parts[i].Instrument + "/" + before.Parts[i].Name; parts[name] != nil {
			add("No longer counted: %s.", name)
		}
	}
	if r, s := fmt.Sprintf("%+v", before.Release), fmt.Sprintf("%+v", d.Release); r != s {
		add("The release rules: %s, before %s.", s, r)
	}
	return changes
}
