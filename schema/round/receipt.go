package round

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"time"

	"candor/crypto/sign"
	"candor/schema/dap"
)

// A Receipt is an aggregator's signed word that it holds a member's report. With the Leader's a member proves that it submitted; with the Helper's, after
// aggregation, it sees that this report was counted and not an older one.
type Receipt struct {
	Role       string    `json:"role"` // "leader" or "helper"
	Task       string    `json:"task"`
	Member     string    `json:"member"`
	Correction uint64    `json:"correction"`
	Report     string    `json:"report"`
	Received   time.Time `json:"received"` // whole seconds
	Aggregated bool      `json:"aggregated"`
	Signature  string    `json:"signature"` // base64url
}

const receiptLabel = "receipt"

// NewReceipt signs a receipt with an aggregator's identity key.
func NewReceipt(key *sign.PrivateKey, role string, task dap.TaskID, member string, correction uint64, report dap.ReportID, received time.Time, aggregated bool) Receipt {
	r := Receipt{Role: role, Task: task.String(), Member: member, Correction: correction, Report: report.String(),
		Received: received.UTC().Truncate(time.Second), Aggregated: aggregated}
	r.Signature = base64.RawURLEncoding.EncodeToString(key.Sign(receiptLabel, r.parts()...))
	return r
}

func (r Receipt) parts() [][]byte {
	flag := []byte{0}
	if r.Aggregated {
		flag[0] = 1
	}
	return [][]byte{[]byte(r.Role), []byte(r.Task), []byte(r.Member), binary.BigEndian.AppendUint64(nil, r.Correction), []byte(r.Report),
		binary.BigEndian.AppendUint64(nil, uint64(r.Received.Unix())), flag}
}

// Verify checks the signature.
func (r Receipt) Verify(key sign.PublicKey) error {
	sig, err := base64.RawURLEncoding.Strict().DecodeString(r.Signature)
	if err != nil || key.Verify(sig, receiptLabel, r.parts()...) != nil {
		return fmt.Errorf("the receipt of the %s for member %s does not bear its signature", r.Role, r.Member)
	}
	return nil
}
