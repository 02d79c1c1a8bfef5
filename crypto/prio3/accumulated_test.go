package prio3_test

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"testing"

	"candor/crypto/prio3"
	"candor/crypto/xof"
)

// accumulated is the hash of everything that a number of runs with random parameters and measurements yields: one constant stands for
// as many vectors. Its inputs come from the XOF, so that another implementation can recompute it.
var accumulated = []struct {
	runs int
	want string
}{
	{100, "21ff694a648cced4a2a2c211dc0bcd77e3ac210e17fdc6683c936da8b018dc97"},
	{10000, "513a94686afb1047163e0590372d98eb76c5480fa3a29dca24ebd4841bfbae38"},
	{1000000, "d4095bbb1edfd74346b4aab986c975d793a6001ff13e1af336107d46f4add36f"},
}

func TestAccumulated(t *testing.T) {
	runs := accumulated[1]
	if testing.Short() {
		runs = accumulated[0]
	} else if os.Getenv("CANDOR_TEST_LONG") != "" {
		runs = accumulated[2]
	}
	var draw, sum xof.Stream
	draw.Write([]byte("accumulated"))
	for range runs.runs {
		accumulate(t, &draw, &sum)
	}
	got := make([]byte, 32)
	sum.Read(got)
	if hex.EncodeToString(got) != runs.want {
		t.Errorf("%d runs: got %x, want %s", runs.runs, got, runs.want)
	}
}

// below draws an integer below n.
func below(draw *xof.Stream, n uint64) uint64 {
	var b [8]byte
	draw.Read(b[:])
	return binary.LittleEndian.Uint64(b[:]) % n
}

func bytesFrom(draw *xof.Stream, n int) []byte {
	b := make([]byte, n)
	draw.Read(b)
	return b
}

// drawConfig draws parameters of any variant.
func drawConfig(draw *xof.Stream) prio3.Config {
	c := prio3.Config{Algorithm: prio3.Algorithm(1 + below(draw, 5))}
	switch c.Algorithm {
	case prio3.Sum:
		c.MaxMeasurement = 1 + below(draw, 1<<below(draw, 60))
	case prio3.SumVec:
		c.Length = uint32(1 + below(draw, 6))
		c.MaxMeasurement = 1 + below(draw, 1<<below(draw, 12))
		c.ChunkLength = uint32(1 + below(draw, 9))
	case prio3.Histogram:
		c.Length = uint32(1 + below(draw, 20))
		c.ChunkLength = uint32(1 + below(draw, 6))
	case prio3.MultihotCountVec:
		c.Length = uint32(1 + below(draw, 12))
		c.MaxWeight = 1 + below(draw, uint64(c.Length))
		c.ChunkLength = uint32(1 + below(draw, 6))
	}
	return c
}

// drawMeasurement draws a measurement of an instance.
func drawMeasurement(draw *xof.Stream, v *prio3.VDAF) []uint64 {
	c := v.Config()
	m := make([]uint64, v.MeasurementLen())
	weight := uint64(0)
	for i := range m {
		switch c.Algorithm {
		case prio3.Count:
			m[i] = below(draw, 2)
		case prio3.Sum, prio3.SumVec:
			m[i] = below(draw, c.MaxMeasurement+1)
		case prio3.Histogram:
			m[i] = below(draw, uint64(c.Length))
		case prio3.MultihotCountVec:
			if weight < c.MaxWeight {
				m[i] = below(draw, 2)
			}
			weight += m[i]
		}
	}
	return m
}

// accumulate does one run and adds all its values to sum.
func accumulate(t *testing.T, draw, sum *xof.Stream) {
	v, err := prio3.New(drawConfig(draw))
	if err != nil {
		t.Fatal(err)
	}
	m := drawMeasurement(draw, v)
	key, nonce := [32]byte(bytesFrom(draw, 32)), [16]byte(bytesFrom(draw, 16))
	ctx := bytesFrom(draw, int(below(draw, 50)))
	public, input, err := v.Shard(ctx, nonce, bytesFrom(draw, v.RandSize()), m)
	if err != nil {
		t.Fatal(err)
	}
	s := &session{vdaf: v}
	for id := range s.parties {
		s.parties[id] = party{key, ctx, nonce, public, input[id]}
		sum.Write(input[id])
	}
	sum.Write(public)
	s.to = func(b []byte) []byte { sum.Write(b); return b }
	s.from = s.to
	out, where, err := s.run()
	if err != nil {
		t.Fatalf("%+v: %s: %v", v.Config(), where, err)
	}
	sum.Write(out[0])
	sum.Write(out[1])
	result, err := v.Unshard(out[:], 1)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range counted(v.Config(), m) {
		if x := result[i]; !x.IsUint64() || x.Uint64() != want {
			t.Fatalf("%+v: result %v of measurement %v", v.Config(), result, m)
		}
	}
}
