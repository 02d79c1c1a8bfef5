package dp_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"
)

// Between random bytes and exact noise there are no floats: the samplers import neither math nor math/rand, declare
// no float, and use no float literal.
func TestSamplerIsIntegerOnly(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "sampler.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range f.Imports {
		switch i.Path.Value {
		case `"encoding/binary"`, `"fmt"`, `"io"`, `"math/big"`:
		default:
			t.Errorf("sampler.go imports %s", i.Path.Value)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if n.Kind == token.FLOAT || n.Kind == token.IMAG {
				t.Errorf("sampler.go has the literal %s", n.Value)
			}
		case *ast.Ident:
			switch n.Name {
			case "float32", "float64", "Float", "Float32", "Float64", "complex64", "complex128":
				t.Errorf("sampler.go uses %s", n.Name)
			}
		}
		return true
	})
}
