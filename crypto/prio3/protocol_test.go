package prio3_test

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"candor/crypto/prio3"
)

// A party is what one aggregator works with.
type party struct {
	key           [32]byte
	ctx           []byte
	nonce         [16]byte
	public, input []byte
}

// A session is one report and its two aggregators. to and from may change the messages to and from the Helper.
type session struct {
	vdaf     *prio3.VDAF
	parties  [2]party
	to, from func([]byte) []byte
}

// small are instances of every variant, small enough to try every byte.
var small = []struct {
	name   string
	config prio3.Config
	m      []uint64
}{
	{"Count", prio3.Config{Algorithm: prio3.Count}, []uint64{1}},
	{"Sum", prio3.Config{Algorithm: prio3.Sum, MaxMeasurement: 10}, []uint64{9}},
	{"Sum of one bit", prio3.Config{Algorithm: prio3.Sum, MaxMeasurement: 1}, []uint64{1}},
	{"SumVec", prio3.Config{Algorithm: prio3.SumVec, Length: 3, MaxMeasurement: 5, ChunkLength: 2}, []uint64{5, 0, 3}},
	{"Histogram", prio3.Config{Algorithm: prio3.Histogram, Length: 5, ChunkLength: 2}, []uint64{3}},
	{"MultihotCountVec", prio3.Config{Algorithm: prio3.MultihotCountVec, Length: 4, MaxWeight: 2, ChunkLength: 4}, []uint64{0, 1, 1, 0}},
}

// newSession shards a measurement with counting bytes as randomness.
func newSession(t *testing.T, config prio3.Config, m []uint64) *session {
	t.Helper()
	v, err := prio3.New(config)
	if err != nil {
		t.Fatal(err)
	}
	nonce := [16]byte(counting(16))
	public, input, err := v.Shard(taskContext, nonce, counting(v.RandSize()), m)
	if err != nil {
		t.Fatal(err)
	}
	s := &session{vdaf: v}
	for id := range s.parties {
		s.parties[id] = party{[32]byte(counting(32)), taskContext, nonce, public, input[id]}
	}
	return s
}

// run takes both aggregators through verification. It returns their output shares, or where and how it failed.
func (s *session) run() (out [2][]byte, where string, err error) {
	l, h := s.parties[0], s.parties[1]
	leader := s.vdaf.NewVerifier(prio3.Leader, l.key, l.ctx)
	began := leader.LeaderInit([]prio3.Report{{Nonce: l.nonce, PublicShare: l.public, InputShare: l.input}})[0]
	if began.Err != nil {
		if began.State != nil || began.Outbound != nil {
			return out, "leader init yields an error and a state", began.Err
		}
		return out, "leader init", began.Err
	}
	message := began.Outbound
	if s.to != nil {
		message = s.to(message)
	}
	done := s.vdaf.NewVerifier(prio3.Helper, h.key, h.ctx).HelperInit([]prio3.Report{{Nonce: h.nonce, PublicShare: h.public, InputShare: h.input, Inbound: message}})[0]
	if done.Err != nil {
		if done.OutShare != nil || done.Outbound != nil {
			return out, "helper init yields an error and an output share", done.Err
		}
		return out, "helper init", done.Err
	}
	message = done.Outbound
	if s.from != nil {
		message = s.from(message)
	}
	share, err := leader.LeaderContinued(began.State, message)
	if err != nil {
		if share != nil {
			return out, "leader continued yields an error and an output share", err
		}
		return out, "leader continued", err
	}
	return [2][]byte{share, done.OutShare}, "", nil
}

// mustFail requires that verification fails, at the right step, with one of the two errors.
func (s *session) mustFail(t *testing.T, what string, want error) {
	t.Helper()
	_, where, err := s.run()
	switch where {
	case "leader init", "helper init", "leader continued":
	case "":
		t.Errorf("%s: accepted", what)
		return
	default:
		t.Errorf("%s: %s", what, where)
	}
	if want != nil && !errors.Is(err, want) || !errors.Is(err, prio3.ErrInvalid) && !errors.Is(err, prio3.ErrMalformed) {
		t.Errorf("%s: %s: error is %v, want %v", what, where, err, want)
	}
}

