package storefile

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"

	"candor/aggregator/store"
	"candor/schema/dap"
)

// Numbers of types of records. They are never given to another.
const (
	kindKey            = 1
	kindPin            = 2
	kindCounter        = 3
	kindBatch          = 4
	kindReport         = 5
	kindAggregationJob = 6
	kindMark           = 7
	kindBucket         = 8
	kindCollected      = 9
	kindCollectionJob  = 10
	kindHelperJob      = 11
	kindShareAnswer    = 12
	kindSubmission     = 13
	kindStatement      = 14
)

// encode returns the number and the body of a record.
func encode(record store.Record) (kind uint8, body []byte, err error) {
	c := &coder{to: cryptobyte.NewBuilder(nil)}
	switch r := record.(type) {
	case store.Key:
		kind = kindKey
		c.key(&r)
	case store.PinRecord:
		kind = kindPin
		c.pin(&r)
	case store.CounterRecord:
		kind = kindCounter
		c.counter(&r)
	case store.BatchRecord:
		kind = kindBatch
		c.leaderBatch(&r)
	case store.ReportRecord:
		kind = kindReport
		c.report(&r)
	case store.AggregationJob:
		kind = kindAggregationJob
		c.aggregationJob(&r)
	case store.MarkRecord:
		kind = kindMark
		c.mark(&r)
	case store.BucketRecord:
		kind = kindBucket
		c.bucket(&r)
	case store.CollectedRecord:
		kind = kindCollected
		c.collected(&r)
	case store.CollectionJob:
		kind = kindCollectionJob
		c.collectionJob(&r)
	case store.HelperJob:
		kind = kindHelperJob
		c.helperJob(&r)
	case store.ShareAnswer:
		kind = kindShareAnswer
		c.shareAnswer(&r)
	case store.Submission:
		kind = kindSubmission
		c.submission(&r)
	case store.Statement:
		kind = kindStatement
		c.statement(&r)
	default:
		return 0, nil, fmt.Errorf("storefile: internal error: unknown record %T", record)
	}
	if body, err = c.to.Bytes(); err != nil || c.bad {
		return 0, nil, fmt.Errorf("storefile: a %T cannot be written (%v)", record, err)
	}
	return kind, body, nil
}

// decode is the inverse of encode; false if there is no such record.
func decode(kind uint8, body cryptobyte.String) (store.Record, bool) {
	c := &coder{from: body}
	switch kind {
	case kindKey:
		return decoded(c, c.key)
	case kindPin:
		return decoded(c, c.pin)
	case kindCounter:
		return decoded(c, c.counter)
	case kindBatch:
		return decoded(c, c.leaderBatch)
	case kindReport:
		return decoded(c, c.report)
	case kindAggregationJob:
		return decoded(c, c.aggregationJob)
	case kindMark:
		return decoded(c, c.mark)
	case kindBucket:
		return decoded(c, c.bucket)
	case kindCollected:
		return decoded(c, c.collected)
	case kindCollectionJob:
		return decoded(c, c.collectionJob)
	case kindHelperJob:
		return decoded(c, c.helperJob)
	case kindShareAnswer:
		return decoded(c, c.shareAnswer)
	case kindSubmission:
		return decoded(c, c.submission)
	case kindStatement:
		return decoded(c, c.statement)
	}
	return nil, false
}

func decoded[R store.Record](c *coder, fields func(*R)) (store.Record, bool) {
	var r R
	fields(&r)
	return r, !c.bad && c.from.Empty()
}

func (c *coder) key(r *store.Key) {
	c.fixed(r.Task[:])
	u64(c, &r.ID)
	c.bytes(&r.Wrapped)
}

func (c *coder) pin(r *store.PinRecord) {
	c.fixed(r.Task[:])
	c.fixed(r.Digest[:])
}

func (c *coder) counter(r *store.CounterRecord) {
	c.fixed(r.Task[:])
	c.text(&r.Name)
	u64(c, &r.N)
}

