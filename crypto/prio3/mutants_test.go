package prio3_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// mutants are mistakes that are easily made, each as a replacement in one source file. For every one the tests of the
// cryptography must fail. Where a mutant's text is no longer in the source, it has to be found again.
var mutants = []struct{ what, file, old, new string }{
	{"version of older drafts", "prio3/prio3.go", "const Version = 18", "const Version = 12"},
	{"proof as coefficients instead of values", "flp/prove.go", "n := copy(proof, proveRand)", "n := copy(proof, proveRand)\n\tcopy(w.g[w.p:], w.g[:w.p])\n\tf.Backward(w.g[w.p:2*w.p], w.inverse)"},
	{"blinds swapped", "prio3/shard.go", "rand = rand[copy(input[id], rand):]", "swap := append(append(append([]byte(nil), rand[:32]...), rand[len(input[id]):len(input[id])+32]...), rand[32:64]...)\n\t\t\tcopy(rand, swap[:32])\n\t\t\tif len(input[id]) == 64 {\n\t\t\t\tcopy(rand[32:], swap[32:])\n\t\t\t}\n\t\t\trand = rand[copy(input[id], rand):]"},
	{"length of the tag big-endian", "xof/xof.go", "binary.LittleEndian.AppendUint16", "binary.BigEndian.AppendUint16"},
	{"domain byte", "xof/xof.go", "block[n] = 1\n", "block[n] = 0x1f\n"},
	{"rejected candidates kept", "prio3/expand.go", "!x.field.Valid(in.out)", "!x.field.Valid(in.out[:0])"},
	{"wire seed left out", "flp/gadget.go", "\tv[0] = w.field.Decode(seeds)\n", ""},
	{"roots of unity not refused", "flp/query.go", "return false // t^p = 1", "_ = t // t^p = 1"},
	{"circuit's outputs not decided", "flp/query.go", "== last && zero", "== last && (zero || true)"},
	{"gadget not decided", "flp/query.go", "return w.gadget.eval(verifier[size:(1+w.arity)*size]) == last && zero", "return (w.gadget.eval(verifier[size:(1+w.arity)*size]) == last || true) && zero"},
	{"reduction by one random element", "flp/query.go", "f.Dot(w.out, queryRand, 1)", "f.Dot(w.out, queryRand, 0)"},
	{"missing value forgotten", "flp/query.go", "if i := w.m + q; i%w.cosets == c {", "if i := w.m + q; i%w.cosets == -1 {"},
	{"share of one not divided", "flp/system.go", "if shares > 1 {", "if shares > 2 {"},
	{"last weight a power of two", "flp/bound.go", "max - rest}", "rest + 1}"},
	{"one more than the bound", "flp/bound.go", "return over == 0", "return over <= 1"},
	{"Helper ignores the joint randomness", "prio3/pingpong.go", "if subtle.ConstantTimeCompare(l.seed[:], l.message[:]) != 1 {", "if false {"},
	{"Leader ignores the joint randomness", "prio3/pingpong.go", "if subtle.ConstantTimeCompare(st.seed, message) != 1 {", "if subtle.ConstantTimeCompare(st.seed, message) > 1 {"},
	{"proof ignored", "prio3/pingpong.go", "if !w.worker.Decide(", "if w.worker.Decide("},
	{"message type ignored", "prio3/pingpong.go", "|| b[0] != kind ", ""},
	{"inner length ignored", "prio3/pingpong.go", " || binary.BigEndian.Uint32(b[1:]) != uint32(size)", ""},
	{"elements of verifier shares unchecked", "prio3/steps.go", `return v.checkElements("verifier share", share[:v.vectorSize()])`, "return nil"},
	{"elements of input shares unchecked", "prio3/steps.go", `return v.checkElements("input share", inputShare[:v.measSize()+v.proofSize()])`, "return nil"},
	{"elements of aggregate shares unchecked", "prio3/aggregate.go", `return v.checkElements("share", share)`, "return nil"},
	{"public share of another length", "prio3/steps.go", `if err := checkSize("public share", publicShare, v.PublicShareSize()); err != nil {`, "if err := error(nil); err != nil {"},
	{"own part taken from the public share", "prio3/verify.go", "copy(l.public, l.report.PublicShare)\n", "defer copy(l.public, l.report.PublicShare)\n"},
	{"nonce not in the query randomness", "prio3/verify.go", "in[i] = stream{seed: w.key[:], head: l.head[:], out: l.query}", "in[i] = stream{seed: w.key[:], head: l.head[:1], out: l.query}"},
	{"carry lost in Field128", "field/f128.go", "return t0, t1, t2 + h1 + c + d", "return t0, t1, t2 + h1 + c"},
	{"carry lost where a power is reduced", "field/range128.go", "h, _ = bits.Add64(h, 0, c)", "h, _ = bits.Add64(h, 0, 0*c)"},
	{"rows paired where both have a 1", "field/range128.go", "m := -uint64(x[j] ^ y[j])", "m := -uint64(x[j] | y[j])"},
	{"carry lost in a Lagrange weight", "field/f64.go", "m-m>>32-e", "m-m>>32-0*e"},
	{"borrow lost in Field64", "field/f64.go", "t -= -borrow & eps64", "t -= borrow & eps64"},
	{"modulus itself accepted in Field128", "field/vec128.go", "_, b := bits.Sub64(lo, 1, 0)", "_, b := bits.Sub64(lo, 2, 0)"},
}

// TestMutants runs the tests on each mutant. It takes minutes, and runs with CANDOR_TEST_LONG.
func TestMutants(t *testing.T) {
	if os.Getenv("CANDOR_TEST_LONG") == "" || os.Getenv("CANDOR_TEST_MUTANT") != "" {
		t.Skip("CANDOR_TEST_LONG is not set")
	}
	for _, m := range mutants {
		t.Run(m.what, func(t *testing.T) {
			path, err := filepath.Abs(filepath.Join("..", m.file))
			if err != nil {
				t.Fatal(err)
			}
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Count(string(source), m.old) != 1 {
				t.Fatalf("%s has not exactly one %q", m.file, m.old)
			}
			dir := t.TempDir()
			mutant, overlay := filepath.Join(dir, "mutant.go"), filepath.Join(dir, "overlay.json")
			replace, err := json.Marshal(map[string]map[string]string{"Replace": {path: mutant}})
			if err != nil {
				t.Fatal(err)
			}
			if os.WriteFile(mutant, []byte(strings.Replace(string(source), m.old, m.new, 1)), 0o600) != nil || os.WriteFile(overlay, replace, 0o600) != nil {
				t.Fatal("writing the mutant")
			}
			args := []string{"test", "-short", "-overlay", overlay}
			build := exec.CommandContext(t.Context(), "go", "vet", "-overlay", overlay, "./"+filepath.Dir(filepath.Join("..", m.file)))
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("the mutant does not build: %s", out)
			}
			cmd := exec.CommandContext(t.Context(), "go", append(args, "candor/crypto/field", "candor/crypto/xof", "candor/crypto/flp", "candor/crypto/prio3", "candor/crypto/vectors")...)
			cmd.Env = append(os.Environ(), "CANDOR_TEST_LONG=", "CANDOR_TEST_MUTANT=1")
			if out, err := cmd.CombinedOutput(); err == nil {
				t.Errorf("all tests pass:\n%s", out)
			}
		})
	}
}