// TestEveryByte changes every byte of all that is encoded. Each change must be rejected, by the parser or by verification.
func TestEveryByte(t *testing.T) {
	deltas := []byte{1, 0x80, 0xff}
	if os.Getenv("CANDOR_TEST_LONG") != "" {
		deltas = counting(256)[1:]
	}
	for _, c := range small {
		t.Run(c.name, func(t *testing.T) {
			s := newSession(t, c.config, c.m)
			if _, where, err := s.run(); err != nil {
				t.Fatalf("unchanged: %s: %v", where, err)
			}
			// each changes one byte at a time of p and gives the changed copy to set, which puts it in place.
			each := func(what string, p []byte, set func([]byte)) {
				for i := range p {
					for _, d := range deltas {
						q := bytes.Clone(p)
						q[i] ^= d
						set(q)
						s.mustFail(t, what, nil)
					}
				}
				set(p)
			}
			public := s.parties[0].public
			each("public share of both", public, func(q []byte) { s.parties[0].public, s.parties[1].public = q, q })
			// Each aggregator computes its own part afresh, so only the other's matters in its copy.
			if n := len(public) / 2; n > 0 {
				each("public share of the leader", public[n:], func(q []byte) { s.parties[0].public = append(bytes.Clone(public[:n]), q...) })
				each("public share of the helper", public[:n], func(q []byte) { s.parties[1].public = append(q[:n:n], public[n:]...) })
			}
			each("leader's input share", s.parties[0].input, func(q []byte) { s.parties[0].input = q })
			each("helper's input share", s.parties[1].input, func(q []byte) { s.parties[1].input = q })
			each("nonce of the leader", bytes.Clone(s.parties[0].nonce[:]), func(q []byte) { s.parties[0].nonce = [16]byte(q) })
			each("nonce of the helper", bytes.Clone(s.parties[1].nonce[:]), func(q []byte) { s.parties[1].nonce = [16]byte(q) })
			each("context of the leader", taskContext, func(q []byte) { s.parties[0].ctx = q })
			each("context of the helper", taskContext, func(q []byte) { s.parties[1].ctx = q })
			each("verify key of the helper", bytes.Clone(s.parties[1].key[:]), func(q []byte) { s.parties[1].key = [32]byte(q) })
			each("context of both", taskContext, func(q []byte) { s.parties[0].ctx, s.parties[1].ctx = q, q })

			var to, from []byte
			s.to = func(b []byte) []byte { to = bytes.Clone(b); return b }
			s.from = func(b []byte) []byte { from = bytes.Clone(b); return b }
			if _, _, err := s.run(); err != nil {
				t.Fatal(err)
			}
			s.from = nil
			each("initialize", to, func(q []byte) { s.to = func([]byte) []byte { return q } })
			s.to = nil
			each("finish", from, func(q []byte) { s.from = func([]byte) []byte { return q } })
		})
	}
}

// TestNonceOfBoth: with joint randomness the nonce is bound to the report; without, it only enters the query randomness, so that a
// report under another nonce is still a valid report.
func TestNonceOfBoth(t *testing.T) {
	for _, c := range small {
		s := newSession(t, c.config, c.m)
		for id := range s.parties {
			s.parties[id].nonce[0] ^= 1
		}
		if s.vdaf.PublicShareSize() > 0 {
			s.mustFail(t, c.name, prio3.ErrInvalid)
		} else if _, where, err := s.run(); err != nil {
			t.Errorf("%s: %s: %v", c.name, where, err)
		}
	}
}

