package aggregator

import (
	"time"

	"candor/crypto/prio3"
	"candor/schema/dap"
)

// A ReportView is a report as one Aggregator sees it, before it is opened. All slices alias the message it came in.
type ReportView struct {
	Metadata    dap.ReportMetadata
	Encoded     []byte // Metadata as it was received: these bytes are bound to both input shares
	PublicShare []byte
	Ciphertext  dap.HpkeCiphertext // the share of this Aggregator
}

// A Judge opens and judges input shares for one role. Its fields are as in the role's Config; it is safe for concurrent use.
type Judge struct {
	Role dap.Role // dap.Leader or dap.Helper
	Keys *Keyring
	Skew time.Duration // by which a report's time may be ahead of ours
}

// aggregatorID is the VDAF's number of the role.
func aggregatorID(r dap.Role) int {
	if r == dap.Leader {
		return prio3.Leader
	}
	return prio3.Helper
}

// Aggregator returns the VDAF's number of the role.
func (j *Judge) Aggregator() int { return aggregatorID(j.Role) }

// CheckTime judges the time of a report at the moment now (DAP, Input Share Validation). The error is a [dap.ReportError].
func (j *Judge) CheckTime(t *Task, at dap.Time, now time.Time) error {
	if at > t.TimeOf(now.Add(j.Skew)) {
		return dap.ErrorReportTooEarly
	}
	if t.Interval == nil {
		return nil
	}
	if at < t.Interval.Start {
		return dap.ErrorTaskNotStarted
	}
	if !t.Interval.Contains(at) {
		return dap.ErrorTaskExpired
	}
	return nil
}

// Open opens the input share of a report for aggregation and makes all checks of the draft's sections Input Share Decryption and Input
// Share Validation; what it returns may be verified. The error is a [dap.ReportError].
//
// The order is: time, public extensions, decryption, private extensions, encodings of the VDAF. So no work is spent on a report that its
// metadata already condemn, and report_too_early, the only error that passes with time, is told first.
func (j *Judge) Open(t *Task, v ReportView, now time.Time) (prio3.Report, error) {
	if err := j.CheckTime(t, v.Metadata.Time, now); err != nil {
		return prio3.Report{}, err
	}
	if now.Before(t.AggregatesFrom()) {
		return prio3.Report{}, dap.ErrorReportTooEarly
	}
	// The Leader has judged the signature when the report was uploaded, and would not have stored it otherwise.
	return j.open(t, v, j.Role == dap.Helper)
}

// OpenAgain is what of Open does not depend on the time. It serves where Open succeeded before.
func (j *Judge) OpenAgain(t *Task, v ReportView) (prio3.Report, error) { return j.open(t, v, false) }

// open opens a share; signed says whether to judge the signature of a round's member too.
func (j *Judge) open(t *Task, v ReportView, signed bool) (prio3.Report, error) {
	if err := t.CheckPublicExtensions(v.Metadata.Extensions); err != nil {
		return prio3.Report{}, err
	}
	aad := dap.InputShareAAD(t.ID, t.Encoded, v.Encoded, v.PublicShare)
	plaintext, err := j.Keys.open(v.Ciphertext, dap.InputShareInfo(j.Role), aad)
	if err != nil {
		return prio3.Report{}, err
	}
	share, err := dap.Parse[dap.PlaintextInputShare](plaintext)
	if err != nil {
		return prio3.Report{}, dap.ErrorInvalidMessage
	}
	if err := t.checkPrivateExtensions(v.Metadata.Extensions, share.Extensions); err != nil {
		return prio3.Report{}, err
	}
	if t.Round != nil && signed {
		if err := t.Round.checkSignature(j.Role, t.ID, v, share); err != nil {
			return prio3.Report{}, err
		}
	}
	if err := t.VDAF.CheckShares(j.Aggregator(), v.PublicShare, share.Payload); err != nil {
		return prio3.Report{}, dap.ErrorInvalidMessage
	}
	return prio3.Report{Nonce: v.Metadata.ReportID, PublicShare: v.PublicShare, InputShare: share.Payload}, nil
}

// CheckUpload judges a report at its upload, where the answer differs from that in aggregation (DAP, Upload Request): the Leader does not
// know the key, or the time is outside the task interval. With open it decrypts the share too, so that a Client learns at once of
// what aggregation would refuse later. The error is a [dap.ReportError].
func (j *Judge) CheckUpload(t *Task, v ReportView, now time.Time, open bool) error {
	if t.Interval != nil && !t.Interval.Contains(v.Metadata.Time) || t.IsRound() && !now.Before(t.AggregatesFrom()) {
		return dap.ErrorReportDropped
	}
	if err := j.CheckTime(t, v.Metadata.Time, now); err != nil {
		return err
	}
	if err := t.CheckPublicExtensions(v.Metadata.Extensions); err != nil {
		return err
	}
	if !j.Keys.Has(v.Ciphertext.ConfigID) {
		return dap.ErrorOutdatedConfig
	}
	if open {
		_, err := j.open(t, v, true)
		return err
	}
	return nil
}
