package release_test

import (
	"strings"
	"testing"

	"candor/schema/release"
)

// batch is one of the task of statement, with the same leaves at both aggregators.
func batch(t testing.TB) release.Batch {
	t.Helper()
	b := release.Batch{Task: statement(t, release.Leader).Task, Reports: 40, Leaves: [2][]release.Leaf{leaves(4), leaves(4)}}
	for i, role := range []string{release.Leader, release.Helper} {
		s, err := release.SignStatement(testKey(t, byte(i+1)), statement(t, role))
		if err != nil {
			t.Fatal(err)
		}
		b.Statements[i] = s
	}
	return b
}

func TestBatch(t *testing.T) {
	check := func(b release.Batch) error {
		return b.Check(release.Digest{4}, testKey(t, 1).PublicKey(), testKey(t, 2).PublicKey())
	}
	good := batch(t)
	if err := check(good); err != nil {
		t.Fatal(err)
	}
	opened, err := good.Open([]int{0, 3})
	if err != nil || len(opened) != 4 || opened[0].Role != release.Leader || opened[3].Role != release.Helper || opened[3].Opening.Index != 3 {
		t.Errorf("opened %+v, %v", opened, err)
	}
	for i, e := range opened {
		if err := e.Verify(good.Statements[i/2].Statement); err != nil {
			t.Error(err)
		}
	}
	if !good.Blanked(2) || good.Blanked(1) {
		t.Error("the blanked element is not element 2")
	}
	if _, err := good.Open([]int{2}); err == nil {
		t.Error("a blanked element was opened")
	}
	if err := check(release.Batch{Refused: "9 of 10 groups"}); err != nil {
		t.Errorf("a refused batch: %v", err)
	}
	for what, c := range map[string]struct {
		change func(*release.Batch)
		want   string
	}{
		"share":       {func(b *release.Batch) { b.Leaves[1][0].Element[0] ^= 1 }, "statement of the helper on task"},
		"salt":        {func(b *release.Batch) { b.Leaves[0][3].Salt[0] ^= 1 }, "not the one that it commits to"},
		"short share": {func(b *release.Batch) { b.Leaves[0] = b.Leaves[0][:3] }, "not the one that it commits to"},
		"no share":    {func(b *release.Batch) { b.Leaves[0] = nil }, "0 elements"},
		"reports":     {func(b *release.Batch) { b.Reports = 41 }, "counts 40 reports, the collection 41"},
		"task":        {func(b *release.Batch) { b.Task[0]++ }, "it is about task"},
		"swapped":     {func(b *release.Batch) { b.Statements[0], b.Statements[1] = b.Statements[1], b.Statements[0] }, "it is one of the helper"},
		"signature":   {func(b *release.Batch) { b.Statements[1].Signature[5] ^= 1 }, "statement of the helper"},
		"field":       {func(b *release.Batch) { b.Statements[0].List[0] ^= 1 }, "differ in list"},
	} {
		b := batch(t)
		c.change(&b)
		if err := check(b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
	if err := good.Check(release.Digest{5}, testKey(t, 1).PublicKey(), testKey(t, 2).PublicKey()); err == nil || !strings.Contains(err.Error(), "another round document") {
		t.Errorf("another round: %v", err)
	}
}
