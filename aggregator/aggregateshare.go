package aggregator

import (
	"crypto/rand"
	"fmt"

	"candor/crypto/seal"
	"candor/schema/dap"
)

// SealShare seals an aggregate share for the Collector (DAP, Aggregate Share Encryption). collectionJobReq are the bytes that the Collector sent.
func (t *Task) SealShare(role dap.Role, collectionJobReq, share []byte) (dap.AggregateShare, error) {
	aad := dap.AggregateShareAAD(t.ID, t.Encoded, collectionJobReq)
	enc, payload, err := seal.Seal(collectorSuite(t.Collector), t.Collector.PublicKey, dap.AggregateShareInfo(role), aad, share, rand.Reader)
	if err != nil {
		return dap.AggregateShare{}, fmt.Errorf("sealing the aggregate share of task %s: %w", t.ID, err)
	}
	return dap.AggregateShare{ConfigID: t.Collector.ID, Enc: enc, Payload: payload}, nil
}
