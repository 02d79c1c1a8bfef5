package field

import "slices"

// A path is a way to run the vector functions. The faster a path, the greater its number.
type path uint8

const (
	pathGo   path = iota // Go code, anywhere
	pathAVX2             // sums of bits times elements, in digits of a byte; the rest in Go
	pathIFMA             // eight elements at once, with the AVX-512 instructions that multiply 52-bit integers
)

var pathNames = [...]string{pathGo: "go", pathAVX2: "avx2", pathIFMA: "ifma"}

// current is what the package runs on. It is written only by SetPath.
var current = fastest()

// Path names what long vectors run on: "go", "avx2" or "ifma".
func Path() string { return pathNames[current] }

// Paths names the paths that this CPU and build can take, "go" first, the fastest last.
func Paths() []string { return slices.Clone(pathNames[:fastest()+1]) }

// SetPath makes the package run on the named path, one of Paths, and returns a function that undoes it; on another name
// it panics. It is for tests, benchmarks and the start of a program: it must not run while another goroutine uses
// the package. Results are the same on every path.
func SetPath(name string) (restore func()) {
	i := slices.Index(Paths(), name)
	if i < 0 {
		panic("field: internal error: path " + name + " does not exist or this CPU cannot take it")
	}
	old := current
	current = path(i)
	return func() { current = old }
}
