package aggregator

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"candor/aggregator/store"
	"candor/crypto/prio3"
	"candor/crypto/seal"
	"candor/schema/dap"
	"candor/schema/round"
)

// A Task is a task as an Aggregator runs it: the configuration that all parties share, and what only Aggregators have besides.
// Fill in the exported fields, then call Check once; after that the task must not change and is safe for concurrent use.
type Task struct {
	*round.Task

	// VerifyKeys holds the VDAF verify keys by their id. The operators provision them; they never change during the life of the task
	// and leave the Aggregators in no message. An attacker who knows one can make invalid reports that pass verification.
	VerifyKeys map[uint8]VerifyKey
	// KeyID is the key that the Leader uses for new aggregation jobs. The zero value is right where there is one key.
	KeyID uint8
	// Collector is the HPKE configuration that aggregate shares are sealed to. An attacker who can change it reads results, not reports.
	Collector dap.HpkeConfig
	// PeerToken authenticates the Leader to the Helper. Empty where something else does, such as client certificates.
	PeerToken Token
	// CollectorToken authenticates the Collector to the Leader; the Helper has none.
	CollectorToken Token
	// Round holds the rules of the round that the task belongs to; nil in plain DAP tasks. A task with a round hash and no rules has only the round's
	// timing: such a one serves tests.
	Round *Round
	// Until is when the window of a round closes instead, if all three parties signed an extension; zero: as its interval says.
	Until time.Time
	// Cancelled tasks are erased when they are added: all three parties signed that their round is cancelled.
	Cancelled bool

	digest    [32]byte
	verifiers map[uint8]*[2]sync.Pool // by key id and aggregator; idle *prio3.Verifier
}

// Check refuses a task that cannot be run and makes the others ready for use. It reports everything that is wrong.
func (t *Task) Check() error {
	var problems []error
	if t.Task == nil {
		return errors.New("checking a task: it has no configuration")
	}
	if len(t.VerifyKeys) == 0 {
		problems = append(problems, errors.New("it has no verify key"))
	} else if _, ok := t.VerifyKeys[t.KeyID]; !ok {
		problems = append(problems, fmt.Errorf("verify key %d is chosen for new jobs and is not among its keys", t.KeyID))
	}
	suite := collectorSuite(t.Collector)
	if !seal.Supported(suite) {
		problems = append(problems, fmt.Errorf("the Collector's HPKE suite %#04x/%#04x/%#04x is not supported", suite.KEM, suite.KDF, suite.AEAD))
	} else if err := seal.CheckPublicKey(suite, t.Collector.PublicKey); err != nil {
		problems = append(problems, fmt.Errorf("the Collector's HPKE key cannot be used: %w", err))
	}
	if t.Round != nil {
		if hash, err := t.Round.Document.Hash(); t.RoundHash == nil || err != nil || hash != *t.RoundHash {
			problems = append(problems, errors.New("its round document is not the one that its configuration names by hash"))
		}
	}
	if t.PeerToken.same(t.CollectorToken) && !t.PeerToken.Empty() {
		problems = append(problems, errors.New("the Leader and the Collector have the same token"))
	}
	if len(problems) > 0 {
		return fmt.Errorf("task %s cannot be run: %w", t.ID, errors.Join(problems...))
	}
	t.digest = t.computeDigest()
	t.verifiers = make(map[uint8]*[2]sync.Pool, len(t.VerifyKeys))
	for id, key := range t.VerifyKeys {
		pools := new([2]sync.Pool)
		for agg := range pools {
			pools[agg].New = func() any { return t.VDAF.NewVerifier(agg, key.bytes(), t.Context) }
		}
		t.verifiers[id] = pools
	}
	return nil
}

// CheckFloor refuses a task whose minimum batch size is below what this Aggregator takes part in (DAP, Batch Parameters).
func (t *Task) CheckFloor(floor uint64) error {
	if t.Task != nil && t.Config.MinBatchSize < floor {
		return fmt.Errorf("task %s cannot be run: its minimum batch size is %d, this Aggregator's floor is %d", t.ID, t.Config.MinBatchSize, floor)
	}
	return nil
}

