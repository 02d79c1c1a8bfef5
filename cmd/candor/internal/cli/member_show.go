package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"candor/client/ledger"
	"candor/client/member"
	"candor/schema/round"
)

// showDraft says in plain words what will leave the machine, who could read what of it, and cell by cell what it is.
func showDraft(w io.Writer, r *member.Round, d *member.Draft, balances []ledger.Balance) error {
	var b strings.Builder
	doc := r.Document
	fmt.Fprintf(&b, "Round %s, short code %s: signed by the secretariat and both operators; its entry for you bears your own key.\n", doc.ID, r.Code())
	if doc.Rehearsal {
		b.WriteString("This is a rehearsal: its figures are invented and never released, and nothing is charged to the ledger.\n")
	}
	fmt.Fprintf(&b, `
What will leave this machine (draft %s):
Every number in the column "leaves" is split into two shares, each of which alone is random. The Leader (%s) can read one, the
Helper (%s) the other; so neither can read a number, only which metrics you measure. The secretariat receives sums over at least
%d groups of members. If both aggregators broke their promise and colluded they could read the column "leaves", never "yours".
`, d.Code(), doc.Leader.Operator, doc.Helper.Operator, doc.Minimum.Groups)
	for i := range d.Parts {
		p := &d.Parts[i]
		fmt.Fprintf(&b, "\n%s/%s: %s\n", p.Instrument, p.Name, protection(r, p))
		if p.Kind == round.KindCounts {
			showCounts(&b, p)
		} else {
			showAnswers(&b, p)
		}
	}
	if len(balances) > 0 {
		b.WriteString("\nTold so far about your users and your organisation, this round included:\n")
		for _, l := range balances {
			fmt.Fprintf(&b, "  %s\n", balanceText(l))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// protection says how a part's cells are protected.
func protection(r *member.Round, p *member.PartDraft) string {
	part := partOf(r.Document, p)
	v := part.Privacy
	reused := ""
	if p.Reused && p.Kind == round.KindCounts && v.Mechanism != "none" {
		reused = "; the same values as before, with the same noise, at no cost"
	}
	switch {
	case p.Kind == round.KindAnswers:
		return fmt.Sprintf("answers; each aggregator adds noise to the sums, %s; the number of members per answer will be known to ± %d (95 %%), that per state exactly", v.Claim(), p.HalfWidth)
	case v.Mechanism == "none":
		return fmt.Sprintf("counts up to %d, without noise: protected by the split alone", part.Cap)
	}
	return fmt.Sprintf("counts up to %d with your own %s noise, %s; the industry's total of each cell will be known to ± %d (95 %%)%s",
		part.Cap, v.Mechanism, v.Claim(), p.HalfWidth, reused)
}

func partOf(d *round.Document, p *member.PartDraft) *round.Part {
	for i := range d.Parts {
		if d.Parts[i].Instrument == p.Instrument && d.Parts[i].Name == p.Name {
			return &d.Parts[i]
		}
	}
	panic("cli: internal error: a draft of a part that the round does not have")
}

func showCounts(b *strings.Builder, p *member.PartDraft) {
	w := tabwriter.NewWriter(b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "  cell\tyours\tafter cap\tleaves\t")
	skipped := map[string]bool{}
	for _, c := range p.Cells {
		if c.Contributed {
			fmt.Fprintf(w, "  %s %s\t%d\t%d\t%d\t\n", c.Metric, c.Code, c.Value, c.Capped, c.Leaves)
		} else if !skipped[c.Metric] {
			skipped[c.Metric] = true
			fmt.Fprintf(w, "  %s\tnot contributed\t\t\t\n", c.Metric)
		}
	}
	_ = w.Flush() // to memory
}

// showAnswers lists the cells that are one: the others are zero.
func showAnswers(b *strings.Builder, p *member.PartDraft) {
	metric := ""
	for _, c := range p.Cells {
		if c.Leaves != 1 {
			continue
		}
		if c.Metric != metric {
			if metric != "" {
				b.WriteByte('\n')
			}
			metric = c.Metric
			fmt.Fprintf(b, "  %s:", metric)
		}
		fmt.Fprintf(b, " %s", c.Code)
	}
	b.WriteByte('\n')
}

func balanceText(l ledger.Balance) string {
	name := l.Population
	if l.Instrument != "" {
		name += ", " + l.Instrument
	}
	if l.Year != "" {
		name += ", year " + l.Year
	}
	limit := "your policy has no budget for it"
	if l.Limit != nil {
		limit = "of at most " + l.Limit.RatString()
	}
	text := fmt.Sprintf("%s: ε = %s told", name, l.Spent.Epsilon.RatString())
	if l.Reserved.Epsilon != nil && l.Reserved.Epsilon.Sign() > 0 {
		text += fmt.Sprintf(", %s set aside for corrections", l.Reserved.Epsilon.RatString())
	}
	return text + ", " + limit
}
