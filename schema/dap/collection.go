package dap

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// A Query says which batch the Collector wants. Its configuration has the
// length that its batch mode prescribes: an [Interval] for time-interval,
// nothing for leader-selected.
//
//	struct {
//	  BatchMode batch_mode;
//	  opaque config<0..2^16-1>;
//	} Query;
//
//	struct {
//	  Interval batch_interval;
//	} TimeIntervalQueryConfig;
type Query struct {
	BatchMode BatchMode
	Config    []byte
}

// NewTimeIntervalQuery returns the query for the batch of interval i.
func NewTimeIntervalQuery(i Interval) Query {
	return Query{TimeInterval, NewTaskIntervalExtension(i).Data}
}

// NewLeaderSelectedQuery returns the query for the next batch.
func NewLeaderSelectedQuery() Query { return Query{BatchMode: LeaderSelected} }

// Interval returns the interval of a time-interval query, else false.
func (q Query) Interval() (Interval, bool) { return intervalOf(q.BatchMode, q.Config) }

func (q Query) marshal(b *cryptobyte.Builder) {
	marshalBatch(b, q.BatchMode, q.Config, 0)
}

func (q *Query) unmarshal(s *cryptobyte.String) bool {
	return unmarshalBatch(s, &q.BatchMode, &q.Config, 0)
}

// A BatchSelector tells the Helper which batch the Leader means: an [Interval]
// for time-interval, a [BatchID] for leader-selected.
//
//	struct {
//	  BatchMode batch_mode;
//	  opaque config<0..2^16-1>;
//	} BatchSelector;
//
//	struct {
//	  Interval batch_interval;
//	} TimeIntervalBatchSelectorConfig;
//
//	struct {
//	  BatchID batch_id;
//	} LeaderSelectedBatchSelectorConfig;
type BatchSelector struct {
	BatchMode BatchMode
	Config    []byte
}

// NewTimeIntervalSelector returns the selector of the batch of interval i.
func NewTimeIntervalSelector(i Interval) BatchSelector {
	return BatchSelector(NewTimeIntervalQuery(i))
}

// NewLeaderSelectedSelector returns the selector of the batch id.
func NewLeaderSelectedSelector(id BatchID) BatchSelector {
	return BatchSelector{LeaderSelected, id[:]}
}

// Interval returns the interval of a time-interval selector, else false.
func (q BatchSelector) Interval() (Interval, bool) { return intervalOf(q.BatchMode, q.Config) }

// BatchID returns the batch ID of a leader-selected selector, else false.
func (q BatchSelector) BatchID() (BatchID, bool) {
	if q.BatchMode != LeaderSelected {
		return BatchID{}, false
	}
	id, err := Parse[BatchID](q.Config)
	return id, err == nil
}

func (q BatchSelector) marshal(b *cryptobyte.Builder) {
	marshalBatch(b, q.BatchMode, q.Config, len(BatchID{}))
}

func (q *BatchSelector) unmarshal(s *cryptobyte.String) bool {
	return unmarshalBatch(s, &q.BatchMode, &q.Config, len(BatchID{}))
}

func intervalOf(mode BatchMode, config []byte) (Interval, bool) {
	if mode != TimeInterval {
		return Interval{}, false
	}
	i, err := Parse[Interval](config)
	return i, err == nil
}

// marshalBatch and unmarshalBatch are the codec of Query and BatchSelector,
// which differ in the size of a leader-selected configuration alone.

func marshalBatch(b *cryptobyte.Builder, mode BatchMode, config []byte, leaderSelected int) {
	mode.marshal(b)
	if want := batchConfigSize(mode, leaderSelected); len(config) != want {
		b.SetError(fmt.Errorf("%v configuration of %d bytes, want %d", mode, len(config), want))
		return
	}
	addOpaque16(b, config, 0)
}

