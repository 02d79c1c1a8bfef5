package keccak

import "slices"

// A path is a way to run the permutations. The faster a path, the greater its number; a CPU that can take one can take
// those before it.
type path uint8

const (
	pathGo     path = iota // Go code, anywhere
	pathAVX2               // four lanes in vectors, one lane in Go
	pathAVX512             // one, four and eight lanes in vectors
)

var pathNames = [...]string{pathGo: "go", pathAVX2: "avx2", pathAVX512: "avx512"}

// current is what the package runs on. It is written only by SetPath.
var current = fastest()

// Path names what Permute12x4 runs on: "go", "avx2" or "avx512".
func Path() string { return pathNames[current] }

// Paths names the paths that this CPU and build can take, "go" first, the fastest last.
func Paths() []string { return slices.Clone(pathNames[:fastest()+1]) }

// SetPath makes the package run on the named path, one of Paths, and returns a function that undoes it; on another name
// it panics. It is for tests, benchmarks and the start of a program: it must not run while another goroutine uses
// the package.
func SetPath(name string) (restore func()) {
	i := slices.Index(Paths(), name)
	if i < 0 {
		panic("keccak: internal error: path " + name + " does not exist or this CPU cannot take it")
	}
	old := current
	current = path(i)
	return func() { current = old }
}
