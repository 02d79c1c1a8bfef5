package aggregator

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"candor/aggregator/store"
	"candor/crypto/seal"
	"candor/crypto/sign"
	"candor/schema/dap"
	"candor/schema/release"
	"candor/schema/round"
)

// A Round is what an Aggregator enforces of the round that a task belongs to, and what it speaks with. Each Aggregator does so on its own: nothing here
// is taken from the other's word. It is immutable and safe for concurrent use.
type Round struct {
	Document *round.Document
	Part     *round.Part
	Identity *sign.PrivateKey // signs receipts and statements
	Key      *ReleaseKey      // of the stream that noise, blanks and salts come from
	Software string           // named in statements

	members     map[string]party
	secretariat sign.PublicKey
	metrics     []string
	replaced    []string // members with a new key
}

type party struct {
	group string
	key   sign.PublicKey
}

// NewRound prepares the rules of one part of a document that was verified and checked before.
func NewRound(d *round.Document, part int, identity *sign.PrivateKey, key *ReleaseKey, software string) (*Round, error) {
	r := &Round{Document: d, Part: &d.Parts[part], Identity: identity, Key: key, Software: software, members: make(map[string]party, len(d.Roster))}
	if r.Part.Kind == round.KindCounts {
		r.metrics = r.Part.Metrics()
	}
	for _, m := range d.Roster {
		k, err := sign.ParsePublicKey(m.Key)
		if err != nil {
			return nil, fmt.Errorf("reading the key of member %s: %w", m.ID, err)
		}
		r.members[m.ID] = party{m.Group, k}
	}
	var err error
	r.secretariat, err = sign.ParsePublicKey(d.Secretariat)
	return r, err
}

// contribution reads and judges the public extension of a report. The error is a [dap.ReportError].
func (r *Round) contribution(public []dap.Extension) (round.Contribution, error) {
	data, there := dap.FindExtension(public, dap.ReportExtensionMember)
	if !there {
		return round.Contribution{}, dap.ErrorInvalidMessage
	}
	c, err := round.ParseContribution(data)
	if err != nil {
		return c, dap.ErrorInvalidMessage
	}
	if _, known := r.members[c.Member]; !known {
		return c, dap.ErrorInvalidMessage
	}
	if _, err := c.Flags(len(r.metrics)); err != nil {
		return c, dap.ErrorInvalidMessage
	}
	return c, nil
}

// checkSignature judges the signature of a report's member on one share. The error is a [dap.ReportError].
func (r *Round) checkSignature(role dap.Role, task dap.TaskID, v ReportView, share dap.PlaintextInputShare) error {
	c, err := r.contribution(v.Metadata.Extensions)
	if err != nil {
		return err
	}
	if round.VerifyReport(r.members[c.Member].key, role, task, v.Encoded, v.PublicShare, share.Extensions, share.Payload) != nil {
		return dap.ErrorInvalidMessage
	}
	return nil
}

// Admit makes room for a member's report at the Leader and stores it: the highest correction counts, and the share of the one before is erased. code tells why a
// report is refused: one as high is there already.
func (t *Task) Admit(tx store.Tx, r store.Report, public []dap.Extension, now time.Time) (code dap.ReportError, err error) {
	c, err := t.Round.contribution(public)
	if err != nil {
		return dap.ErrorInvalidMessage, nil
	}
	before, err := tx.Submission(t.ID, c.Member)
	corrects := err == nil && before.Report != void
	switch {
	case err != nil && !errors.Is(err, store.ErrNotFound):
		return 0, err
	case corrects && c.Correction <= before.Correction:
		return dap.ErrorReportReplayed, nil
	case corrects:
		state, err := tx.ReportState(t.ID, before.Report)
		if err != nil {
			return 0, err
		}
		if state != store.ReportUnassigned {
			return dap.ErrorReportDropped, nil // it is being aggregated: the window has closed
		}
	}
	if err := tx.AddReport(t.ID, r); errors.Is(err, store.ErrConflict) {
		return dap.ErrorReportReplayed, nil
	} else if err != nil {
		return 0, err
	}
	if corrects { // only now that the new one is stored
		if err := tx.DropReport(t.ID, before.Report, dap.ErrorReportReplayed); err != nil {
			return 0, err
		}
		if err := tx.Count(t.ID, CounterSuperseded, 1); err != nil {
			return 0, err
		}
	}
	return 0, tx.PutSubmission(store.Submission{Task: t.ID, Member: c.Member, Correction: c.Correction, Report: r.ID, Signer: t.Round.members[c.Member].key,
		Contributes: c.Contributes, Received: now.UTC().Truncate(time.Second)})
}

// CounterSuperseded counts reports that a correction replaced, or a new key of their member.
const CounterSuperseded = "superseded"

