package dap

import (
	"fmt"

	"golang.org/x/crypto/cryptobyte"
)

// A ReportShare is the Helper's part of a report.
//
//	struct {
//	  ReportMetadata report_metadata;
//	  opaque public_share<0..2^32-1>;
//	  HpkeCiphertext encrypted_input_share;
//	} ReportShare;
type ReportShare struct {
	Metadata    ReportMetadata
	PublicShare []byte
	Ciphertext  HpkeCiphertext
}

func (r ReportShare) marshal(b *cryptobyte.Builder) {
	r.Metadata.marshal(b)
	addOpaque32(b, r.PublicShare, 0)
	r.Ciphertext.marshal(b)
}

func (r *ReportShare) unmarshal(s *cryptobyte.String) bool {
	return r.Metadata.unmarshal(s) &&
		readOpaque32(s, &r.PublicShare, 0) &&
		r.Ciphertext.unmarshal(s)
}

// A VerifyInit asks the Helper to begin verifying one report.
//
//	struct {
//	  ReportShare report_share;
//	  opaque payload<1..2^32-1>;
//	} VerifyInit;
type VerifyInit struct {
	ReportShare ReportShare
	Payload     []byte // the Leader's first ping-pong message
}

func (v VerifyInit) marshal(b *cryptobyte.Builder) {
	v.ReportShare.marshal(b)
	addOpaque32(b, v.Payload, 1)
}

func (v *VerifyInit) unmarshal(s *cryptobyte.String) bool {
	return v.ReportShare.unmarshal(s) && readOpaque32(s, &v.Payload, 1)
}

// An AggregationJobInitReq creates an aggregation job. The list has no length
// of its own: it runs to the end of the content.
//
//	struct {
//	  uint8 verification_key_id;
//	  opaque agg_param<0..2^32-1>;
//	  AggregationJobExtension extensions<0..2^16-1>;
//	  VerifyInit verify_inits[verify_inits_length];
//	} AggregationJobInitReq;
type AggregationJobInitReq struct {
	VerificationKeyID    uint8
	AggregationParameter []byte
	Extensions           []Extension
	VerifyInits          []VerifyInit
}

func (r AggregationJobInitReq) marshal(b *cryptobyte.Builder) {
	b.AddUint8(r.VerificationKeyID)
	addOpaque32(b, r.AggregationParameter, 0)
	addVector16(b, r.Extensions)
	addSequence(b, r.VerifyInits)
}

func (r *AggregationJobInitReq) unmarshal(s *cryptobyte.String) bool {
	return s.ReadUint8(&r.VerificationKeyID) &&
		readOpaque32(s, &r.AggregationParameter, 0) &&
		readVector16(s, &r.Extensions) &&
		readSequence(s, &r.VerifyInits)
}

// A VerifyRespType says which form a [VerifyResp] has.
//
//	enum {
//	  continue(0),
//	  finish(1),
//	  reject(2),
//	  (255)
//	} VerifyRespType;
type VerifyRespType uint8

const (
	VerifyContinued VerifyRespType = 0
	VerifyFinished  VerifyRespType = 1
	VerifyRejected  VerifyRespType = 2
)

// A VerifyResp is the Helper's answer for one report.
//
//	struct {
//	  ReportID report_id;
//	  VerifyRespType verify_resp_type;
//	  select (VerifyResp.verify_resp_type) {
//	    case continue: opaque payload<1..2^32-1>;
//	    case finish:   Empty;
//	    case reject:   ReportError report_error;
//	  };
//	} VerifyResp;
type VerifyResp struct {
	ReportID ReportID
	Type     VerifyRespType
	Payload  []byte      // of VerifyContinued, else ignored
	Error    ReportError // of VerifyRejected, else ignored
}

func (r VerifyResp) marshal(b *cryptobyte.Builder) {
	b.AddBytes(r.ReportID[:])
	b.AddUint8(uint8(r.Type))
	switch r.Type {
	case VerifyContinued:
		addOpaque32(b, r.Payload, 1)
	case VerifyFinished:
	case VerifyRejected:
		r.Error.marshal(b)
	default:
		b.SetError(fmt.Errorf("unknown response type %d", r.Type))
	}
}

func (r *VerifyResp) unmarshal(s *cryptobyte.String) bool {
	if !s.CopyBytes(r.ReportID[:]) || !s.ReadUint8((*uint8)(&r.Type)) {
		return false
	}
	switch r.Type {
	case VerifyContinued:
		return readOpaque32(s, &r.Payload, 1)
	case VerifyFinished:
		return true
	case VerifyRejected:
		return r.Error.unmarshal(s)
	}
	return false
}

// An AggregationJobResp answers an aggregation job, with one element for each
// of the request's, in its order. The empty one is indistinguishable from "not
// ready yet", so no job may be empty.
//
//	struct {
//	  VerifyResp verify_resps[message_length];
//	} AggregationJobResp;
type AggregationJobResp []VerifyResp

func (r AggregationJobResp) marshal(b *cryptobyte.Builder) { addSequence(b, r) }

func (r *AggregationJobResp) unmarshal(s *cryptobyte.String) bool {
	return readSequence(s, (*[]VerifyResp)(r))
}

// A VerifyContinue asks the Helper to take the next step with one report.
//
//	struct {
//	  ReportID report_id;
//	  opaque payload<1..2^32-1>;
//	} VerifyContinue;
type VerifyContinue struct {
	ReportID ReportID
	Payload  []byte // the Leader's next ping-pong message
}

func (v VerifyContinue) marshal(b *cryptobyte.Builder) {
	b.AddBytes(v.ReportID[:])
	addOpaque32(b, v.Payload, 1)
}

func (v *VerifyContinue) unmarshal(s *cryptobyte.String) bool {
	return s.CopyBytes(v.ReportID[:]) && readOpaque32(s, &v.Payload, 1)
}

// An AggregationJobContinueReq takes an aggregation job to its next step.
//
//	struct {
//	  uint16 step;
//	  VerifyContinue verify_continues[verify_continues_length];
//	} AggregationJobContinueReq;
type AggregationJobContinueReq struct {
	Step            uint16
	VerifyContinues []VerifyContinue
}

func (r AggregationJobContinueReq) marshal(b *cryptobyte.Builder) {
	b.AddUint16(r.Step)
	addSequence(b, r.VerifyContinues)
}

func (r *AggregationJobContinueReq) unmarshal(s *cryptobyte.String) bool {
	return s.ReadUint16(&r.Step) && readSequence(s, &r.VerifyContinues)
}
