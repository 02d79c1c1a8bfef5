package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"candor/client/publish"
	"candor/cmd/candor/internal/config"
	"candor/crypto/sign"
	"candor/schema/metric"
	"candor/schema/release"
)

func newReleaseCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "release", Short: "Decide, build, sign and verify releases", Args: cobra.NoArgs}
	cmd.AddCommand(newReleasePlanCmd(), newReleaseBuildCmd(), newReleaseSignCmd(), newReleaseVerifyCmd())
	return cmd
}

// publication is a round that was collected, ready to be decided.
func publication(ctx context.Context, c *config.Coalition, id, catalogue string, h *releaseHistory) (p publish.Publication, err error) {
	if p.Signed, err = c.Round(id); err != nil {
		return p, err
	}
	r, err := collection(c, p.Signed, nil)
	if err != nil {
		return p, err
	}
	if p.Batches, err = r.Batches(); err != nil {
		return p, withHint(err, "candor collect --coalition %s %s", c.Dir, id)
	}
	p.Catalogue = metric.Standard()
	if catalogue != "" {
		if p.Catalogue, err = config.LoadCatalogue(catalogue); err != nil {
			return p, err
		}
	}
	p.History, p.Previous, err = h.read(ctx, c, id)
	return p, err
}

func newReleasePlanCmd() *cobra.Command {
	var asJSON bool
	var catalogue string
	var history releaseHistory
	cmd := &cobra.Command{
		Use:   "plan ROUND_ID",
		Short: "Show what would be released, cell by cell, with the rule that decides",
		Long: `Show for each cell of a collected round whether it would be released, by which rule, and the numbers that the rule looked at.
Nothing is signed or written. The rules are those of the round document, which was signed before anything was known.

Every release that was signed here before is compared with this one: a figure is not shown beside an earlier
one if the difference would be that of few members. Others are named with --previous.`,
		Example: "  candor release plan --coalition coalition 2026q1",
		Args:    cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().StringVar(&catalogue, "catalogue", "", "the coalition's own catalogue `FILE`, if the round has one")
	history.addFlags(cmd)
	c := coalitionFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := publication(cmd.Context(), c, args[0], catalogue, &history)
		if err != nil {
			return err
		}
		plan, err := publish.PlanRound(p.Signed.Document, p.Catalogue, p.Batches, p.History)
		if err != nil {
			return err
		}
		if p.Signed.Document.Rehearsal {
			fmt.Fprintln(cmd.ErrOrStderr(), "candor: warning: this is a rehearsal, which is never released")
		}
		if asJSON {
			if err := json.NewEncoder(cmd.OutOrStdout()).Encode(plan.Decisions); err != nil {
				return err
			}
			return plan.Refused
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "CELL\tDECISION\tRULE\tNUMBERS\tESTIMATE")
		for _, d := range plan.Decisions {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", d.Instrument+"."+d.Metric+brackets(d.Cell), d.Status, d.Rule, d.Numbers, estimate(d.Figure))
		}
		for _, q := range plan.Ratios {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", q.Instrument+"."+q.Ratio+brackets(q.Cell), q.Status, "ratio", quotient(q), ratioEstimate(q))
		}
		if err := w.Flush(); err != nil {
			return err
		}
		rules := map[string]int{}
		for _, d := range plan.Decisions {
			rules[d.Rule]++
		}
		for _, rule := range slices.Sorted(maps.Keys(rules)) {
			fmt.Fprintf(cmd.ErrOrStderr(), "%d by the rule %q. ", rules[rule], rule)
		}
		fmt.Fprintln(cmd.ErrOrStderr())
		for _, e := range plan.Earlier {
			fmt.Fprintf(cmd.ErrOrStderr(), "Compared with the release of round %s, revision %d.\n", e.Round, e.Revision)
		}
		if plan.Refused != nil {
			return fmt.Errorf("round %s cannot be released: %w", args[0], plan.Refused)
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "Nothing was signed. Next: candor release build --coalition %s %s --out DIR\n", c.Dir, args[0])
		return nil
	}
	return cmd
}

func estimate(f release.Figure) string {
	if f.Value == nil {
		return "–"
	}
	return fmt.Sprintf("%d (%d to %d)", *f.Value, *f.CILow, *f.CIHigh)
}

func brackets(cell string) string {
	if cell == "" {
		return ""
	}
	return "[" + cell + "]"
}

