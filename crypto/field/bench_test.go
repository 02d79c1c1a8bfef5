package field_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"candor/crypto/field"
)

// BenchmarkKernels times the whole-vector operations of proofs, on a square matrix of bits; ns/elem is for one of its elements, or for one
// of the vector.
func BenchmarkKernels(b *testing.B) {
	o, r := oracle128, rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{32, 110} {
		x, seeds, e := o.bytes(o.vector(r, n*n)), o.bytes(o.vector(r, 2*n)), o.elems(o.vector(r, n+1))
		gates, dst, out, scratch := make([]byte, n*n), make([]byte, 16*2*n), make([]field.Elem128, n), make([]field.Elem128, field.RangeScratch(n))
		for i := range gates {
			gates[i] = byte(r.IntN(2))
		}
		for name, run := range map[string]struct {
			f     func()
			elems int
		}{
			"Valid":       {func() { o.Valid(x) }, n * n},
			"Sum":         {func() { o.Sum(x) }, n * n},
			"SubTo":       {func() { o.SubTo(x, x) }, n * n},
			"RangeWires":  {func() { o.RangeWires(dst, seeds, x, e, e[:n], e[0], scratch) }, n * n},
			"SumGaps":     {func() { o.SumGaps(out, e[:n], gates) }, n * n},
			"GatedPowers": {func() { o.GatedPowers(out, e[0], gates) }, n},
			"Inner":       {func() { o.Inner(out, e[:n]) }, n},
			"Dot":         {func() { o.Dot(e[:n], x, 2) }, n},
			"PairSum":     {func() { o.PairSum(x[:16*2*n]) }, n},
		} {
			b.Run(fmt.Sprintf("%s/%d", name, n), func(b *testing.B) {
				for b.Loop() {
					run.f()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*run.elems), "ns/elem")
			})
		}
	}
	for _, n := range []int{64, 128} {
		a, roots := o.elems(o.vector(r, n)), o.elems(o.vector(r, n/2))
		b.Run(fmt.Sprintf("Forward/%d", n), func(b *testing.B) {
			for b.Loop() {
				o.Forward(a, roots)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/elem")
		})
		powers := o.elems(o.vector(r, 7))[:map[int]int{64: 6, 128: 7}[n]]
		b.Run(fmt.Sprintf("Lagrange/%d", n), func(b *testing.B) {
			for b.Loop() {
				o.Lagrange(a, e128, powers, roots)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/elem")
		})
	}
}

var e128 = field.F128{}.FromUint64(3)
