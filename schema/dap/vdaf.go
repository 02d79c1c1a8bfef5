package dap

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// The VDAF types of [VDAFConfig].
const (
	VDAFCount            uint32 = 1
	VDAFSum              uint32 = 2
	VDAFSumVec           uint32 = 3
	VDAFHistogram        uint32 = 4
	VDAFMultihotCountVec uint32 = 5
)

// A VDAFConfig is a VDAF type with its configuration, together the two VDAF
// fields of a [TaskConfiguration]. Only the Prio3 types have an encoding here,
// and of each only the fields its definition names are encoded; the others are
// zero after decoding. Mind that chunk_length has not the same place in all.
//
//	struct {
//	    uint64 max_measurement;
//	} Prio3SumConfig;
//
//	struct {
//	    uint32 length;
//	    uint64 max_measurement;
//	    uint32 chunk_length;
//	} Prio3SumVecConfig;
//
//	struct {
//	    uint32 length;
//	    uint32 chunk_length;
//	} Prio3HistogramConfig;
//
//	struct {
//	    uint32 length;
//	    uint32 chunk_length;
//	    uint64 max_weight;
//	} Prio3MultihotCountVecConfig;
type VDAFConfig struct {
	Type           uint32
	Length         uint32
	ChunkLength    uint32
	MaxMeasurement uint64
	MaxWeight      uint64
}

func (c VDAFConfig) marshal(b *cryptobyte.Builder) {
	b.AddUint32(c.Type)
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		switch c.Type {
		case VDAFCount:
		case VDAFSum:
			b.AddUint64(c.MaxMeasurement)
		case VDAFSumVec:
			b.AddUint32(c.Length)
			b.AddUint64(c.MaxMeasurement)
			b.AddUint32(c.ChunkLength)
		case VDAFHistogram:
			b.AddUint32(c.Length)
			b.AddUint32(c.ChunkLength)
		case VDAFMultihotCountVec:
			b.AddUint32(c.Length)
			b.AddUint32(c.ChunkLength)
			b.AddUint64(c.MaxWeight)
		default:
			b.SetError(fmt.Errorf("unknown VDAF type %#x", c.Type))
		}
	})
}

func (c *VDAFConfig) unmarshal(s *cryptobyte.String) bool {
	var body cryptobyte.String
	if !s.ReadUint32(&c.Type) || !s.ReadUint16LengthPrefixed(&body) {
		return false
	}
	ok := false
	switch c.Type {
	case VDAFCount:
		ok = true
	case VDAFSum:
		ok = body.ReadUint64(&c.MaxMeasurement)
	case VDAFSumVec:
		ok = body.ReadUint32(&c.Length) &&
			body.ReadUint64(&c.MaxMeasurement) &&
			body.ReadUint32(&c.ChunkLength)
	case VDAFHistogram:
		ok = body.ReadUint32(&c.Length) &&
			body.ReadUint32(&c.ChunkLength)
	case VDAFMultihotCountVec:
		ok = body.ReadUint32(&c.Length) &&
			body.ReadUint32(&c.ChunkLength) &&
			body.ReadUint64(&c.MaxWeight)
	}
	return ok && body.Empty()
}