// TestLengths: every other length than the right one is malformed.
func TestLengths(t *testing.T) {
	for _, c := range small {
		t.Run(c.name, func(t *testing.T) {
			s := newSession(t, c.config, c.m)
			each := func(what string, p []byte, set func([]byte)) {
				for n := range len(p) {
					set(p[:n:n])
					s.mustFail(t, what, prio3.ErrMalformed)
				}
				for n := 1; n <= 33; n++ {
					set(append(bytes.Clone(p), make([]byte, n)...))
					s.mustFail(t, what, prio3.ErrMalformed)
				}
				set(p)
			}
			for id := range s.parties {
				each("public share", s.parties[id].public, func(q []byte) { s.parties[id].public = q })
				each("input share", s.parties[id].input, func(q []byte) { s.parties[id].input = q })
			}
			var to, from []byte
			s.to = func(b []byte) []byte { to = bytes.Clone(b); return b }
			s.from = func(b []byte) []byte { from = bytes.Clone(b); return b }
			if _, _, err := s.run(); err != nil {
				t.Fatal(err)
			}
			s.from = nil
			each("initialize", to, func(q []byte) { s.to = func([]byte) []byte { return q } })
			s.to = nil
			each("finish", from, func(q []byte) { s.from = func([]byte) []byte { return q } })
			// The messages of the other states.
			s.from = func([]byte) []byte { return to }
			s.mustFail(t, "initialize for finish", prio3.ErrMalformed)
			s.from = func(b []byte) []byte { return append([]byte{1}, b[1:]...) }
			s.mustFail(t, "continue for finish", prio3.ErrMalformed)
			s.from = nil
			s.to = func([]byte) []byte { return from }
			s.mustFail(t, "finish for initialize", prio3.ErrMalformed)
			s.to = func(b []byte) []byte { return append([]byte{1}, b[1:]...) }
			s.mustFail(t, "continue for initialize", prio3.ErrMalformed)
			s.to = nil
			// Each other's shares.
			s.parties[0].input, s.parties[1].input = s.parties[1].input, s.parties[0].input
			s.mustFail(t, "shares of the other role", prio3.ErrMalformed)
		})
	}
}

// TestModulus: an element that is not below the modulus is malformed, wherever elements are.
func TestModulus(t *testing.T) {
	for _, c := range small {
		t.Run(c.name, func(t *testing.T) {
			s := newSession(t, c.config, c.m)
			modulus := []byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}
			if s.vdaf.PublicShareSize() > 0 {
				modulus = []byte{1, 0, 0, 0, 0, 0, 0, 0, 0xe4, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
			}
			n := len(modulus)
			place := func(p []byte, at int) []byte {
				q := bytes.Clone(p)
				copy(q[at:], modulus)
				return q
			}
			input := s.parties[0].input
			seeds := s.vdaf.PublicShareSize() / 2
			for at := 0; at < len(input)-seeds; at += n {
				s.parties[0].input = place(input, at)
				s.mustFail(t, "leader's input share", prio3.ErrMalformed)
			}
			s.parties[0].input = input
			for at := 0; at < s.vdaf.VerifierShareSize()-seeds; at += n {
				s.to = func(b []byte) []byte { return place(b, 5+at) }
				s.mustFail(t, "verifier share", prio3.ErrMalformed)
			}
			zero := s.vdaf.ZeroShare()
			for at := 0; at < len(zero); at += n {
				bad := place(zero, at)
				if err := s.vdaf.AddShare(zero, bad); !errors.Is(err, prio3.ErrMalformed) {
					t.Errorf("adding a share: %v", err)
				}
				if err := s.vdaf.AddShare(bad, zero); !errors.Is(err, prio3.ErrMalformed) {
					t.Errorf("adding to a share: %v", err)
				}
				if _, err := s.vdaf.Unshard([][]byte{zero, bad}, 1); !errors.Is(err, prio3.ErrMalformed) {
					t.Errorf("unsharding: %v", err)
				}
			}
		})
	}
}

// TestSwapped: what looks right but is in the wrong place.
func TestSwapped(t *testing.T) {
	for _, c := range small {
		t.Run(c.name, func(t *testing.T) {
			s := newSession(t, c.config, c.m)
			if s.vdaf.PublicShareSize() > 0 {
				public := s.parties[0].public
				swapped := append(bytes.Clone(public[32:]), public[:32]...)
				for id := range s.parties {
					s.parties[id].public = swapped
				}
				s.mustFail(t, "parts of the joint randomness swapped", prio3.ErrInvalid)
				for id := range s.parties {
					s.parties[id].public = public
				}
				l, h := bytes.Clone(s.parties[0].input), bytes.Clone(s.parties[1].input)
				copy(s.parties[0].input[len(l)-32:], h[32:])
				copy(s.parties[1].input[32:], l[len(l)-32:])
				s.mustFail(t, "blinds swapped", prio3.ErrInvalid)
				s.parties[0].input, s.parties[1].input = l, h
			}
			// A share of another report.
			other := newSession(t, c.config, c.m)
			public, input, err := s.vdaf.Shard(taskContext, other.parties[0].nonce, random(s.vdaf.RandSize()), c.m)
			if err != nil {
				t.Fatal(err)
			}
			s.parties[1].public, s.parties[1].input = public, input[1]
			s.mustFail(t, "helper's share of another report", prio3.ErrInvalid)
		})
	}
}
