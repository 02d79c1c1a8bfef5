package boltstore

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// rowVersion is the first byte of every value.
const rowVersion = 1

var errMalformed = errors.New("malformed row, the store is damaged; run `candor store check`")

// A row is a value with an encoding: a version byte, then its fields. There is one encoding for each value.
type row interface {
	marshal(b *cryptobyte.Builder)
	unmarshal(s *reader) bool
}

func encode(r row, size int) ([]byte, error) {
	b := cryptobyte.NewBuilder(make([]byte, 0, size))
	b.AddUint8(rowVersion)
	r.marshal(b)
	out, err := b.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encoding %T: %w", r, err)
	}
	return out, nil
}

// decode fills in r from a value of the file, of which it keeps nothing.
func decode(value []byte, r row) error {
	s := reader{s: cryptobyte.String(value)}
	var version uint8
	if !s.s.ReadUint8(&version) {
		return fmt.Errorf("decoding %T: %w", r, errMalformed)
	}
	if version != rowVersion {
		return fmt.Errorf("decoding %T: version %d is unknown to this program", r, version)
	}
	if !r.unmarshal(&s) || !s.s.Empty() {
		return fmt.Errorf("decoding %T: %w", r, errMalformed)
	}
	return nil
}

// A reader reads fields; what it returns is the caller's.
type reader struct{ s cryptobyte.String }

func (r *reader) bool(v *bool) bool {
	var b uint8
	if !r.s.ReadUint8(&b) || b > 1 {
		return false
	}
	*v = b == 1
	return true
}

func (r *reader) uint64(v *uint64) bool { return r.s.ReadUint64(v) }

func (r *reader) int(v *int) bool {
	var n uint64
	if !r.s.ReadUint64(&n) || n > 1<<31-1 {
		return false
	}
	*v = int(n)
	return true
}

func (r *reader) time(v *time.Time) bool {
	var n uint64
	if !r.s.ReadUint64(&n) {
		return false
	}
	*v = time.UnixMicro(int64(n)).UTC()
	return v.UnixMicro() == int64(n) // not so for some times billions of years away
}

func (r *reader) dapTime(v *dap.Time) bool { return r.s.ReadUint64((*uint64)(v)) }

func (r *reader) fixed(v []byte) bool { return r.s.CopyBytes(v) }

// bytes reads a byte string behind its 32-bit length; empty is nil.
func (r *reader) bytes(v *[]byte) bool {
	var n uint32
	var b []byte
	if !r.s.ReadUint32(&n) || uint64(n) > uint64(len(r.s)) || !r.s.ReadBytes(&b, int(n)) {
		return false
	}
	*v = clone(b)
	return true
}

func (r *reader) text(v *string) bool {
	var b []byte
	if !r.bytes(&b) {
		return false
	}
	*v = string(b)
	return true
}

// jobState reads the state of a job.
func (r *reader) jobState(v *store.JobState) bool {
	return r.s.ReadUint8((*uint8)(v)) && *v >= store.JobLive && *v <= store.JobAbandoned
}

func (r *reader) batchID(v **dap.BatchID) bool {
	var present bool
	if !r.bool(&present) {
		return false
	}
	if !present {
		*v = nil
		return true
	}
	*v = new(dap.BatchID)
	return r.fixed((*v)[:])
}

func (r *reader) waiting(v *store.Waiting) bool {
	return r.text(&v.Code) && r.text(&v.Text) && r.time(&v.Since)
}

func (r *reader) batch(v *store.Batch) bool {
	return r.dapTime(&v.Interval.Start) && r.s.ReadUint64((*uint64)(&v.Interval.Duration)) && r.batchID(&v.ID)
}

func addBool(b *cryptobyte.Builder, v bool) {
	if v {
		b.AddUint8(1)
	} else {
		b.AddUint8(0)
	}
}

func addTime(b *cryptobyte.Builder, t time.Time) { b.AddUint64(uint64(t.UnixMicro())) }

func addInt(b *cryptobyte.Builder, n int) {
	if n < 0 || n > 1<<31-1 {
		b.SetError(fmt.Errorf("number %d is out of range", n))
		return
	}
	b.AddUint64(uint64(n))
}

func addBytes(b *cryptobyte.Builder, v []byte) {
	if uint64(len(v)) > 1<<31-1 {
		b.SetError(fmt.Errorf("%d bytes are too many for a row", len(v)))
		return
	}
	b.AddUint32(uint32(len(v)))
	b.AddBytes(v)
}

func addBatchID(b *cryptobyte.Builder, id *dap.BatchID) {
	addBool(b, id != nil)
	if id != nil {
		b.AddBytes(id[:])
	}
}

func addWaiting(b *cryptobyte.Builder, w store.Waiting) {
	addBytes(b, []byte(w.Code))
	addBytes(b, []byte(w.Text))
	addTime(b, w.Since)
}

func addBatch(b *cryptobyte.Builder, v store.Batch) {
	b.AddUint64(uint64(v.Interval.Start))
	b.AddUint64(uint64(v.Interval.Duration))
	addBatchID(b, v.ID)
}

// raw returns the value of a row that is one byte string.
func raw(v []byte) []byte {
	return append(append(make([]byte, 0, 1+len(v)), rowVersion), v...)
}

// unraw returns the byte string of such a row, cloned; what names the row in errors.
func unraw(what string, value []byte) ([]byte, error) {
	b, err := peekRaw(what, value)
	return clone(b), err
}

// peekRaw is unraw without the clone.
func peekRaw(what string, value []byte) ([]byte, error) {
	if len(value) == 0 {
		return nil, fmt.Errorf("decoding %s: %w", what, errMalformed)
	}
	if value[0] != rowVersion {
		return nil, fmt.Errorf("decoding %s: version %d is unknown to this program", what, value[0])
	}
	return value[1:], nil
}

// rawFixed copies the byte string of such a row, which has the length of dst.
func rawFixed(what string, dst, value []byte) error {
	b, err := peekRaw(what, value)
	if err != nil {
		return err
	}
	if len(b) != len(dst) {
		return fmt.Errorf("decoding %s: %w", what, errMalformed)
	}
	copy(dst, b)
	return nil
}

// clone copies b; an empty slice becomes nil.
func clone(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return append(make([]byte, 0, len(b)), b...)
}
