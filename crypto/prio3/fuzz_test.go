package prio3_test

import (
	"bytes"
	"errors"
	"testing"

	"candor/crypto/prio3"
	"candor/crypto/xof"
)

// instances are what the fuzz targets choose from.
func instances(f *testing.F) []*session {
	var all []*session
	for _, c := range small {
		v, err := prio3.New(c.config)
		if err != nil {
			f.Fatal(err)
		}
		nonce := [16]byte(counting(16))
		public, input, err := v.Shard(taskContext, nonce, counting(v.RandSize()), c.m)
		if err != nil {
			f.Fatal(err)
		}
		s := &session{vdaf: v}
		for id := range s.parties {
			s.parties[id] = party{[32]byte(counting(32)), taskContext, nonce, public, input[id]}
		}
		all = append(all, s)
	}
	return all
}

// refused fails the test unless err is one of a report's two errors.
func refused(t *testing.T, err error) {
	t.Helper()
	if !errors.Is(err, prio3.ErrInvalid) && !errors.Is(err, prio3.ErrMalformed) {
		t.Fatalf("error is %v", err)
	}
}

// FuzzShares gives both aggregators any shares. Only the honest ones verify.
func FuzzShares(f *testing.F) {
	all := instances(f)
	for i, s := range all {
		f.Add(uint8(i), s.parties[0].public, s.parties[0].input, s.parties[1].input)
	}
	f.Fuzz(func(t *testing.T, which uint8, public, leader, helper []byte) {
		honest := all[int(which)%len(all)]
		s := *honest
		for id := range s.parties {
			s.parties[id].public = public
		}
		s.parties[0].input, s.parties[1].input = leader, helper
		same := bytes.Equal(public, honest.parties[0].public) && bytes.Equal(leader, honest.parties[0].input) && bytes.Equal(helper, honest.parties[1].input)
		if _, where, err := s.run(); err != nil {
			refused(t, err)
			if same {
				t.Fatalf("%s: honest shares are refused: %v", where, err)
			}
		} else if !same {
			t.Fatal("shares that no client made are accepted")
		}
		for id, p := range s.parties {
			if err := s.vdaf.CheckShares(id, p.public, p.input); err != nil && !errors.Is(err, prio3.ErrMalformed) {
				t.Fatalf("checking shares: %v", err)
			}
		}
	})
}

// FuzzMessages gives the Helper any message of the Leader, and the Leader any answer.
func FuzzMessages(f *testing.F) {
	all := instances(f)
	to, from := make([][]byte, len(all)), make([][]byte, len(all))
	for i, s := range all {
		s.to = func(b []byte) []byte { to[i] = b; return b }
		s.from = func(b []byte) []byte { from[i] = b; return b }
		if _, _, err := s.run(); err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), to[i])
		f.Add(uint8(i), from[i])
		f.Add(uint8(i), []byte{1, 0, 0, 0, 0})
	}
	f.Fuzz(func(t *testing.T, which uint8, message []byte) {
		i := int(which) % len(all)
		s := *all[i]
		s.to, s.from = func([]byte) []byte { return message }, nil
		if _, _, err := s.run(); err != nil {
			refused(t, err)
		} else if !bytes.Equal(message, to[i]) {
			t.Fatal("a message that the leader did not send is accepted")
		}
		s.to, s.from = nil, func([]byte) []byte { return message }
		if _, _, err := s.run(); err != nil {
			refused(t, err)
		} else if !bytes.Equal(message, from[i]) {
			t.Fatal("an answer that the helper did not give is accepted")
		}
	})
}

// FuzzAggregate adds and unshards any bytes.
func FuzzAggregate(f *testing.F) {
	all := instances(f)
	for i, s := range all {
		f.Add(uint8(i), s.vdaf.ZeroShare(), bytes.Repeat([]byte{0xff}, s.vdaf.OutputShareSize()))
	}
	f.Fuzz(func(t *testing.T, which uint8, a, b []byte) {
		v := all[int(which)%len(all)].vdaf
		before := bytes.Clone(a)
		sum, err := v.Unshard([][]byte{a, b}, 2)
		if err2 := v.AddShare(a, b); (err == nil) != (err2 == nil) {
			t.Fatalf("adding: %v, unsharding: %v", err2, err)
		}
		if err != nil {
			if refused(t, err); !bytes.Equal(a, before) {
				t.Fatal("a failed sum changes the share")
			}
			return
		}
		again, err := v.Unshard([][]byte{v.ZeroShare(), a}, 2)
		if err != nil {
			t.Fatal(err)
		}
		for i := range sum {
			if sum[i].Cmp(again[i]) != 0 {
				t.Fatalf("sums are %v and %v", sum, again)
			}
		}
	})
}

// FuzzRun draws parameters and a measurement from a seed and takes them through.
func FuzzRun(f *testing.F) {
	for i := range 20 {
		f.Add([]byte{byte(i)})
	}
	f.Fuzz(func(t *testing.T, seed []byte) {
		var draw, sum xof.Stream
		draw.Write(seed)
		accumulate(t, &draw, &sum)
	})
}
