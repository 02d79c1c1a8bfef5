package boltstore

import (
	"time"

	"golang.org/x/crypto/cryptobyte"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// A jobRow is an aggregation job without its reports and its request, which are large and kept apart.
type jobRow struct {
	Number      uint64
	Batch       *dap.BatchID
	Created     time.Time
	Location    string
	Attempts    int
	NextAttempt time.Time
	Waiting     store.Waiting
	LeaseUntil  time.Time
	Revision    uint64
	State       store.JobState
}

func (r *jobRow) marshal(b *cryptobyte.Builder) {
	b.AddUint64(r.Number)
	addBatchID(b, r.Batch)
	addTime(b, r.Created)
	addBytes(b, []byte(r.Location))
	addInt(b, r.Attempts)
	addTime(b, r.NextAttempt)
	addWaiting(b, r.Waiting)
	addTime(b, r.LeaseUntil)
	b.AddUint64(r.Revision)
	b.AddUint8(uint8(r.State))
}

func (r *jobRow) unmarshal(s *reader) bool {
	return s.uint64(&r.Number) && s.batchID(&r.Batch) && s.time(&r.Created) && s.text(&r.Location) && s.int(&r.Attempts) &&
		s.time(&r.NextAttempt) && s.waiting(&r.Waiting) && s.time(&r.LeaseUntil) && s.uint64(&r.Revision) && s.jobState(&r.State)
}

func (r *jobRow) schedule() schedule { return schedule{r.Number, r.NextAttempt, r.LeaseUntil} }

// A memberRow lists a job's reports.
type memberRow []member

type member struct {
	id dap.ReportID
	n  uint64
}

func (r *memberRow) marshal(b *cryptobyte.Builder) {
	for _, m := range *r {
		b.AddBytes(m.id[:])
		b.AddUint64(m.n)
	}
}

func (r *memberRow) unmarshal(s *reader) bool {
	*r = make(memberRow, 0, len(s.s)/24)
	for !s.s.Empty() {
		var m member
		if !s.fixed(m.id[:]) || !s.uint64(&m.n) {
			return false
		}
		*r = append(*r, m)
	}
	return true
}
