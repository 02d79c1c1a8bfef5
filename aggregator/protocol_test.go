package aggregator_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"candor/aggregator"
	"candor/aggregator/store"
	"candor/crypto/sign"
	"candor/schema/dap"
	"candor/schema/release"
	"candor/schema/round"
)

var examplePattern = regexp.MustCompile("(?s)<!-- example: ([a-z-]+) -->\n+```\n(.*?)\n```\n")

// Every example of docs/protocol.md is what this code makes, and every example that this code makes is on the page. The page's numbers were computed from its words
// by a program of another language, so that words and code are held against each other.
func TestProtocolExamples(t *testing.T) {
	page, err := os.ReadFile("../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	want := examples(t)
	for _, m := range examplePattern.FindAllStringSubmatch(string(page), -1) {
		got, ok := want[m[1]]
		delete(want, m[1])
		if !ok {
			t.Errorf("example %q: the code makes none of this name, or the page has two", m[1])
		} else if unspaced(m[2]) != unspaced(got) {
			t.Errorf("example %q: the page says\n%s\nthe code makes\n%s", m[1], m[2], got)
		}
	}
	for name, text := range want {
		t.Errorf("example %q is not on the page:\n%s", name, text)
	}
}

// unspaced leaves out white space, which the page uses to be readable.
func unspaced(text string) string { return strings.Join(strings.Fields(text), "") }

// seeded is the key of the examples whose seed is 32 times b.
func seeded(t *testing.T, b byte) *sign.PrivateKey {
	t.Helper()
	key, err := sign.ParsePrivateKey(bytes.Repeat([]byte{b}, 32))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// exampleRound reads the signed round of the examples and checks that it is one that every party would accept.
func exampleRound(t *testing.T) *round.Signed {
	t.Helper()
	text, err := os.ReadFile("../docs/protocol-round.json")
	if err != nil {
		t.Fatal(err)
	}
	signed, err := round.ParseSigned(text)
	if err != nil {
		t.Fatal(err)
	}
	fingerprint := func(b byte) sign.Fingerprint { return seeded(t, b).PublicKey().Fingerprint() }
	if err := signed.Verify(round.Trust{Secretariat: fingerprint(1), Leader: fingerprint(2), Helper: fingerprint(3)}); err != nil {
		t.Fatal(err)
	}
	if problems := signed.Document.Check(); len(problems) > 0 {
		t.Fatal(problems)
	}
	return signed
}

func examples(t *testing.T) map[string]string {
	secretariat, leader, member := seeded(t, 1), seeded(t, 2), seeded(t, 0x21)
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	signed := exampleRound(t)
	d := signed.Document
	tasks, err := d.Tasks()
	check(err)
	task := tasks[0]
	hash, err := d.Hash()
	check(err)
	e := map[string]string{}

	// Keys, statements, canonical JSON.
	public := secretariat.PublicKey()
	e["key"] = fmt.Sprintf("seed %s public key %s fingerprint %s", strings.Repeat("01", 32), public, public.Fingerprint())
	statement := slices.Concat([]byte{0, 0, 0, 8}, []byte("candor/1"), []byte{0, 0, 0, 1}, []byte("a"), []byte{0, 0, 0, 2}, []byte("bc"), []byte{0, 0, 0, 1}, []byte("d"))
	e["statement"] = hex.EncodeToString(statement)
	if !ed25519.Verify(public[:], statement, secretariat.Sign("a", []byte("bc"), []byte("d"))) {
		t.Error("the statement of the example is not what is signed")
	}
	loose := `{ "b": [1, true, null],  "a": "é\u000a\u003c" }`
	canonical, err := round.Canonicalize([]byte(loose))
	check(err)
	e["canonical"] = loose + "\n" + string(canonical)

	// The round and what members and operators give for it.
	var file struct{ Signatures map[string]string }
	check(json.Unmarshal(signed.Encode(), &file))
	e["round"] = fmt.Sprintf("SHA-256 %x short code %s secretariat %s", hash, signed.Code(), file.Signatures["secretariat"])
	e["enrolment"], err = round.Enrol(round.Member{ID: "m1", Name: "Member 1", Group: "m1"}, member).Line()
	check(err)
	e["card"] = round.NewCard(round.ByLeader, d.Leader, leader).Signature

	// Tasks.
	e["task"] = hex.EncodeToString(task.Encoded) + "task_id " + task.ID.String()
	e["answers-task"] = "task_id " + tasks[1].ID.String()
	pair := aggregator.NewPairSecret([32]byte(bytes.Repeat([]byte{6}, 32)))
	verifyKey, err := pair.VerifyKey(task.ID)
	check(err)
	e["verify-key"] = hex.EncodeToString(aggregator.VerifyKeyBytes(verifyKey))

	// A report.
	first, second := dap.ReportID{}, dap.ReportID{}
	for i := range first {
		first[i], second[i] = byte(i), byte(16+i)
	}
	contribution, err := round.Contribution{Member: "m1", Correction: 1, Contributes: round.NewContributes([]bool{true, false})}.Extension()
	check(err)
	e["contribution"] = hex.EncodeToString(contribution.Data)
	metadata, err := dap.Marshal(dap.ReportMetadata{ReportID: first, Time: task.Interval.Start + 24, Extensions: []dap.Extension{contribution}})
	check(err)
	signature, err := round.SignReport(member, dap.Leader, task.ID, metadata, []byte("public share"), nil, []byte("input share"))
	check(err)
	prefixed := func(parts ...string) []byte {
		var b []byte
		for _, p := range parts {
			b = append(binary.BigEndian.AppendUint32(b, uint32(len(p))), p...)
		}
		sum := sha256.Sum256(b)
		return sum[:]
	}
	publicDigest, privateDigest := prefixed(string(metadata), "public share"), prefixed("input share")
	e["report"] = fmt.Sprintf("metadata %x public digest %x private digest %x signature %x", metadata, publicDigest, privateDigest, signature.Data)
	if err := member.PublicKey().Verify(signature.Data, "report", []byte{2}, task.ID[:], publicDigest, privateDigest); err != nil {
		t.Errorf("the digests are not those that are signed: %v", err)
	}

	// Receipts and signed requests.
	received := time.Date(2026, 4, 2, 0, 0, 7, 0, time.UTC)
	receipt, err := json.Marshal(round.NewReceipt(leader, round.ByLeader, task.ID, "m1", 1, first, received, false))
	check(err)
	e["receipt"] = string(receipt)
	path := "/candor/tasks/" + task.ID.String() + "/receipts/m1"
	e["request"] = "GET " + path + "\n" + round.RequestHeader + ": " + round.SignRequest(member, "m1", "GET", path, received)

	// The release of two reports at the Leader.
	counted := []store.Submission{{Member: "m1", Report: first, Correction: 1}, {Member: "m2", Report: second}}
	list := aggregator.ListDigest(counted)
	e["list"] = list.String()
	key := aggregator.NewReleaseKey([32]byte(bytes.Repeat([]byte{7}, 32)))
	seed, salts, blank := aggregator.ReleaseStream(key, dap.Leader, task.ID, counted, 3)
	e["stream"] = fmt.Sprintf("seed %x blank, cell 2 %x salt, cell 0 %x salt, cell 1 %x salt, cell 2 %x", seed, blank[32:], salts[0], salts[1], salts[2])
	leaves := make([]release.Leaf, 3)
	for i := range leaves {
		leaves[i] = release.Leaf{Salt: salts[i], Element: make([]byte, 16)}
		leaves[i].Element[0], leaves[i].Element[1] = byte(1000+i), byte((1000+i)>>8)
	}
	leaves[2].Element = blank[32:]
	root, err := release.Root(leaves)
	check(err)
	openings, err := release.Open(leaves, []int{0, 1})
	check(err)
	// Leaf 1 is the first step of leaf 0's path; the other way round; leaf 2 is the second step of both.
	e["merkle"] = fmt.Sprintf("leaf 0 %s leaf 1 %s leaf 2 %s root %s", openings[1].Path[0], openings[0].Path[0], openings[0].Path[1], root)
	opening, err := openings[1].MarshalText()
	check(err)
	e["opening"] = string(opening)
	checksum := dap.XORChecksums(dap.Checksum(first), dap.Checksum(second))
	stated, err := release.SignStatement(leader, release.Statement{Role: release.Leader, Task: task.ID, Round: release.Digest(hash), Reports: 2,
		Checksum: release.Digest(checksum), List: list, Noise: "none", Blanked: []uint32{2}, Elements: 3, Software: "example 1", Root: root})
	check(err)
	text, err := json.Marshal(stated)
	check(err)
	e["signed-statement"] = string(text)

	// What the Leader asks the Helper before it collects.
	if e["batch"], err = aggregator.BatchResource(task.ID, aggregator.ResourceBatchDigest, dap.NewTimeIntervalSelector(*task.Interval), nil); err != nil {
		t.Fatal(err)
	}
	text, err = json.Marshal(aggregator.BatchDigest{ReportCount: 2, Checksum: aggregator.Checksum(checksum)})
	check(err)
	e["digest"] = string(text)
	return e
}