// quotient are the numbers of a ratio.
func quotient(q release.Ratio) string {
	if q.Numerator == nil {
		return "–"
	}
	return fmt.Sprintf("%d of %d", *q.Numerator, *q.Denominator)
}

func ratioEstimate(q release.Ratio) string {
	if q.Value == nil {
		return "–"
	}
	return fmt.Sprintf("%s (%s to %s)", *q.Value, *q.CILow, *q.CIHigh)
}

type releaseBuild struct {
	out, limits, words, catalogue, date, licence, what, why string
	yes                                                     bool
	history                                                 releaseHistory
}

func newReleaseBuildCmd() *cobra.Command {
	var o releaseBuild
	cmd := &cobra.Command{
		Use:   "build ROUND_ID --out DIR",
		Short: "Write the signed release of a round: pages, data, proofs",
		Long: `Write into DIR the pages of a collected round and, below data/, the bundle as files and as release.tar: figures as CSV and JSON,
code book, round document, statements, and the opened elements of the published cells with their paths.
It is signed with the coalition's key; where the round asks for more signatures, candor release sign adds them.
Without --yes the command only says what would be released. A release in DIR is replaced, and the change is
logged: --what and --why say it in a sentence each. A rehearsal is refused.

The page on setbacks and limits is yours to write: a Markdown file with the sections "What worked",
"What did not work", "What we do not know" and "What changes next".`,
		Example: "  candor release build --coalition coalition 2026q1 --out release --limits limits.md --yes",
		Args:    cobra.ExactArgs(1),
	}
	fs := cmd.Flags()
	fs.StringVar(&o.out, "out", "", "`DIR` for the release (required)")
	fs.StringVar(&o.limits, "limits", "", "Markdown `FILE` of the setbacks-and-limits page (default limits.md in the coalition's directory)")
	fs.StringVar(&o.words, "words", "", "YAML `FILE` with coalition, period, notice, headlines, helplines and prevention for the pages")
	fs.StringVar(&o.catalogue, "catalogue", "", "the coalition's own catalogue `FILE`, if the round has one")
	fs.StringVar(&o.date, "date", "", "`DATE` of publication, like 2026-05-04 (default today)")
	fs.StringVar(&o.licence, "licence", "", "of the data, an `SPDX` identifier such as CC-BY-4.0")
	fs.StringVar(&o.what, "what", "", "in a revision: what changed, in a `SENTENCE`")
	fs.StringVar(&o.why, "why", "", "in a revision: why, in a `SENTENCE`")
	o.history.addFlags(cmd)
	fs.BoolVar(&o.yes, "yes", false, "sign and write")
	_ = cmd.MarkFlagRequired("out") // the flag exists
	c := coalitionFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return o.run(cmd, c, args[0]) }
	return cmd
}

func (o *releaseBuild) run(cmd *cobra.Command, c *config.Coalition, id string) error {
	if s, err := c.Round(id); err == nil && s.Document.Rehearsal {
		return fmt.Errorf("round %s is a rehearsal with synthetic figures: it is never released", id)
	}
	p, err := publication(cmd.Context(), c, id, o.catalogue, &o.history)
	if err != nil {
		return err
	}
	p.Date, p.Licence, p.What, p.Why = o.date, o.licence, o.what, o.why
	if p.Date == "" {
		p.Date = time.Now().UTC().Format(time.DateOnly)
	}
	site, err := o.site(c, p)
	if err != nil {
		return err
	}
	p.Words.Site = site
	if err := replaceable(o.out, id); err != nil {
		return err
	}
	bundle, err := publish.Assemble(p)
	if err != nil {
		return err
	}
	shown := 0
	for _, f := range bundle.Figures {
		if f.Status.Open() {
			shown++
		}
	}
	fmt.Fprintf(cmd.OutOrStdout(), "round %s: %d of %d figures are shown, %d ratios; revision %s\n", id, shown, len(bundle.Figures), len(bundle.Ratios), bundle.Package.Version)
	if !o.yes {
		if _, err := publish.RenderBundle(bundle); err != nil { // mistakes in words show before anything is signed
			return err
		}
		return withHint(errors.New("nothing was signed"), "candor release plan --coalition %s %s, then candor release build with --yes", c.Dir, id)
	}
	key, err := c.Identity()
	if err != nil {
		return err
	}
	if err := bundle.Sign(key); err != nil {
		return err
	}
	if err := publish.WriteBundle(o.out, bundle); err != nil {
		return err
	}
	if err := keep(c, bundle, id); err != nil {
		return fmt.Errorf("keeping the release for comparisons: %w", err)
	}
	return o.closing(cmd, key, p, bundle)
}

