package vectors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"candor/crypto/prio3"
	"candor/crypto/xof"
)

// A File is one file of vectors.
type File struct {
	Name    string
	Content []byte
}

// Generate returns perKind files for each variant of Prio3, every fourth of them of a report that fails, with parameters, measurements and
// randomness drawn from the seed: the same seed gives the same bytes. With them comes one file for a rare case, which does not
// depend on the seed.
func Generate(seed []byte, perKind int) ([]File, error) {
	d := new(drawer)
	d.Write([]byte("candor vectors"))
	d.Write(seed)
	var files []File
	for kind := prio3.Count; kind <= prio3.MultihotCountVec; kind++ {
		for i := range perKind {
			c := d.config(kind)
			var f *file
			var err error
			name := fmt.Sprintf("%v_%d.json", kind, i)
			if i%4 == 3 {
				var flaw string
				f, flaw, err = d.bad(c)
				name = fmt.Sprintf("%v_%d_%s.json", kind, i, flaw)
			} else {
				f, err = d.good(c, 1+int(d.below(4)))
			}
			if err != nil {
				return nil, fmt.Errorf("generating %s: %w", name, err)
			}
			files = append(files, File{name, encode(f)})
		}
	}
	f, err := rejection()
	if err != nil {
		return nil, err
	}
	return append(files, File{"Prio3Sum_rejection.json", encode(f)}), nil
}

// encode writes the file as the published ones are: keys in order, four spaces.
func encode(f *file) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "    ")
	if err := e.Encode(f); err != nil {
		panic(fmt.Sprintf("vectors: internal error: %v", err))
	}
	return b.Bytes()
}

// A drawer draws from the XOF.
type drawer struct{ xof.Stream }

func (d *drawer) bytes(n int) []byte {
	b := make([]byte, n)
	d.Read(b)
	return b
}

// below draws an integer below n; that it is not quite uniform does not matter.
func (d *drawer) below(n uint64) uint64 { return binary.LittleEndian.Uint64(d.bytes(8)) % n }

// config draws parameters. Bounds of all lengths are equally likely, half of them one less than a power of two.
func (d *drawer) config(kind prio3.Algorithm) prio3.Config {
	bound := func(bits uint64) uint64 {
		n := d.below(bits)
		if d.below(2) == 0 {
			return 1<<(n+1) - 1
		}
		return 1<<n + d.below(1<<n)
	}
	c := prio3.Config{Algorithm: kind}
	switch kind {
	case prio3.Sum:
		c.MaxMeasurement = bound(63)
	case prio3.SumVec:
		c.Length, c.MaxMeasurement, c.ChunkLength = uint32(1+d.below(20)), bound(20), uint32(1+d.below(30))
	case prio3.Histogram:
		c.Length, c.ChunkLength = uint32(1+d.below(60)), uint32(1+d.below(12))
	case prio3.MultihotCountVec:
		c.Length, c.ChunkLength = uint32(1+d.below(40)), uint32(1+d.below(12))
		c.MaxWeight = 1 + d.below(uint64(c.Length))
	}
	return c
}

// measurement draws one of an instance, often with values at the ends of their range.
func (d *drawer) measurement(v *prio3.VDAF) []uint64 {
	c := v.Config()
	m := make([]uint64, v.MeasurementLen())
	value := func(max uint64) uint64 {
		switch d.below(4) {
		case 0:
			return 0
		case 1:
			return max
		}
		return d.below(max + 1)
	}
	weight := c.MaxWeight
	for i := range m {
		switch c.Algorithm {
		case prio3.Count:
			m[i] = d.below(2)
		case prio3.Sum, prio3.SumVec:
			m[i] = value(c.MaxMeasurement)
		case prio3.Histogram:
			m[i] = value(uint64(c.Length) - 1)
		case prio3.MultihotCountVec:
			m[i] = d.below(2) & min(weight, 1)
			weight -= m[i]
		}
	}
	return m
}

func raw(v any) json.RawMessage {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("vectors: internal error: %v", err))
	}
	return b
}

// rawMeasurement writes a measurement as the published files do: a number, numbers or booleans.
func rawMeasurement(a prio3.Algorithm, m []uint64) json.RawMessage {
	switch a {
	case prio3.SumVec:
		return raw(m)
	case prio3.MultihotCountVec:
		bits := make([]bool, len(m))
		for i := range m {
			bits[i] = m[i] == 1
		}
		return raw(bits)
	}
	return raw(m[0])
}

// newFile returns the file of an instance, without reports.
func (d *drawer) newFile(v *prio3.VDAF) *file {
	f := &file{
		AggParam: hexBytes{}, AggResult: raw(nil), AggShares: []hexBytes{},
		Ctx: d.bytes(int(d.below(60))), VerifyKey: d.bytes(prio3.VerifyKeySize), Shares: v.Shares(),
	}
	c := v.Config()
	if c.Length > 0 {
		f.Length, f.ChunkLength = &c.Length, &c.ChunkLength
	}
	if c.MaxMeasurement > 0 {
		f.MaxMeasurement = &c.MaxMeasurement
	}
	if c.MaxWeight > 0 {
		f.MaxWeight = &c.MaxWeight
	}
	return f
}

// report draws and shards a measurement.
func (d *drawer) report(f *file, v *prio3.VDAF, m []uint64) (report, error) {
	r := report{
		Measurement: rawMeasurement(v.Config().Algorithm, m),
		Nonce:       d.bytes(prio3.NonceSize), Rand: d.bytes(v.RandSize()),
		OutShares: []hexBytes{}, VerifierMessages: []hexBytes{}, VerifierShares: [][]hexBytes{},
	}
	return r, r.shard(f, v, m)
}

func (r *report) shard(f *file, v *prio3.VDAF, m []uint64) error {
	public, input, err := v.ShardAll(f.Ctx, [prio3.NonceSize]byte(r.Nonce), r.Rand, m)
	r.PublicShare, r.InputShares = public, nil
	for _, share := range input {
		r.InputShares = append(r.InputShares, share)
	}
	return err
}
