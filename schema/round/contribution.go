package round

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/cryptobyte"

	"candor/crypto/sign"
	"candor/schema/dap"
)

// A Contribution is the public extension by which a report of a round says whose it is. It is public because both Aggregators judge it, each on
// its own, and because it tells no value.
//
//	struct {
//	    opaque member<1..40>;
//	    uint64 correction;
//	    opaque contributes<0..2^8-1>;
//	} Contribution;
type Contribution struct {
	Member     string // roster id
	Correction uint64 // 0 for the first report of a member and task; the highest counts
	// Contributes has one bit per metric of a counts part, in the order of the part's cells, least significant bit of the first byte first: whether the member
	// measured or estimated the metric. Nil in answers, which carry their availability states.
	Contributes []byte
}

const maxMemberID = 40

// Extension returns the report extension that carries c.
func (c Contribution) Extension() (dap.Extension, error) {
	if len(c.Member) == 0 || len(c.Member) > maxMemberID {
		return dap.Extension{}, fmt.Errorf("encoding a contribution: member id %q is not 1 to %d bytes", c.Member, maxMemberID)
	}
	var b cryptobyte.Builder
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(c.Member)) })
	b.AddUint64(c.Correction)
	b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(c.Contributes) })
	data, err := b.Bytes()
	return dap.Extension{Type: dap.ReportExtensionMember, Data: data}, err
}

// ParseContribution reads the data of the extension. It owns what it returns.
func ParseContribution(data []byte) (Contribution, error) {
	var c Contribution
	s := cryptobyte.String(data)
	var member, contributes cryptobyte.String
	if !s.ReadUint8LengthPrefixed(&member) || len(member) == 0 || len(member) > maxMemberID ||
		!s.ReadUint64(&c.Correction) || !s.ReadUint8LengthPrefixed(&contributes) || !s.Empty() {
		return c, fmt.Errorf("parsing a contribution: %w", dap.ErrMalformed)
	}
	c.Member = string(member)
	if len(contributes) > 0 {
		c.Contributes = slices.Clone([]byte(contributes))
	}
	return c, nil
}

// Metrics returns the part's metrics in the order of their first cells: the order of the contributes bits.
func (p *Part) Metrics() []string {
	var metrics []string
	for _, c := range p.Cells {
		if !slices.Contains(metrics, c.Metric) {
			metrics = append(metrics, c.Metric)
		}
	}
	return metrics
}

// NewContributes packs one flag per metric of a counts part.
func NewContributes(flags []bool) []byte {
	bits := make([]byte, (len(flags)+7)/8)
	for i, f := range flags {
		if f {
			bits[i/8] |= 1 << (i % 8)
		}
	}
	return bits
}

// Flags unpacks the contributes bits of a part with n metrics. There is one encoding: the length must fit, and the bits past the last metric be zero.
func (c Contribution) Flags(n int) ([]bool, error) {
	if len(c.Contributes) != (n+7)/8 {
		return nil, fmt.Errorf("reading a contribution: %d bytes of bits for %d metrics: %w", len(c.Contributes), n, dap.ErrMalformed)
	}
	flags := make([]bool, n)
	for i := range flags {
		flags[i] = c.Contributes[i/8]>>(i%8)&1 == 1
	}
	if n%8 != 0 && c.Contributes[n/8]>>(n%8) != 0 {
		return nil, fmt.Errorf("reading a contribution: bits past the last metric: %w", dap.ErrMalformed)
	}
	return flags, nil
}

// ErrSignature means that a report does not bear its member's signature.
var ErrSignature = errors.New("round: the signature is not the member's on this report")

const reportLabel = "report"

// SignReport returns the private extension with the member's signature on one share of a report. It covers the recipient's role, the task, the report's
// metadata and public share, and this share: metadata is as encoded, others are the private extensions besides this one, payload is the encoded input share.
// So neither Aggregator can change, swap or reuse any of them.
func SignReport(key *sign.PrivateKey, role dap.Role, task dap.TaskID, metadata, publicShare []byte, others []dap.Extension, payload []byte) (dap.Extension, error) {
	parts, err := reportParts(role, task, metadata, publicShare, others, payload)
	if err != nil {
		return dap.Extension{}, err
	}
	return dap.Extension{Type: dap.ReportExtensionSignature, Data: key.Sign(reportLabel, parts...)}, nil
}

// VerifyReport checks the signature that SignReport made. private are all private extensions of the share, in their order. The error is ErrSignature.
func VerifyReport(key sign.PublicKey, role dap.Role, task dap.TaskID, metadata, publicShare []byte, private []dap.Extension, payload []byte) error {
	var signature []byte
	others := make([]dap.Extension, 0, len(private))
	for _, e := range private {
		if e.Type == dap.ReportExtensionSignature {
			signature = e.Data
		} else {
			others = append(others, e)
		}
	}
	parts, err := reportParts(role, task, metadata, publicShare, others, payload)
	if err != nil || key.Verify(signature, reportLabel, parts...) != nil {
		return ErrSignature
	}
	return nil
}

// reportParts are what a report's signature covers: one pass of a hash over the public part and one over the share.
func reportParts(role dap.Role, task dap.TaskID, metadata, publicShare []byte, others []dap.Extension, payload []byte) ([][]byte, error) {
	var public, private cryptobyte.Builder
	add32 := func(b *cryptobyte.Builder, v []byte) {
		b.AddUint32LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(v) })
	}
	add32(&public, metadata)
	add32(&public, publicShare)
	for _, e := range others {
		private.AddUint16(e.Type)
		add32(&private, e.Data)
	}
	add32(&private, payload)
	publicBytes, err := public.Bytes()
	if err != nil {
		return nil, err
	}
	privateBytes, err := private.Bytes()
	if err != nil {
		return nil, err
	}
	publicDigest, privateDigest := sha256.Sum256(publicBytes), sha256.Sum256(privateBytes)
	return [][]byte{{byte(role)}, task[:], publicDigest[:], privateDigest[:]}, nil
}
