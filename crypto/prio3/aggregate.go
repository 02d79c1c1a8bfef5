package prio3

import (
	"fmt"
	"math/big"
	"math/bits"
	"slices"
)

// ZeroShare returns the aggregate share of no reports.
func (v *VDAF) ZeroShare() []byte { return make([]byte, v.OutputShareSize()) }

// AddShare adds an output share or an aggregate share to an aggregate share. The result does not depend on the order. dst is
// untouched on an error, which is ErrMalformed.
func (v *VDAF) AddShare(dst, src []byte) error {
	if err := v.checkOutput(dst); err != nil {
		return err
	}
	if err := v.checkOutput(src); err != nil {
		return err
	}
	v.flp.Field().AddTo(dst, src)
	return nil
}

func (v *VDAF) checkOutput(share []byte) error {
	if err := checkSize("share", share, v.OutputShareSize()); err != nil {
		return err
	}
	return v.checkElements("share", share)
}

// Unshard adds the aggregate shares of all aggregators and returns the aggregate result, one non-negative integer below the
// modulus for each element. Sums are modulo the modulus: see CheckReports. The number of reports is how many the batch has;
// Prio3 does not use it, as the result may hold noise that an aggregator has added.
func (v *VDAF) Unshard(aggShares [][]byte, reports uint64) ([]*big.Int, error) {
	if len(aggShares) != v.shares {
		return nil, fmt.Errorf("%d aggregate shares, not %d: %w", len(aggShares), v.shares, ErrMalformed)
	}
	sum := v.ZeroShare()
	for _, share := range aggShares {
		if err := v.AddShare(sum, share); err != nil {
			return nil, err
		}
	}
	result := make([]*big.Int, v.sizes.Output)
	for i := range result {
		e := sum[i*v.elem : (i+1)*v.elem]
		slices.Reverse(e)
		result[i] = new(big.Int).SetBytes(e)
	}
	return result, nil
}

// CheckReports returns ErrParameter if the aggregate of that many reports may reach the modulus, and so wrap around.
func (v *VDAF) CheckReports(reports uint64) error {
	hi, lo := bits.Mul64(reports, v.flp.MaxOutput())
	if v.flp.Field().Exceeds(hi, lo) {
		return fmt.Errorf("%d reports of up to %d each exceed the field: %w", reports, v.flp.MaxOutput(), ErrParameter)
	}
	return nil
}
