package dap

import "golang.org/x/crypto/cryptobyte"

// A Time is a number of units since the epoch, where a unit is the task's time
// precision in seconds. Two times compare only within a task.
//
//	uint64 Time;
type Time uint64

// A Duration is a number of units.
//
//	uint64 Duration;
type Duration uint64

// An Interval is half-open: it includes Start and excludes Start+Duration. The
// codec accepts any two numbers; an interval whose end does not fit into a
// [Time] is not well-formed and contains nothing.
//
//	struct {
//	  Time start;
//	  Duration duration;
//	} Interval;
type Interval struct {
	Start    Time
	Duration Duration
}

const intervalSize = 16

// End returns the first time after the interval, and false if it does not fit.
func (i Interval) End() (end Time, ok bool) {
	end = i.Start + Time(i.Duration)
	return end, end >= i.Start
}

// Contains reports whether t falls within i.
func (i Interval) Contains(t Time) bool {
	end, ok := i.End()
	return ok && i.Start <= t && t < end
}

// ContainsInterval reports whether j is well-formed and lies within i. An
// interval of no duration lies within i if it starts in i or at i's end.
func (i Interval) ContainsInterval(j Interval) bool {
	end, ok := i.End()
	jEnd, jok := j.End()
	return ok && jok && i.Start <= j.Start && jEnd <= end
}

// Overlaps reports whether some time falls within both.
func (i Interval) Overlaps(j Interval) bool {
	end, ok := i.End()
	jEnd, jok := j.End()
	return ok && jok && max(i.Start, j.Start) < min(end, jEnd)
}

func (i Interval) marshal(b *cryptobyte.Builder) {
	b.AddUint64(uint64(i.Start))
	b.AddUint64(uint64(i.Duration))
}

func (i *Interval) unmarshal(s *cryptobyte.String) bool {
	return s.ReadUint64((*uint64)(&i.Start)) && s.ReadUint64((*uint64)(&i.Duration))
}
