package publish_test

import (
	"crypto/rand"
	"io/fs"
	"maps"
	"math/big"
	"slices"
	"strings"
	"testing"

	"candor/client/publish"
	"candor/crypto/sign"
	"candor/schema/metric"
	"candor/schema/release"
	"candor/schema/round"
	"candor/schema/round/roundtest"
)

// A released round: everything that the secretariat has, and what it publishes.
type released struct {
	*roundtest.Coalition
	publication publish.Publication
	bundle      release.Bundle
}

var fieldModulus, _ = new(big.Int).SetString("340282366920938462946865773367900766209", 10)

// element encodes x as Field128 does.
func element(x *big.Int) []byte {
	b := new(big.Int).Mod(x, fieldModulus).FillBytes(make([]byte, 16))
	slices.Reverse(b)
	return b
}

// shares splits sums, with the offsets of all reports, into two shares of which each alone is random.
func shares(t testing.TB, sums []int64, reports, offset uint64) (leaves [2][]release.Leaf) {
	t.Helper()
	for i := range leaves {
		leaves[i] = make([]release.Leaf, len(sums))
	}
	for k, v := range sums {
		mask, err := rand.Int(rand.Reader, fieldModulus)
		if err != nil {
			t.Fatal(err)
		}
		x := new(big.Int).Add(big.NewInt(v), new(big.Int).SetUint64(reports*offset))
		leaves[0][k].Element, leaves[1][k].Element = element(mask), element(x.Sub(x, mask))
		rand.Read(leaves[0][k].Salt[:])
		rand.Read(leaves[1][k].Salt[:])
	}
	return leaves
}