func unmarshalBatch(s *cryptobyte.String, mode *BatchMode, config *[]byte, leaderSelected int) bool {
	return mode.unmarshal(s) && readOpaque16(s, config, 0) &&
		len(*config) == batchConfigSize(*mode, leaderSelected)
}

func batchConfigSize(mode BatchMode, leaderSelected int) int {
	if mode == TimeInterval {
		return intervalSize
	}
	return leaderSelected
}

// A CollectionJobReq creates a collection job. Its bytes are bound into the
// aggregate shares: all parties keep them as the Collector made them.
//
//	struct {
//	  Query query;
//	  opaque agg_param<0..2^32-1>;
//	  CollectionJobExtension extensions<0..2^16-1>;
//	} CollectionJobReq;
type CollectionJobReq struct {
	Query                Query
	AggregationParameter []byte
	Extensions           []Extension
}

func (r CollectionJobReq) marshal(b *cryptobyte.Builder) {
	r.Query.marshal(b)
	addOpaque32(b, r.AggregationParameter, 0)
	addVector16(b, r.Extensions)
}

func (r *CollectionJobReq) unmarshal(s *cryptobyte.String) bool {
	return r.Query.unmarshal(s) &&
		readOpaque32(s, &r.AggregationParameter, 0) &&
		readVector16(s, &r.Extensions)
}

// A CollectionJobResp is the result of a collection job.
//
//	struct {
//	  uint64 report_count;
//	  Interval interval;
//	  HpkeCiphertext leader_encrypted_agg_share;
//	  HpkeCiphertext helper_encrypted_agg_share;
//	} CollectionJobResp;
type CollectionJobResp struct {
	ReportCount uint64
	Interval    Interval // the smallest that contains the times of all reports
	Leader      HpkeCiphertext
	Helper      HpkeCiphertext
}

func (r CollectionJobResp) marshal(b *cryptobyte.Builder) {
	b.AddUint64(r.ReportCount)
	r.Interval.marshal(b)
	r.Leader.marshal(b)
	r.Helper.marshal(b)
}

func (r *CollectionJobResp) unmarshal(s *cryptobyte.String) bool {
	return s.ReadUint64(&r.ReportCount) &&
		r.Interval.unmarshal(s) &&
		r.Leader.unmarshal(s) &&
		r.Helper.unmarshal(s)
}

// An AggregateShareReq asks the Helper for its aggregate share of a batch.
//
//	struct {
//	  CollectionJobReq collection_job_req;
//	  BatchSelector batch_selector;
//	  uint64 report_count;
//	  opaque checksum[32];
//	} AggregateShareReq;
type AggregateShareReq struct {
	CollectionJobReq CollectionJobReq
	BatchSelector    BatchSelector
	ReportCount      uint64
	Checksum         [32]byte // see the function Checksum
}

func (r AggregateShareReq) marshal(b *cryptobyte.Builder) {
	r.CollectionJobReq.marshal(b)
	r.BatchSelector.marshal(b)
	b.AddUint64(r.ReportCount)
	b.AddBytes(r.Checksum[:])
}

func (r *AggregateShareReq) unmarshal(s *cryptobyte.String) bool {
	return r.CollectionJobReq.unmarshal(s) &&
		r.BatchSelector.unmarshal(s) &&
		s.ReadUint64(&r.ReportCount) &&
		s.CopyBytes(r.Checksum[:])
}

// SplitCollectionJobReq cuts the Collector's request off the front of an
// encoded [AggregateShareReq] and returns it as it stands there: the form that
// [AggregateShareAAD] wants. It aliases b.
func SplitCollectionJobReq(b []byte) (collectionJobReq []byte, err error) {
	_, collectionJobReq, _, err = parsePrefix[CollectionJobReq](b)
	return collectionJobReq, err
}

// An AggregateShare is the Helper's answer to an [AggregateShareReq].
//
//	struct {
//	  HpkeCiphertext encrypted_aggregate_share;
//	} AggregateShare;
type AggregateShare = HpkeCiphertext
