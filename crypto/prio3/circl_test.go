package prio3_test

import (
	"math/bits"

	"github.com/cloudflare/circl/vdaf/prio3/count"
	"github.com/cloudflare/circl/vdaf/prio3/histogram"
	"github.com/cloudflare/circl/vdaf/prio3/mhcv"
	"github.com/cloudflare/circl/vdaf/prio3/sum"
	"github.com/cloudflare/circl/vdaf/prio3/sumvec"

	"candor/crypto/prio3"
)

// A circlVDAF is any of circl's instances. They speak VDAF-13, so that they can be compared in speed only.
type circlVDAF[M, Public, Input, State, Share, Message, Out any, Nonce ~[16]byte, Key ~[32]byte] interface {
	Shard(M, *Nonce, []byte) (Public, []Input, error)
	PrepInit(*Key, *Nonce, uint8, Public, Input) (*State, *Share, error)
	PrepSharesToPrep([]Share) (*Message, error)
	PrepNext(*State, *Message) (*Out, error)
}

// operations are the three that are compared. They work on shares that are made beforehand, and panic on errors.
type operations struct{ shard, leader, helper func() }

// circlOperations returns circl's for an instance and a measurement. The Helper's are all that it does in DAP: its first step, joining the
// shares, deciding, its last step; the Leader's are its first step.
func circlOperations(c prio3.Config, m []uint64) operations {
	ctx := make([]byte, 38)
	length, chunk := uint(c.Length), uint(c.ChunkLength)
	switch c.Algorithm {
	case prio3.Count:
		return circlOf(must(count.New(2, ctx)), m[0] == 1, 64)
	case prio3.Sum:
		return circlOf(must(sum.New(2, c.MaxMeasurement, ctx)), m[0], 64)
	case prio3.SumVec:
		return circlOf(must(sumvec.New(2, length, uint(bits.Len64(c.MaxMeasurement)), chunk, ctx)), m, 128)
	case prio3.Histogram:
		return circlOf(must(histogram.New(2, length, chunk, ctx)), m[0], 128)
	}
	bools := make([]bool, len(m))
	for i := range m {
		bools[i] = m[i] == 1
	}
	return circlOf(must(mhcv.New(2, length, uint(c.MaxWeight), chunk, ctx)), bools, 128)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func circlOf[M, Public, Input, State, Share, Message, Out any, Nonce ~[16]byte, Key ~[32]byte](
	v circlVDAF[M, Public, Input, State, Share, Message, Out, Nonce, Key], m M, randSize int,
) operations {
	nonce, key, rand := Nonce(random(16)), Key(random(32)), random(randSize)
	public, input, err := v.Shard(m, &nonce, rand)
	if err != nil {
		panic(err)
	}
	_, first, err := v.PrepInit(&key, &nonce, 0, public, input[0])
	if err != nil {
		panic(err)
	}
	check := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	return operations{
		shard: func() {
			_, _, err := v.Shard(m, &nonce, rand)
			check(err)
		},
		leader: func() {
			_, _, err := v.PrepInit(&key, &nonce, 0, public, input[0])
			check(err)
		},
		helper: func() {
			state, own, err := v.PrepInit(&key, &nonce, 1, public, input[1])
			check(err)
			message, err := v.PrepSharesToPrep([]Share{*first, *own})
			check(err)
			_, err = v.PrepNext(state, message)
			check(err)
		},
	}
}