// closing verifies what was written as any reader would, and says what is missing.
func (o *releaseBuild) closing(cmd *cobra.Command, key *sign.PrivateKey, p publish.Publication, bundle release.Bundle) error {
	fmt.Fprintf(cmd.OutOrStdout(), "written to %s\n", o.out)
	if missing := int(p.Signed.Document.Release.Signatures) - len(bundle.Signatures); missing > 0 {
		fmt.Fprintf(cmd.OutOrStdout(), "signatures: %d more needed, of %s\n", missing, strings.Join(fingerprints(p.Signed.Document.Release.Signers), ", "))
		fmt.Fprintf(cmd.ErrOrStderr(), "Next: candor release sign %s --key FILE\n", o.out)
		return nil
	}
	trust, err := ownTrust(key, p.Signed.Document)
	if err != nil {
		return err
	}
	v, err := verifyAt(cmd.Context(), o.out, &publish.Trust{Trust: trust}, p.History.Earlier...)
	if err != nil {
		return err
	}
	return printVerdict(cmd, v)
}

// siteWords is the file of words for the pages.
type siteWords struct {
	Coalition string `yaml:"coalition"`
	Period    string `yaml:"period,omitempty"`
	Headlines []struct {
		Instrument string `yaml:"instrument"`
		Metric     string `yaml:"metric"`
		Cell       string `yaml:"cell,omitempty"`
		Ratio      bool   `yaml:"ratio,omitempty"`
		Meaning    string `yaml:"meaning"`
	} `yaml:"headlines,omitempty"`
	Helplines  []siteHelpline `yaml:"helplines,omitempty"`  // for those who were harmed
	Prevention []siteHelpline `yaml:"prevention,omitempty"` // for those who fear to do harm
	Notice     string         `yaml:"notice,omitempty"`     // above every page
}

type siteHelpline struct {
	Name string `yaml:"name"`
	How  string `yaml:"how,omitempty"`
	URL  string `yaml:"url,omitempty"`
}

// site reads the words of the pages.
func (o *releaseBuild) site(c *config.Coalition, p publish.Publication) (*publish.SiteWords, error) {
	limits := o.limits
	if limits == "" {
		limits = c.Path("limits.md")
	}
	text, err := os.ReadFile(limits)
	if err != nil {
		return nil, withHint(fmt.Errorf("reading the setbacks-and-limits page: %w", err), "candor release build --help says what is in it")
	}
	d := p.Signed.Document
	w := &publish.SiteWords{Coalition: "The coalition", Period: d.Period.Label, Date: p.Date, Limits: string(text)}
	if o.words == "" {
		return w, nil
	}
	var file siteWords
	if err := config.Load(o.words, &file); err != nil {
		return nil, fmt.Errorf("reading the words of the pages: %w", err)
	}
	w.Coalition = file.Coalition
	if file.Period != "" {
		w.Period = file.Period
	}
	for _, h := range file.Headlines {
		k := release.Key{Round: d.ID, Instrument: h.Instrument, Metric: h.Metric, Cell: h.Cell}
		w.Headlines = append(w.Headlines, publish.Headline{Key: k, Ratio: h.Ratio, Meaning: h.Meaning})
	}
	w.Notice = file.Notice
	for _, h := range file.Helplines {
		w.Helplines = append(w.Helplines, publish.Helpline(h))
	}
	for _, h := range file.Prevention {
		w.Prevention = append(w.Prevention, publish.Helpline(h))
	}
	return w, nil
}

// replaceable refuses to replace the release of another round.
func replaceable(dir, id string) error {
	if entries, err := os.ReadDir(dir); err != nil || len(entries) == 0 {
		return nil // nothing to replace; writing says what else is wrong
	}
	b, _, err := publish.ReadRelease(publish.Dir(dir))
	if err != nil {
		return fmt.Errorf("reading the release that is in %s: %w", dir, err)
	}
	if got := b.Package.Name; got != "candor-"+id {
		return fmt.Errorf("%s holds the release %s, not one of round %s: choose another directory", dir, got, id)
	}
	return nil
}
