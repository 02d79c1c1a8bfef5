package dap

import (
	"errors"
	"fmt"
	"math"

	"golang.org/x/crypto/cryptobyte"
)

// ErrMalformed is returned for bytes that are not the encoding of the message
// asked for. The answer to a peer that sent them is [InvalidMessage], or
// [ErrorInvalidMessage] where only one report is concerned.
var ErrMalformed = errors.New("malformed DAP message")

// A message has an encoding. Its methods are unexported: the set of messages
// is the draft's, and it is closed.
type message interface {
	marshal(b *cryptobyte.Builder)
}

// A parsable is the pointer to a message M, which decoding fills in.
type parsable[M any] interface {
	*M
	unmarshal(s *cryptobyte.String) bool
}

// Marshal returns the encoding of m. It fails only for values that have none,
// such as an empty ciphertext or a list that is too long for its prefix; what
// it returns, [Parse] accepts.
func Marshal(m message) ([]byte, error) {
	return Append(nil, m)
}

// Append appends the encoding of m to dst and returns the extended slice, as
// [Marshal] would. Messages that are sequences without a length prefix, such
// as [UploadRequest], can be built by appending their elements.
func Append(dst []byte, m message) ([]byte, error) {
	b := cryptobyte.NewBuilder(dst)
	m.marshal(b)
	out, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encoding %T: %w", m, err)
	}
	return out, nil
}

// Parse decodes b, all of it, as a message of type M. Byte slices in the result
// alias b, which must not change as long as they are in use. The error is
// [ErrMalformed], naming the type.
//
//	req, err := dap.Parse[dap.CollectionJobReq](body)
func Parse[M any, P parsable[M]](b []byte) (M, error) {
	var m M
	s := cryptobyte.String(b)
	if !P(&m).unmarshal(&s) || !s.Empty() {
		var zero M
		return zero, fmt.Errorf("parsing %T of %d bytes: %w", zero, len(b), ErrMalformed)
	}
	return m, nil
}

// parsePrefix decodes a message from the front of b, and returns with it the
// bytes it occupies and those that follow.
func parsePrefix[M any, P parsable[M]](b []byte) (m M, raw, rest []byte, err error) {
	s := cryptobyte.String(b)
	if !P(&m).unmarshal(&s) {
		var zero M
		return zero, nil, nil, fmt.Errorf("parsing %T from %d bytes: %w", zero, len(b), ErrMalformed)
	}
	n := len(b) - len(s)
	return m, b[:n:n], b[n:], nil
}

// addOpaque8, 16 and 32 append v behind its length; v must have at least min bytes.

func addOpaque8(b *cryptobyte.Builder, v []byte, min int) {
	if checkLength(b, len(v), min, math.MaxUint8) {
		b.AddUint8(uint8(len(v)))
		b.AddBytes(v)
	}
}

func addOpaque16(b *cryptobyte.Builder, v []byte, min int) {
	if checkLength(b, len(v), min, math.MaxUint16) {
		b.AddUint16(uint16(len(v)))
		b.AddBytes(v)
	}
}

func addOpaque32(b *cryptobyte.Builder, v []byte, min int) {
	if checkLength(b, len(v), min, math.MaxUint32) {
		b.AddUint32(uint32(len(v)))
		b.AddBytes(v)
	}
}

func checkLength(b *cryptobyte.Builder, n, min int, max uint64) bool {
	if n < min || uint64(n) > max {
		b.SetError(fmt.Errorf("vector of %d bytes, want %d to %d", n, min, max))
		return false
	}
	return true
}

// readOpaque8, 16 and 32 read a byte string behind its length. The result is
// not nil, aliases s, and has no spare capacity, so that appending copies.

func readOpaque8(s *cryptobyte.String, out *[]byte, min int) bool {
	var n uint8
	return s.ReadUint8(&n) && readBytes(s, out, uint64(n), min)
}

func readOpaque16(s *cryptobyte.String, out *[]byte, min int) bool {
	var n uint16
	return s.ReadUint16(&n) && readBytes(s, out, uint64(n), min)
}

func readOpaque32(s *cryptobyte.String, out *[]byte, min int) bool {
	var n uint32
	return s.ReadUint32(&n) && readBytes(s, out, uint64(n), min)
}

func readBytes(s *cryptobyte.String, out *[]byte, n uint64, min int) bool {
	// Compared as uint64, so that no length wraps where int has 32 bits.
	if n < uint64(min) || n > uint64(len(*s)) {
		return false
	}
	*out = (*s)[:n:n]
	*s = (*s)[n:]
	return true
}

// addVector16 appends list as a vector behind its 16-bit length in bytes.
func addVector16[M message](b *cryptobyte.Builder, list []M) {
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { addSequence(b, list) })
}

// readVector16 reads what addVector16 wrote.
func readVector16[M any, P parsable[M]](s *cryptobyte.String, out *[]M) bool {
	var body cryptobyte.String
	return s.ReadUint16LengthPrefixed(&body) && readSequence[M, P](&body, out)
}

// addSequence appends list without a length: it runs to the end of the
// enclosing message.
func addSequence[M message](b *cryptobyte.Builder, list []M) {
	for _, m := range list {
		m.marshal(b)
	}
}

// readSequence reads elements until s is empty. Every element takes bytes of s,
// so that memory is bounded by the input; an empty sequence is a nil slice.
func readSequence[M any, P parsable[M]](s *cryptobyte.String, out *[]M) bool {
	*out = nil
	for !s.Empty() {
		var m M
		if !P(&m).unmarshal(s) {
			return false
		}
		*out = append(*out, m)
	}
	return true
}
