package prio3

import (
	"slices"

	"candor/crypto/field"
	"candor/crypto/keccak"
)

// ifma is the path on which Keccak runs on "avx512" and Field128 on "ifma". On the others Field128 runs in Go.
const ifma = "ifma"

// Path names what reports are sharded and verified on: "go", "avx2", "avx512" or "ifma", the last being both AVX-512 Keccak
// and 52-bit multiplication.
func Path() string {
	if field.Path() == ifma {
		return ifma
	}
	return keccak.Path()
}

// Paths names the paths that this CPU and build can take, "go" first, the fastest last.
func Paths() []string {
	paths := keccak.Paths()
	if slices.Contains(field.Paths(), ifma) && paths[len(paths)-1] == "avx512" {
		paths = append(paths, ifma)
	}
	return paths
}

// SetPath makes everything run on the named path, one of Paths, and returns a function that undoes it. It is for tests,
// benchmarks and the start of a program: it must not run while another goroutine uses a VDAF. Results are the same on every path.
func SetPath(name string) (restore func()) {
	lanes, elements := name, "go"
	if name == ifma {
		lanes, elements = "avx512", ifma
	}
	restoreLanes := keccak.SetPath(lanes)
	restoreElements := field.SetPath(elements)
	return func() {
		restoreElements()
		restoreLanes()
	}
}