// Claim gives a member's place in the batch to its report, at the Helper: one report of each member is aggregated. ok is false if another has the place.
func (t *Task) Claim(tx store.Tx, id dap.ReportID, public []dap.Extension, now time.Time) (ok bool, err error) {
	c, err := t.Round.contribution(public)
	if err != nil {
		return false, nil
	}
	before, err := tx.Submission(t.ID, c.Member)
	if err == nil {
		return before.Report == id, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return false, err
	}
	return true, tx.PutSubmission(store.Submission{Task: t.ID, Member: c.Member, Correction: c.Correction, Report: id, Signer: t.Round.members[c.Member].key,
		Contributes: c.Contributes, Received: now.UTC().Truncate(time.Second), Aggregated: true})
}

// MarkCounted notes at the Leader that reports were aggregated.
func (t *Task) MarkCounted(tx store.Tx, aggregated map[dap.ReportID]bool) error {
	list, err := tx.Submissions(t.ID)
	if err != nil {
		return err
	}
	for _, s := range list {
		if aggregated[s.Report] && !s.Aggregated {
			s.Aggregated = true
			if err := tx.PutSubmission(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// Counted returns the submissions that are in the batch, in order of the members' ids, and how many distinct groups they come from.
func (t *Task) Counted(tx store.Tx) (counted []store.Submission, groups int, err error) {
	list, err := tx.Submissions(t.ID)
	seen := make(map[string]bool)
	for _, s := range list {
		if s.Aggregated {
			counted = append(counted, s)
			seen[t.Round.members[s.Member].group] = true
		}
	}
	return counted, len(seen), err
}

// CheckGroups refuses the aggregate share of a batch to which too few distinct groups contributed: reports are not groups.
func (t *Task) CheckGroups(tx store.Tx) error {
	if t.Round == nil {
		return nil
	}
	_, groups, err := t.Counted(tx)
	if err != nil {
		return err
	}
	if least := t.Round.Document.Minimum.Groups; uint64(groups) < least {
		return dap.NewProblem(dap.InvalidBatchSize, fmt.Sprintf("reports of %d groups are in the batch, the minimum is %d", groups, least))
	}
	return nil
}

// Release makes the aggregate share as it leaves this Aggregator, with noise and blanks, and the statement on it, which it stores. Both follow from the
// reports alone, so that a repetition gives the same bytes. For tasks of no round the share is as it was.
func (t *Task) Release(tx store.Tx, role dap.Role, agg Aggregate, now time.Time) (share []byte, err error) {
	r := t.Round
	if r == nil {
		return agg.Share, nil
	}
	counted, _, err := t.Counted(tx)
	if err != nil {
		return nil, err
	}
	// Who is counted and what was added up are kept apart: neither is believed alone.
	var checksum [32]byte
	for _, s := range counted {
		checksum = dap.XORChecksums(checksum, dap.Checksum(s.Report))
	}
	if uint64(len(counted)) != agg.Count || checksum != agg.Checksum {
		return nil, fmt.Errorf("releasing the share of task %s: the batch has %d reports, and those of its %d members are not the same; run `candor store check`", t.ID, agg.Count, len(counted))
	}
	list := listDigest(counted)
	streams := r.Key.streams(role, t.ID, list)
	share = append([]byte(nil), agg.Share...)
	noise, err := r.addNoise(t, streams, share)
	if err != nil {
		return nil, err
	}
	blanked := r.blank(streams, counted, share)
	leaves := r.leaves(streams, share)
	root, err := release.Root(leaves)
	if err != nil {
		return nil, err
	}
	statement, err := release.SignStatement(r.Identity, release.Statement{
		Role: roleName(role), Task: t.ID, Round: release.Digest(*t.RoundHash), Reports: agg.Count, Checksum: release.Digest(agg.Checksum), List: list,
		Noise: noise, Blanked: blanked, Elements: uint32(len(leaves)), Software: r.Software, Root: root,
	})
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(statement)
	if err != nil {
		return nil, err
	}
	salts, err := t.sealSalts(role, leaves)
	if err != nil {
		return nil, err
	}
	return share, tx.PutStatement(store.Statement{Task: t.ID, Text: text, Salts: salts, Created: now.UTC().Truncate(time.Second)})
}

func roleName(role dap.Role) string {
	if role == dap.Leader {
		return release.Leader
	}
	return release.Helper
}

// saltsInfo separates sealed salts from all else that is sealed to the Collector.
const saltsInfo = "candor/1 salts"

// sealSalts seals the salts of the commitment for the Collector, who opens published elements with them and no others.
func (t *Task) sealSalts(role dap.Role, leaves []release.Leaf) ([]byte, error) {
	var plain []byte
	for _, l := range leaves {
		plain = append(plain, l.Salt[:]...)
	}
	enc, ct, err := seal.Seal(collectorSuite(t.Collector), t.Collector.PublicKey, append([]byte(saltsInfo), byte(role)), t.ID[:], plain, rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("sealing the salts of task %s: %w", t.ID, err)
	}
	return dap.Marshal(dap.HpkeCiphertext{ConfigID: t.Collector.ID, Enc: enc, Payload: ct})
}