// batchOf plays both aggregators: sums are those that the shares add up to, noise included.
func batchOf(t testing.TB, c *roundtest.Coalition, part int, reports uint64, sums []int64, noise string, blanked ...uint32) release.Batch {
	t.Helper()
	d := c.Document
	tasks, err := d.Tasks()
	if err != nil {
		t.Fatal(err)
	}
	hash, err := d.Hash()
	if err != nil {
		t.Fatal(err)
	}
	b := release.Batch{Task: tasks[part].ID, Reports: reports, Leaves: shares(t, sums, reports, d.Parts[part].Offset)}
	for i, by := range []struct {
		role string
		key  *sign.PrivateKey
	}{{release.Leader, c.Leader}, {release.Helper, c.Helper}} {
		root, err := release.Root(b.Leaves[i])
		if err != nil {
			t.Fatal(err)
		}
		b.Statements[i], err = release.SignStatement(by.key, release.Statement{
			Role: by.role, Task: b.Task, Round: release.Digest(hash), Reports: reports, Checksum: release.Digest{1}, List: release.Digest{2},
			Noise: noise, Blanked: append([]uint32{}, blanked...), Elements: uint32(len(sums)), Software: "candor test", Root: root,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return b
}

// catalogueRound is a coalition that asks for whole instruments of the standard catalogue, all counts capped at 1000.
func catalogueRound(t testing.TB, members int, instruments ...string) *roundtest.Coalition {
	t.Helper()
	c := roundtest.New(t, members, 1)
	catalogue := metric.Standard()
	caps := map[string]int64{}
	for _, id := range instruments {
		for _, m := range catalogue.Instrument(id).Metrics {
			if m.Type.Counts() && m.Max > 1000 {
				caps[m.Path()] = 1000
			}
		}
	}
	d := c.Document
	plan := round.Plan{ID: d.ID, Period: d.Period, Window: d.Window, Precision: d.TimePrecision, Catalogue: catalogue, Instruments: instruments, Caps: caps,
		Secretariat: d.Secretariat, Leader: d.Leader, Helper: d.Helper, Collector: d.Collector, Roster: d.Roster, Minimum: d.Minimum, Release: d.Release}
	var err error
	if c.Document, err = plan.Document(); err != nil {
		t.Fatal(err)
	}
	if problems := c.Document.Check(); len(problems) > 0 {
		t.Fatal(problems)
	}
	return c
}

// publishedRound releases hash-match of 40 members: most cells large, one so small that its certificate fails, one metric
// blanked, states of which some are coarsened.
func publishedRound(t testing.TB) *released {
	t.Helper()
	r := &released{Coalition: catalogueRound(t, 40, "hash-match")}
	r.releaseOf(t)
	return r
}

// releaseOf makes up the sums of a round and releases it.
func (r *released) releaseOf(t testing.TB) {
	t.Helper()
	d := r.Document
	var batches []release.Batch
	for i := range d.Parts {
		p := &d.Parts[i]
		sums := make([]int64, len(p.Cells))
		var blanked []uint32
		noise, small := "none", true
		if p.Kind == round.KindAnswers {
			noise = "dlap:1"
		}
		for k, cell := range p.Cells {
			switch {
			case p.Kind == round.KindAnswers && strings.HasPrefix(cell.Code, "state:"):
				sums[k] = map[string]int64{"state:measured": 30, "state:estimated": 8, "state:not-measured": 2}[cell.Code]
			case strings.HasPrefix(cell.Code, "magnitude:"):
				sums[k] = map[string]int64{"magnitude:10-99": 25, "magnitude:1k-9999": 15}[cell.Code]
			case p.Kind == round.KindAnswers:
				sums[k] = int64(k%25) - 1
			case cell.Metric == p.Cells[len(p.Cells)-1].Metric && len(p.Metrics()) > 1:
				blanked = append(blanked, uint32(k))
				sums[k] = 1 << 60
			case small && cell.Code != "total":
				sums[k], small = 900, false // of a cap of 1000: one member could be all of it
			default:
				sums[k] = 20_000 + 977*int64(k)
			}
		}
		batches = append(batches, batchOf(t, r.Coalition, i, 40, sums, noise, blanked...))
	}
	r.publication = publish.Publication{
		Signed: r.Sign(t), Catalogue: metric.Standard(), Batches: batches, Date: "2026-05-04",
		Words: publish.Words{Site: &publish.SiteWords{Coalition: "Example coalition", Period: "January to March 2026", Date: "2026-05-04", Limits: limitsText,
			Helplines: []publish.Helpline{{Name: "Example helpline", How: "telephone 000"}}}},
	}
	r.assemble(t)
}

// assemble makes and signs the bundle.
func (r *released) assemble(t testing.TB) {
	t.Helper()
	var err error
	if r.bundle, err = publish.Assemble(r.publication); err != nil {
		t.Fatal(err)
	}
	r.sign(t)
}

func (r *released) sign(t testing.TB) {
	t.Helper()
	r.bundle.Signatures = nil
	if err := r.bundle.Sign(r.Secretariat); err != nil {
		t.Fatal(err)
	}
}

func (r *released) pins() *publish.Trust { return &publish.Trust{Trust: r.Trust()} }

// render returns the files of the release, a copy.
func (r *released) render(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := publish.RenderBundle(r.bundle)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// verifyFiles verifies a release from its files by path.
func verifyFiles(rendered map[string][]byte, trust *publish.Trust, earlier ...*publish.Earlier) publish.Verification {
	files := release.Files{}
	for name, data := range rendered {
		if name, ok := strings.CutPrefix(name, "data/"); ok && name != "release.tar" {
			files[name] = data
		}
	}
	return publish.Verify(files, &publish.Location{
		Read: func(name string) ([]byte, error) {
			data, ok := rendered[name]
			if !ok {
				return nil, fs.ErrNotExist
			}
			return data, nil
		},
		List: func() ([]string, error) { return slices.Sorted(maps.Keys(rendered)), nil },
	}, trust, earlier...)
}

// checkOf returns a check by its item.
func checkOf(v publish.Verification, item string) publish.Check {
	for _, c := range v.Checks {
		if c.Item == item {
			return c
		}
	}
	return publish.Check{}
}

func mustEncode(t testing.TB, d *round.Document) []byte {
	t.Helper()
	text, err := d.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return text
}
