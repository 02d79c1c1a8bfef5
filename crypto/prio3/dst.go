package prio3

import (
	"encoding/binary"

	"candor/crypto/xof"
)

// A usage tells apart what the XOF is used for.
type usage uint16

const (
	usageMeasShare usage = iota + 1
	usageProofShare
	usageJointRand
	usageProveRand
	usageQueryRand
	usageJointRandSeed
	usageJointRandPart
	usages
)

// A tags holds, for each usage, the head of every XOF input of an instance in an application context.
type tags [usages][]byte

// newTags fails on a context too long for the XOF.
func (v *VDAF) newTags(ctx []byte) (*tags, error) {
	var t tags
	for u := usageMeasShare; u < usages; u++ {
		dst := append(make([]byte, 0, 8+len(ctx)), Version, 0) // 0: the class of VDAFs
		dst = binary.BigEndian.AppendUint32(dst, v.id)
		dst = binary.BigEndian.AppendUint16(dst, uint16(u))
		dst = append(dst, ctx...)
		var err error
		if t[u], err = xof.Prefix(dst, xof.SeedSize); err != nil {
			return nil, err
		}
	}
	return &t, nil
}
