package keccak

import "slices"

// A path is a way to run the permutations.
type path uint8

// pathGo comes first; the faster a path, the greater its number.
const (
	pathGo path = iota
)

var pathNames = [...]string{pathGo: "go"}

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
		panic("keccak: path " + name + " does not exist or this CPU cannot take it")
	}
	old := current
	current = path(i)
	return func() { current = old }
}
