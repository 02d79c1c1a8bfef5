package prio3

import (
	"slices"

	"candor/crypto/field"
	"candor/crypto/keccak"
)

// A path names what reports are sharded and verified on: the lanes of Keccak, and the elements of Field128.
var paths = []struct{ name, lanes, elements string }{
	{"go", "go", "go"},
	{"avx2", "avx2", "avx2"},
	{"avx512", "avx512", "avx2"},
	{"ifma", "avx512", "ifma"},
}

// Path names what reports are sharded and verified on: "go", "avx2", "avx512" or "ifma", the last being both AVX-512 Keccak
// and 52-bit multiplication.
func Path() string {
	for _, p := range paths {
		if p.lanes == keccak.Path() && p.elements == field.Path() {
			return p.name
		}
	}
	return keccak.Path() + " and " + field.Path() // whoever set them apart
}

// Paths names the paths that this CPU and build can take, "go" first, the fastest last.
func Paths() []string {
	var names []string
	for _, p := range paths {
		if slices.Contains(keccak.Paths(), p.lanes) && slices.Contains(field.Paths(), p.elements) {
			names = append(names, p.name)
		}
	}
	return names
}

// SetPath makes everything run on the named path, one of Paths, and returns a function that undoes it; on another name it panics. It is for tests,
// benchmarks and the start of a program: it must not run while another goroutine uses a VDAF. Results are the same on every path.
func SetPath(name string) (restore func()) {
	for _, p := range paths {
		if p.name == name {
			restoreLanes := keccak.SetPath(p.lanes)
			restoreElements := field.SetPath(p.elements)
			return func() {
				restoreElements()
				restoreLanes()
			}
		}
	}
	panic("prio3: internal error: there is no path " + name)
}
