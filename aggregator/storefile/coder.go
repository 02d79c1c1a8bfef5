package storefile

import (
	"time"

	"golang.org/x/crypto/cryptobyte"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// A coder writes fields, or reads them: a record has one description for both, so that they cannot differ.
type coder struct {
	to   *cryptobyte.Builder // nil: reading
	from cryptobyte.String
	bad  bool // something read is not what would have been written
}

func (c *coder) require(ok bool) bool {
	c.bad = c.bad || !ok
	return !c.bad
}

func u8[T ~uint8](c *coder, v *T) {
	n := uint8(*v)
	if c.to != nil {
		c.to.AddUint8(n)
	} else if c.require(c.from.ReadUint8(&n)) {
		*v = T(n)
	}
}

func u16[T ~uint16](c *coder, v *T) {
	n := uint16(*v)
	if c.to != nil {
		c.to.AddUint16(n)
	} else if c.require(c.from.ReadUint16(&n)) {
		*v = T(n)
	}
}

func u64[T ~uint64](c *coder, v *T) {
	n := uint64(*v)
	if c.to != nil {
		c.to.AddUint64(n)
	} else if c.require(c.from.ReadUint64(&n)) {
		*v = T(n)
	}
}

func (c *coder) count(v *int) {
	n := uint64(*v)
	u64(c, &n)
	if c.require(n < 1<<31) {
		*v = int(n)
	}
}

func (c *coder) fixed(v []byte) {
	if c.to != nil {
		c.to.AddBytes(v)
	} else {
		c.require(c.from.CopyBytes(v))
	}
}

func (c *coder) bytes(v *[]byte) {
	if c.to != nil {
		c.to.AddUint32LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(*v) })
		return
	}
	var n uint32
	var b []byte
	if c.require(c.from.ReadUint32(&n)) && c.require(uint64(n) <= uint64(len(c.from))) && c.require(c.from.ReadBytes(&b, int(n))) && n > 0 {
		*v = append([]byte(nil), b...)
	}
}

func (c *coder) text(v *string) {
	b := []byte(*v)
	c.bytes(&b)
	*v = string(b)
}

func (c *coder) bucketID(v *store.BucketID) {
	text := string(*v)
	c.text(&text)
	*v = store.BucketID(text)
}

func (c *coder) flag(v *bool) {
	var n uint8
	if *v {
		n = 1
	}
	u8(c, &n)
	c.require(n <= 1)
	*v = n == 1
}

func (c *coder) time(v *time.Time) {
	n := uint64(v.UnixMicro())
	u64(c, &n)
	*v = time.UnixMicro(int64(n)).UTC()
	c.require(v.UnixMicro() == int64(n)) // not so for some times billions of years away
}

// optional codes a pointer: value codes what it points to.
func optional[T any](c *coder, v **T, value func(*T)) {
	there := *v != nil
	c.flag(&there)
	if !there || c.bad {
		*v = nil
		return
	}
	if *v == nil {
		*v = new(T)
	}
	value(*v)
}

func (c *coder) batch(v *store.Batch) {
	u64(c, &v.Interval.Start)
	u64(c, &v.Interval.Duration)
	optional(c, &v.ID, func(id *dap.BatchID) { c.fixed(id[:]) })
}

func (c *coder) progress(v *store.Progress) {
	for _, n := range []*uint64{&v.Unassigned, &v.Assigned, &v.Aggregated, &v.Rejected} {
		u64(c, n)
	}
}

func (c *coder) waiting(v *store.Waiting) {
	c.text(&v.Code)
	c.text(&v.Text)
	c.time(&v.Since)
}

func (c *coder) reportIDs(v *[]dap.ReportID) {
	n := len(*v)
	c.count(&n)
	if c.to == nil {
		if !c.require(n <= len(c.from)/len(dap.ReportID{})) || n == 0 {
			return
		}
		*v = make([]dap.ReportID, n)
	}
	for i := range *v {
		c.fixed((*v)[i][:])
	}
}
