package publish

import (
	"errors"
	"fmt"
	"math"
	"math/big"
)

// A Certificate is the test that decides whether a total may be shown although readers know who contributed.
// It uses public numbers only, so that anybody can repeat it, and holds if
//
//	T̂ − 2 sd − K·C* ≥ (t + 1 + p)·C*,  C* = k·g·(C + B)
//
// Then, whatever t members and the K giants know of one another, what remains of the total exceeds any one
// group's greatest contribution C* by at least the share p: nobody can tell that group's figure more closely
// than by p. (Design, "Cap"; the certificate of the privacy design, "Options two Prio3 aggregators can really
// compute".)
type Certificate struct {
	Estimate     int64    // T̂
	SD           float64  // of the noise in T̂
	Cap          int64    // C, of one member and cell
	Offset       int64    // B, of the encoding: what the proof lets a member add to the cap
	Cells        int      // k, the cells in the total
	LargestGroup int      // g, the members of the largest group
	Giants       int      // K, publicly known members above the cap
	Colluders    int      // t
	P            *big.Rat // p
}

// Check reports parameters that make no certificate.
func (c Certificate) Check() error {
	if c.Cap < 1 || c.Offset < 0 || c.Cells < 1 || c.LargestGroup < 1 || c.Giants < 0 || c.Colluders < 0 || !(c.SD >= 0 && c.SD <= math.MaxFloat64/2) {
		return fmt.Errorf("certificate with cap %d, offset %d, %d cells, largest group %d, %d giants, %d colluders, sd %v: out of range",
			c.Cap, c.Offset, c.Cells, c.LargestGroup, c.Giants, c.Colluders, c.SD)
	}
	if c.P == nil || c.P.Sign() <= 0 {
		return errors.New("certificate without a positive p")
	}
	return nil
}

// Largest is C*, the most that one group can have added to the total.
func (c Certificate) Largest() *big.Int {
	l := new(big.Int).Add(big.NewInt(c.Cap), big.NewInt(c.Offset))
	l.Mul(l, big.NewInt(int64(c.Cells)))
	return l.Mul(l, big.NewInt(int64(c.LargestGroup)))
}

// Holds reports whether the total may be shown. A certificate that Check refuses does not hold.
func (c Certificate) Holds() bool { return c.Check() == nil && c.have().Cmp(c.need()) >= 0 }

// String writes both sides of the test in units of C*, "5.26 ≥ 3.20".
func (c Certificate) String() string {
	if err := c.Check(); err != nil {
		return err.Error()
	}
	relation := "<"
	if c.Holds() {
		relation = "≥"
	}
	unit := new(big.Rat).SetInt(c.Largest())
	have, _ := new(big.Rat).Quo(c.have(), unit).Float64()
	need, _ := new(big.Rat).Quo(c.need(), unit).Float64()
	return fmt.Sprintf("%.2f %s %.2f", have, relation, need)
}

func (c Certificate) have() *big.Rat {
	have := new(big.Rat).SetInt64(c.Estimate)
	have.Sub(have, new(big.Rat).SetFloat64(2*c.SD)) // exact; Check has refused what is not finite
	giants := new(big.Int).Mul(c.Largest(), big.NewInt(int64(c.Giants)))
	return have.Sub(have, new(big.Rat).SetInt(giants))
}

func (c Certificate) need() *big.Rat {
	n := new(big.Rat).Add(new(big.Rat).SetInt64(int64(c.Colluders)+1), c.P)
	return n.Mul(n, new(big.Rat).SetInt(c.Largest()))
}

// merge is the certificate of the sum of two totals over different cells.
func (c Certificate) merge(d Certificate) Certificate {
	c.Estimate += d.Estimate
	c.SD = hypot(c.SD, d.SD)
	c.Cap, c.Offset = max(c.Cap, d.Cap), max(c.Offset, d.Offset)
	c.Cells += d.Cells
	c.LargestGroup = max(c.LargestGroup, d.LargestGroup)
	c.Giants = max(c.Giants, d.Giants)
	return c
}
