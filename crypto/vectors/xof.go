package vectors

import (
	"errors"

	"candor/crypto/field"
	"candor/crypto/xof"
)

// An xofFile is the content of XofTurboShake128.json.
type xofFile struct {
	Seed   hexBytes `json:"seed"`
	Dst    hexBytes `json:"dst"`
	Binder hexBytes `json:"binder"`
	Length int      `json:"length"` // elements of the vector

	DerivedSeed hexBytes `json:"derived_seed"`
	Vector      hexBytes `json:"expanded_vec_field128"`
}

func verifyXOF(content []byte) error {
	var f xofFile
	if err := decode(content, &f); err != nil {
		return err
	}
	if f.Length < 1 || f.Length > 1<<20 {
		return errors.New("length is out of range")
	}
	seed := make([]byte, xof.SeedSize)
	vector := make([]byte, f.Length*field.F128{}.Size())
	s, err := xof.New(f.Dst, f.Seed, f.Binder)
	if err != nil {
		return err
	}
	s.Read(seed)
	if err := same("derived_seed", seed, f.DerivedSeed); err != nil {
		return err
	}
	if s, err = xof.New(f.Dst, f.Seed, f.Binder); err != nil {
		return err
	}
	xof.Expand(field.F128{}, s, vector)
	return same("expanded_vec_field128", vector, f.Vector)
}
