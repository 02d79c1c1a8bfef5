package store

import (
	"bytes"
	"fmt"
)

// A Merge adds one bucket, or a shard of it, to another: from, which it neither changes nor keeps, to into, which is zero at first and whose ID is set.
// How a bucket is made of others is decided here and not in the backends, so that a Store that wraps another can change how a bucket is kept.
type Merge func(into *Bucket, from Bucket) error

// Adding returns the Merge that adds shares with add (dst += src, same length), sums counts, XORs checksums, and keeps the least and the greatest
// time. A bucket without a share adds nothing to the share, one without reports nothing to the times.
func Adding(add func(dst, src []byte) error) Merge {
	return func(into *Bucket, from Bucket) error {
		switch {
		case len(from.Share) == 0:
		case len(into.Share) == 0:
			into.Share = bytes.Clone(from.Share)
		case len(into.Share) != len(from.Share):
			return fmt.Errorf("a share of %d bytes does not add to one of %d", len(from.Share), len(into.Share))
		default:
			if err := add(into.Share, from.Share); err != nil {
				return err
			}
		}
		if from.Count > 0 {
			if into.Count == 0 {
				into.MinTime, into.MaxTime = from.MinTime, from.MaxTime
			}
			into.MinTime, into.MaxTime = min(into.MinTime, from.MinTime), max(into.MaxTime, from.MaxTime)
		}
		into.Count += from.Count
		for i, b := range from.Checksum {
			into.Checksum[i] ^= b
		}
		return nil
	}
}