func (c *coder) leaderBatch(r *store.BatchRecord) {
	c.fixed(r.Task[:])
	c.fixed(r.ID[:])
	c.time(&r.Created)
	c.progress(&r.Progress)
	optional(c, &r.Reserved, func(id *dap.CollectionJobID) { c.fixed(id[:]) })
}

func (c *coder) report(r *store.ReportRecord) {
	c.fixed(r.Task[:])
	c.fixed(r.ID[:])
	u64(c, &r.Time)
	c.time(&r.NotBefore)
	c.bytes(&r.Encoded)
	u8(c, &r.State)
	u8(c, &r.Code)
	c.fixed(r.Job[:])
}

func (c *coder) aggregationJob(r *store.AggregationJob) {
	c.fixed(r.ID[:])
	c.fixed(r.Task[:])
	optional(c, &r.Batch, func(id *dap.BatchID) { c.fixed(id[:]) })
	c.reportIDs(&r.Reports)
	c.bytes(&r.Request)
	c.time(&r.Created)
	c.text(&r.Location)
	c.count(&r.Attempts)
	c.time(&r.NextAttempt)
	c.waiting(&r.Waiting)
	c.time(&r.LeaseUntil)
	u64(c, &r.Revision)
	u8(c, &r.State)
}

func (c *coder) mark(r *store.MarkRecord) {
	c.fixed(r.Task[:])
	c.fixed(r.Report[:])
	c.bucketID(&r.Bucket)
}

func (c *coder) bucket(r *store.BucketRecord) {
	c.fixed(r.Task[:])
	u16(c, &r.Shard)
	c.bucketID(&r.ID)
	c.bytes(&r.Share)
	u64(c, &r.Count)
	c.fixed(r.Checksum[:])
	u64(c, &r.MinTime)
	u64(c, &r.MaxTime)
	c.flag(&r.Erased)
}

func (c *coder) collected(r *store.CollectedRecord) {
	c.fixed(r.Task[:])
	c.batch(&r.Batch)
}

func (c *coder) collectionJob(r *store.CollectionJob) {
	c.fixed(r.ID[:])
	c.fixed(r.Task[:])
	c.bytes(&r.Request)
	c.fixed(r.Digest[:])
	c.time(&r.Created)
	optional(c, &r.Batch, c.batch)
	c.bytes(&r.ShareRequest)
	c.text(&r.Location)
	c.bytes(&r.Response)
	c.bytes(&r.Problem)
	c.count(&r.Attempts)
	c.time(&r.NextAttempt)
	c.waiting(&r.Waiting)
	c.time(&r.LeaseUntil)
	u64(c, &r.Revision)
	u8(c, &r.State)
}

func (c *coder) helperJob(r *store.HelperJob) {
	c.fixed(r.ID[:])
	c.fixed(r.Task[:])
	c.fixed(r.Digest[:])
	c.bytes(&r.Request)
	c.bytes(&r.Response)
	c.time(&r.Created)
	c.time(&r.NextAttempt)
	c.time(&r.LeaseUntil)
	u8(c, &r.State)
}

func (c *coder) shareAnswer(r *store.ShareAnswer) {
	c.fixed(r.ID[:])
	c.fixed(r.Task[:])
	c.fixed(r.Digest[:])
	c.batch(&r.Batch)
	c.bytes(&r.Response)
	c.time(&r.Created)
}

func (c *coder) submission(r *store.Submission) {
	c.fixed(r.Task[:])
	c.text(&r.Member)
	u64(c, &r.Correction)
	c.fixed(r.Report[:])
	c.fixed(r.Signer[:])
	c.bytes(&r.Contributes)
	c.time(&r.Received)
	c.flag(&r.Aggregated)
}

func (c *coder) statement(r *store.Statement) {
	c.fixed(r.Task[:])
	c.bytes(&r.Text)
	c.bytes(&r.Salts)
	c.time(&r.Created)
}
