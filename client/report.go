package client

import (
	"context"
	"fmt"
	"io"

	"candor/crypto/seal"
	"candor/schema/dap"
)

// A Share is one Aggregator's part of a report that is being made, before it is sealed. It is what private extensions
// can depend on, and be signed over. Its slices belong to the Client: read them, and keep none.
type Share struct {
	Recipient   dap.Role // Leader or Helper
	Metadata    []byte   // the encoded report metadata, public extensions included
	PublicShare []byte
	Payload     []byte // the encoded input share; a secret of the recipient's
}

// Private returns the private extensions for one share, in strictly increasing order of type.
type Private func(Share) ([]dap.Extension, error)

// Prepare makes a report of a measurement: shards it under a new report ID and fresh randomness, and seals one share
// for each Aggregator. public are the report's public extensions; private may be nil. The types of both lists must be
// strictly increasing and must not overlap.
//
// The report carries the time of this call, and is refused if the task does not accept reports at that time. The
// result can be uploaded any number of times, and counts once.
func (c *Client) Prepare(ctx context.Context, measurement []uint64, public []dap.Extension, private Private) (dap.Report, error) {
	leader, helper, err := c.configs(ctx)
	if err != nil {
		return dap.Report{}, err
	}
	return c.prepare(leader, helper, measurement, public, private)
}

func (c *Client) prepare(leader, helper dap.HpkeConfig, measurement []uint64, public []dap.Extension, private Private) (dap.Report, error) {
	if !dap.ExtensionsIncrease(public) {
		return dap.Report{}, fmt.Errorf("preparing a report: the public extensions are not in strictly increasing order of type")
	}
	now := c.now()
	metadata := dap.ReportMetadata{Time: c.task.TimeOf(now), Extensions: public}
	if i := c.task.Interval; i != nil && !i.Contains(metadata.Time) {
		end, _ := i.End()
		if metadata.Time >= end && now.Before(c.until) {
			metadata.Time = end - 1
		}
	}
	if i := c.task.Interval; i != nil && !i.Contains(metadata.Time) {
		end, _ := i.End()
		return dap.Report{}, fmt.Errorf("preparing a report: task %s takes reports from %s until %s; this machine's clock says %s",
			c.task.ID, c.task.Instant(i.Start).UTC().Format(timeFormat), c.task.Instant(end).UTC().Format(timeFormat), now.UTC().Format(timeFormat))
	}
	randomness := make([]byte, c.task.VDAF.RandSize())
	for _, b := range [][]byte{metadata.ReportID[:], randomness} {
		if _, err := io.ReadFull(c.rand, b); err != nil {
			return dap.Report{}, fmt.Errorf("preparing a report: reading randomness: %w", err)
		}
	}
	publicShare, inputShares, err := c.task.VDAF.Shard(c.task.Context, metadata.ReportID, randomness, measurement)
	if err != nil {
		return dap.Report{}, fmt.Errorf("preparing a report: %w", err)
	}
	encodedMetadata, err := dap.Marshal(metadata)
	if err != nil {
		return dap.Report{}, fmt.Errorf("preparing a report: %w", err)
	}
	aad := dap.InputShareAAD(c.task.ID, c.task.Encoded, encodedMetadata, publicShare)
	report := dap.Report{Metadata: metadata, PublicShare: publicShare}
	for i, to := range []struct {
		role   dap.Role
		config dap.HpkeConfig
		out    *dap.HpkeCiphertext
	}{{dap.Leader, leader, &report.Leader}, {dap.Helper, helper, &report.Helper}} {
		plain := dap.PlaintextInputShare{Payload: inputShares[i]}
		if private != nil {
			plain.Extensions, err = private(Share{to.role, encodedMetadata, publicShare, inputShares[i]})
			if err != nil {
				return dap.Report{}, fmt.Errorf("preparing a report: private extensions for the %v: %w", to.role, err)
			}
			if err := checkPrivate(public, plain.Extensions); err != nil {
				return dap.Report{}, fmt.Errorf("preparing a report: private extensions for the %v: %w", to.role, err)
			}
		}
		plaintext, err := dap.Marshal(plain)
		if err != nil {
			return dap.Report{}, fmt.Errorf("preparing a report: %w", err)
		}
		enc, ciphertext, err := seal.Seal(suiteOf(to.config), to.config.PublicKey, dap.InputShareInfo(to.role), aad, plaintext, c.rand)
		if err != nil {
			return dap.Report{}, fmt.Errorf("preparing a report: %w", err)
		}
		*to.out = dap.HpkeCiphertext{ConfigID: to.config.ID, Enc: enc, Payload: ciphertext}
	}
	return report, nil
}

const timeFormat = "2006-01-02T15:04:05Z"

func checkPrivate(public, private []dap.Extension) error {
	if !dap.ExtensionsIncrease(private) {
		return fmt.Errorf("they are not in strictly increasing order of type")
	}
	for _, e := range private {
		if _, twice := dap.FindExtension(public, e.Type); twice {
			return fmt.Errorf("type %#04x is among the public extensions already", e.Type)
		}
	}
	return nil
}