// Digest identifies everything about a task that never changes: the store pins it. Tokens may change and are not in it.
func (t *Task) Digest() [32]byte { return t.digest }

func (t *Task) computeDigest() [32]byte {
	h := sha256.New()
	part := func(b []byte) {
		sum := sha256.Sum256(b) // of fixed length, so that the parts cannot run into each other
		h.Write(sum[:])
	}
	part([]byte("candor/1 task digest"))
	part(t.ID[:])
	part(t.Encoded)
	collector, _ := dap.Marshal(t.Collector) // an unencodable one stays empty, and Check refuses it
	part(collector)
	ids := make([]uint8, 0, len(t.VerifyKeys))
	for id := range t.VerifyKeys {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		key := t.VerifyKeys[id].bytes()
		part(append([]byte{id}, key[:]...))
	}
	return [32]byte(h.Sum(nil))
}

// IsRound says whether the task belongs to a round: then its only batch is the whole task interval, and nothing is aggregated before
// that has ended.
func (t *Task) IsRound() bool { return t.RoundHash != nil }

// AggregatesFrom returns the moment from which reports of the task may be aggregated; the zero time if that is always.
func (t *Task) AggregatesFrom() time.Time {
	if !t.IsRound() {
		return time.Time{}
	}
	closes, _ := t.Closes()
	if t.Until.After(closes) {
		return t.Until
	}
	return closes
}

// Expired says whether the task's interval, or the window of its round if that was extended, ended longer than spare ago.
func (t *Task) Expired(now time.Time, spare time.Duration) bool {
	closes, ok := t.Closes()
	if from := t.AggregatesFrom(); from.After(closes) {
		closes = from
	}
	return ok && now.After(closes.Add(spare))
}

// Bucket returns the ID of the bucket that a report belongs to; batch is that of its job in leader-selected tasks, else nil.
func (t *Task) Bucket(at dap.Time, batch *dap.BatchID) store.BucketID {
	if batch != nil {
		return store.BatchBucket(*batch)
	}
	return store.TimeBucket(at)
}

// BucketBatch returns the batch that consists of the one bucket of Bucket.
func (t *Task) BucketBatch(at dap.Time, batch *dap.BatchID) store.Batch {
	if batch != nil {
		return store.Batch{ID: batch}
	}
	return store.Batch{Interval: dap.Interval{Start: at, Duration: 1}}
}

// maxTime bounds the times in queries: stores with signed 64-bit columns hold all below.
const maxTime = 1<<63 - 1

// QueryInterval checks the interval of a time-interval query or batch selector (DAP, Time Interval). A round's task has one batch only.
func (t *Task) QueryInterval(i dap.Interval) error {
	end, ok := i.End()
	switch {
	case !ok || end > maxTime:
		return dap.NewProblem(dap.BatchInvalid, "the end of the batch interval is too large")
	case i.Duration == 0:
		return dap.NewProblem(dap.BatchInvalid, "the batch interval is empty")
	case t.IsRound() && i != *t.Interval:
		return dap.NewProblem(dap.BatchInvalid, "the only batch of this task is its whole task interval")
	}
	return nil
}

func collectorSuite(c dap.HpkeConfig) seal.Suite {
	return seal.Suite{KEM: c.KEM, KDF: c.KDF, AEAD: c.AEAD}
}

// WithVerifier runs fn with an idle verifier of the task for aggregator agg (prio3.Leader or prio3.Helper) and a key; fn must not keep it.
// ok is false if there is no such key.
func (t *Task) WithVerifier(agg int, keyID uint8, fn func(*prio3.Verifier)) (ok bool) {
	pools, ok := t.verifiers[keyID]
	if !ok {
		return false
	}
	v := pools[agg].Get().(*prio3.Verifier)
	defer pools[agg].Put(v)
	fn(v)
	return true
}
