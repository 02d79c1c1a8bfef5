package dap

import "golang.org/x/crypto/cryptobyte"

// A ReportMetadata is the part of a report that everybody may read.
//
//	struct {
//	  ReportID report_id;
//	  Time time;
//	  Extension public_extensions<0..2^16-1>;
//	} ReportMetadata;
type ReportMetadata struct {
	ReportID   ReportID
	Time       Time
	Extensions []Extension // public
}

func (m ReportMetadata) marshal(b *cryptobyte.Builder) {
	b.AddBytes(m.ReportID[:])
	b.AddUint64(uint64(m.Time))
	addVector16(b, m.Extensions)
}

func (m *ReportMetadata) unmarshal(s *cryptobyte.String) bool {
	return s.CopyBytes(m.ReportID[:]) &&
		s.ReadUint64((*uint64)(&m.Time)) &&
		readVector16(s, &m.Extensions)
}

// SplitMetadata cuts the metadata off the front of an encoded [Report],
// [ReportShare] or [VerifyInit], each of which begins with it, and returns it
// as it stands there: the form that [InputShareAAD] wants. It aliases b.
func SplitMetadata(b []byte) (metadata []byte, err error) {
	_, metadata, _, err = parsePrefix[ReportMetadata](b)
	return metadata, err
}

// A Report is one measurement of one Client, in shares sealed for the Leader
// and for the Helper.
//
//	struct {
//	  ReportMetadata report_metadata;
//	  opaque public_share<0..2^32-1>;
//	  HpkeCiphertext leader_encrypted_input_share;
//	  HpkeCiphertext helper_encrypted_input_share;
//	} Report;
type Report struct {
	Metadata    ReportMetadata
	PublicShare []byte
	Leader      HpkeCiphertext
	Helper      HpkeCiphertext
}

func (r Report) marshal(b *cryptobyte.Builder) {
	r.Metadata.marshal(b)
	addOpaque32(b, r.PublicShare, 0)
	r.Leader.marshal(b)
	r.Helper.marshal(b)
}

func (r *Report) unmarshal(s *cryptobyte.String) bool {
	return r.Metadata.unmarshal(s) &&
		readOpaque32(s, &r.PublicShare, 0) &&
		r.Leader.unmarshal(s) &&
		r.Helper.unmarshal(s)
}

// An UploadRequest is a sequence of reports, as many as the content holds; none
// is a valid request too.
//
//	struct {
//	  Report reports[message_length];
//	} UploadRequest;
type UploadRequest []Report

func (r UploadRequest) marshal(b *cryptobyte.Builder) { addSequence(b, r) }

func (r *UploadRequest) unmarshal(s *cryptobyte.String) bool {
	return readSequence(s, (*[]Report)(r))
}

// NextReport cuts the first report off an encoded [UploadRequest], so that a
// large one is handled report by report. raw is the encoding of report, rest
// what follows it; all alias content. It is done when rest is empty:
//
//	for rest := content; len(rest) > 0; {
//		var report dap.Report
//		var raw []byte
//		report, raw, rest, err = dap.NextReport(rest)
//		...
//	}
func NextReport(content []byte) (report Report, raw, rest []byte, err error) {
	return parsePrefix[Report](content)
}

// A PlaintextInputShare is what a Client seals for one Aggregator.
//
//	struct {
//	  Extension private_extensions<0..2^16-1>;
//	  opaque payload<1..2^32-1>;
//	} PlaintextInputShare;
type PlaintextInputShare struct {
	Extensions []Extension // private
	Payload    []byte      // the VDAF input share
}

func (p PlaintextInputShare) marshal(b *cryptobyte.Builder) {
	addVector16(b, p.Extensions)
	addOpaque32(b, p.Payload, 1)
}

func (p *PlaintextInputShare) unmarshal(s *cryptobyte.String) bool {
	return readVector16(s, &p.Extensions) && readOpaque32(s, &p.Payload, 1)
}

// A ReportUploadStatus says that and why a report was not accepted.
//
//	struct {
//	  ReportID id;
//	  ReportError error;
//	} ReportUploadStatus;
type ReportUploadStatus struct {
	ReportID ReportID
	Error    ReportError
}

func (r ReportUploadStatus) marshal(b *cryptobyte.Builder) {
	b.AddBytes(r.ReportID[:])
	r.Error.marshal(b)
}

func (r *ReportUploadStatus) unmarshal(s *cryptobyte.String) bool {
	return s.CopyBytes(r.ReportID[:]) && r.Error.unmarshal(s)
}

// UploadErrors answers an upload of which some reports were not accepted, with
// those alone, in the order of the request.
//
//	struct {
//	  ReportUploadStatus status[message_length];
//	} UploadErrors;
type UploadErrors []ReportUploadStatus

func (e UploadErrors) marshal(b *cryptobyte.Builder) { addSequence(b, e) }

func (e *UploadErrors) unmarshal(s *cryptobyte.String) bool {
	return readSequence(s, (*[]ReportUploadStatus)(e))
}
