package release_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"testing"

	"candor/schema/release"

	"github.com/google/go-cmp/cmp"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestTreeOfRFC9162 uses the test vectors of the Certificate Transparency reference implementation.
func TestTreeOfRFC9162(t *testing.T) {
	var inputs [][]byte
	for _, s := range []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"} {
		inputs = append(inputs, unhex(t, s))
	}
	for i, want := range []string{
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	} {
		if got := release.PlainTree(inputs[:i+1]); hex.EncodeToString(got[:]) != want {
			t.Errorf("root of %d inputs is %x, want %s", i+1, got, want)
		}
	}
	for _, tc := range []struct {
		index, size int
		path        []string
	}{
		{0, 8, []string{"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7", "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e", "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
		{5, 8, []string{"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b", "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
		{2, 3, []string{"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"}},
	} {
		var got []string
		for _, d := range release.PlainPath(tc.index, inputs[:tc.size]) {
			got = append(got, hex.EncodeToString(d[:]))
		}
		if diff := cmp.Diff(tc.path, got); diff != "" {
			t.Errorf("path of input %d of %d differs:\n%s", tc.index, tc.size, diff)
		}
	}
}

func leaves(n int) []release.Leaf {
	l := make([]release.Leaf, n)
	for i := range l {
		l[i].Salt = sha256.Sum256(fmt.Appendf(nil, "salt %d", i))
		l[i].Element = fmt.Appendf(nil, "element %08d", i)
	}
	return l
}

// TestRootByHand computes a commitment to two leaves from the definition in the text.
func TestRootByHand(t *testing.T) {
	l := leaves(2)
	sum := func(parts ...[]byte) []byte {
		h := sha256.Sum256(bytes.Join(parts, nil))
		return h[:]
	}
	u32 := func(n int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(n)) }
	leaf := func(i int) []byte {
		return sum([]byte{0}, []byte("candor/1 share element\x00"), u32(i), l[i].Salt[:], u32(len(l[i].Element)), l[i].Element)
	}
	want := sum([]byte("candor/1 share root\x00"), u32(2), sum([]byte{1}, leaf(0), leaf(1)))
	got, err := release.Root(l)
	if err != nil || !bytes.Equal(got[:], want) {
		t.Errorf("root %x, %v; want %x", got, err, want)
	}
}

func TestOpenings(t *testing.T) {
	for n := 1; n <= 70; n++ {
		l := leaves(n)
		root, err := release.Root(l)
		if err != nil {
			t.Fatal(err)
		}
		indices := make([]int, n)
		for i := range indices {
			indices[i] = i
		}
		openings, err := release.Open(l, indices)
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range openings {
			if got, err := o.Root(); err != nil || got != root {
				t.Fatalf("element %d of %d: root %x, %v; want %x", i, n, got, err, root)
			}
			b, err := o.MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			back, err := release.ParseOpening(b)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(o, back); diff != "" {
				t.Fatalf("element %d of %d parses differently:\n%s", i, n, diff)
			}
		}
	}
}

// TestOpeningTampered changes every byte of an encoded opening, and its place, in turn.
func TestOpeningTampered(t *testing.T) {
	l := leaves(13)
	root, err := release.Root(l)
	if err != nil {
		t.Fatal(err)
	}
	openings, err := release.Open(l, []int{0, 4, 12})
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range openings {
		b, err := o.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		for i := range b {
			for _, flip := range []byte{1, 0x80} {
				c := bytes.Clone(b)
				c[i] ^= flip
				changed, err := release.ParseOpening(c)
				if err != nil {
					continue
				}
				if got, err := changed.Root(); err == nil && got == root {
					t.Errorf("element %d: byte %d changed and the opening still holds", o.Index, i)
				}
			}
		}
		for index := range uint32(20) {
			for size := range uint32(40) {
				moved := o
				moved.Index, moved.Size = index, size
				if got, err := moved.Root(); err == nil && got == root && (index != o.Index || size != o.Size) {
					t.Errorf("element %d of %d also opens as element %d of %d", o.Index, o.Size, index, size)
				}
			}
		}
		short, long := o, o
		short.Path, long.Path = o.Path[1:], append(o.Path[:len(o.Path):len(o.Path)], root)
		for name, changed := range map[string]release.Opening{"short": short, "long": long} {
			if got, err := changed.Root(); err == nil && got == root {
				t.Errorf("element %d: a path too %s holds", o.Index, name)
			}
		}
	}
	// A node posing as a leaf: the classic second preimage of trees without separation.
	node := append(bytes.Clone(openings[0].Path[0][:]), openings[0].Path[1][:]...)
	if posed, err := release.Root(append(leaves(1), release.Leaf{Element: node})); err == nil && posed == root {
		t.Error("a node passes for a leaf")
	}
}

func TestTreeLimits(t *testing.T) {
	for name, l := range map[string][]release.Leaf{
		"no leaves": nil, "empty element": {{}}, "long element": {{Element: make([]byte, release.MaxElement+1)}},
	} {
		if _, err := release.Root(l); err == nil {
			t.Errorf("%s: committed", name)
		}
	}
	if _, err := release.Open(leaves(3), []int{3}); err == nil {
		t.Error("opened an element that is not there")
	}
	if _, err := release.Open(leaves(3), []int{-1}); err == nil {
		t.Error("opened element −1")
	}
	l := leaves(2)
	o, err := release.Open(l, []int{0})
	if err != nil {
		t.Fatal(err)
	}
	l[0].Element[0] ^= 1
	if bytes.Equal(o[0].Element, l[0].Element) {
		t.Error("the opening shares memory with the leaves")
	}
}

func FuzzParseOpening(f *testing.F) {
	openings, err := release.Open(leaves(5), []int{0, 3, 4})
	if err != nil {
		f.Fatal(err)
	}
	for _, o := range openings {
		b, err := o.MarshalBinary()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := release.ParseOpening(b)
		if err != nil {
			return
		}
		again, err := o.MarshalBinary()
		if err != nil || !bytes.Equal(again, b) {
			t.Fatalf("parsed %x, which encodes to %x, %v", b, again, err)
		}
		o.Root() // must not panic or run away
	})
}

func BenchmarkOpen600(b *testing.B) {
	l := leaves(600)
	indices := make([]int, len(l))
	for i := range indices {
		indices[i] = i
	}
	for b.Loop() {
		if _, err := release.Open(l, indices); err != nil {
			b.Fatal(err)
		}
	}
}
