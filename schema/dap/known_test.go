package dap_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"candor/schema/dap"
)

// The inputs that the known answers share.
var (
	taskID   = dap.TaskID(counting(32))
	batchID  = dap.BatchID(counting(32))
	reportID = dap.ReportID(counting(16))
	metadata = dap.ReportMetadata{ReportID: reportID, Time: 480000}

	countTask = dap.TaskConfiguration{
		TaskInfo:       []byte("task-info"),
		LeaderEndpoint: "http://leader:8080/",
		HelperEndpoint: "http://helper:8080/",
		TimePrecision:  3600,
		MinBatchSize:   10,
		BatchMode:      dap.TimeInterval,
		VDAF:           dap.VDAFConfig{Type: dap.VDAFCount},
	}
	sumVecTask = dap.TaskConfiguration{
		TaskInfo:       []byte("task-info"),
		LeaderEndpoint: "http://leader:8080/",
		HelperEndpoint: "http://helper:8080/",
		TimePrecision:  3600,
		MinBatchSize:   10,
		BatchMode:      dap.LeaderSelected,
		VDAF:           dap.VDAFConfig{Type: dap.VDAFSumVec, Length: 4, MaxMeasurement: 4096, ChunkLength: 18},
		Extensions:     []dap.Extension{dap.NewTaskIntervalExtension(dap.Interval{Start: 480000, Duration: 24})},
	}

	// verifyInit carries the Leader's first message for a Prio3Count report.
	verifyInit = dap.VerifyInit{
		ReportShare: dap.ReportShare{Metadata: metadata, Ciphertext: ciphertext(54)},
		Payload:     unhex("0000000020ebcfcd910a7e5d7df1a5abe293d25ad4dbbd7f9d2006ee03d6300844cd9f3dd3"),
	}
	twoIDChecksum = [32]byte(unhex("a1d459b0bf4e3ebc0671070107bc7b0e838e56ec556220e6002f1201d6c6a6b1"))
)

const countTaskHex = "097461736b2d696e666f0013687474703a2f2f6c65616465723a383038302f0013687474703a2f2f68656c7065723a383038302f" +
	"0000000000000e10000000000000000a0100000000000100000000"

const sumVecTaskHex = "097461736b2d696e666f0013687474703a2f2f6c65616465723a383038302f0013687474703a2f2f68656c7065723a383038302f" +
	"0000000000000e10000000000000000a" +
	"0200000000000300100000000400000000000010000000001200140001001000000000000753000000000000000018"

const reportIDHex = "000102030405060708090a0b0c0d0e0f"

const metadataHex = "000102030405060708090a0b0c0d0e0f00000000000753000000"

// TestKnownAnswers compares encodings with ones made by others: each message is
// encoded, compared by bytes or by length, beginning and SHA-256, and must come
// back the same from parsing and encoding again.
func TestKnownAnswers(t *testing.T) {
	interval := dap.Interval{Start: 480000, Duration: 2}
	tests := []struct {
		name    string
		message dap.Message
		again   func([]byte) ([]byte, error)
		want    string // hex
	}{
		{"TaskConfiguration, Count", countTask, again[dap.TaskConfiguration], countTaskHex},
		{"TaskConfiguration, SumVec", sumVecTask, again[dap.TaskConfiguration], sumVecTaskHex},
		{"ReportMetadata", metadata, again[dap.ReportMetadata], metadataHex},
		{
			"PlaintextInputShare",
			dap.PlaintextInputShare{Payload: counting(32)},
			again[dap.PlaintextInputShare],
			"000000000020" + hex.EncodeToString(counting(32)),
		},
		{
			"CollectionJobReq, time-interval",
			dap.CollectionJobReq{Query: dap.NewTimeIntervalQuery(interval)},
			again[dap.CollectionJobReq],
			"01001000000000000753000000000000000002000000000000",
		},
		{
			"CollectionJobReq, leader-selected",
			dap.CollectionJobReq{Query: dap.NewLeaderSelectedQuery()},
			again[dap.CollectionJobReq],
			"020000000000000000",
		},
		{
			"AggregateShareReq",
			dap.AggregateShareReq{
				CollectionJobReq: dap.CollectionJobReq{Query: dap.NewTimeIntervalQuery(interval)},
				BatchSelector:    dap.NewTimeIntervalSelector(dap.Interval{Start: 480000, Duration: 1}),
				ReportCount:      10,
				Checksum:         twoIDChecksum,
			},
			again[dap.AggregateShareReq],
			"0100100000000000075300000000000000000200000000000001001000000000000753000000000000000001" +
				"000000000000000aa1d459b0bf4e3ebc0671070107bc7b0e838e56ec556220e6002f1201d6c6a6b1",
		},
		{
			"HpkeConfig",
			hpkeConfig,
			again[dap.HpkeConfig],
			"070020000100010020" + strings.Repeat("aa", 32),
		},
		{
			"HpkeConfigList",
			dap.HpkeConfigList{hpkeConfig},
			again[dap.HpkeConfigList],
			"0029070020000100010020" + strings.Repeat("aa", 32),
		},
		{
			"AggregationJobResp, Count",
			dap.AggregationJobResp{{ReportID: reportID, Type: dap.VerifyContinued, Payload: unhex("0200000000")}},
			again[dap.AggregationJobResp],
			reportIDHex + "00" + "00000005" + "0200000000",
		},
		{
			"VerifyResp, reject",
			dap.VerifyResp{ReportID: reportID, Type: dap.VerifyRejected, Error: dap.ErrorHpkeDecryptError},
			again[dap.VerifyResp],
			reportIDHex + "0205",
		},
		{
			"VerifyResp, finish",
			dap.VerifyResp{ReportID: reportID, Type: dap.VerifyFinished},
			again[dap.VerifyResp],
			reportIDHex + "01",
		},
		{
			"AggregationJobContinueReq",
			dap.AggregationJobContinueReq{
				Step:            1,
				VerifyContinues: []dap.VerifyContinue{{ReportID: reportID, Payload: unhex("0200000000")}},
			},
			again[dap.AggregationJobContinueReq],
			"0001" + reportIDHex + "00000005" + "0200000000",
		},
		{
			"UploadErrors",
			dap.UploadErrors{{ReportID: reportID, Error: dap.ErrorOutdatedConfig}},
			again[dap.UploadErrors],
			reportIDHex + "0b",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := mustMarshal(t, test.message)
			if hex.EncodeToString(got) != test.want {
				t.Errorf("encoding\n got %x\nwant %s", got, test.want)
			}
			if b, err := test.again(got); err != nil || !bytes.Equal(b, got) {
				t.Errorf("encoded again\n got %x, error %v\nwant %x", b, err, got)
			}
		})
	}
}

// TestKnownDigests does the same with messages known by their SHA-256.
func TestKnownDigests(t *testing.T) {
	tests := []struct {
		name    string
		message dap.Message
		again   func([]byte) ([]byte, error)
		size    int
		prefix  string // hex
		digest  string // hex
	}{
		{
			"VerifyInit",
			verifyInit,
			again[dap.VerifyInit],
			164, metadataHex,
			"67c9522266cde0a95bc0830fbbf36d1b646cef983b720129f8efbd47abffce2e",
		},
		{
			"AggregationJobInitReq, time-interval",
			dap.AggregationJobInitReq{VerifyInits: []dap.VerifyInit{verifyInit}},
			again[dap.AggregationJobInitReq],
			171, "00" + "00000000" + "0000",
			"3b8630cbb930cf32122808ac6e8cf131d2279cf5eec861df3e35221cce1121c6",
		},
		{
			"AggregationJobInitReq, leader-selected",
			dap.AggregationJobInitReq{
				Extensions:  []dap.Extension{dap.NewBatchIDExtension(batchID)},
				VerifyInits: []dap.VerifyInit{verifyInit},
			},
			again[dap.AggregationJobInitReq],
			207, "00" + "00000000" + "0024" + "0001" + "0020",
			"cf862645aab08cda05499630b59d479ab8d12490c3dc4bd598c1062cf4310418",
		},
		{
			"Report, Count",
			dap.Report{Metadata: metadata, Leader: ciphertext(70), Helper: ciphertext(54)},
			again[dap.Report],
			232, metadataHex,
			"574255329140f3419021ff037e7e55e644a586a2d4c8c8a6369116cf2ece09cf",
		},
		{
			"CollectionJobResp, Count",
			dap.CollectionJobResp{
				ReportCount: 10,
				Interval:    dap.Interval{Start: 480000, Duration: 1},
				Leader:      ciphertext(24),
				Helper:      ciphertext(24),
			},
			again[dap.CollectionJobResp],
			150, "000000000000000a",
			"19bdc874a578b27e980fa4deef96d85e878c8accfc357f5007cd90ccd25946c4",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := mustMarshal(t, test.message)
			if len(got) != test.size || !strings.HasPrefix(hex.EncodeToString(got), test.prefix) {
				t.Errorf("encoding has %d bytes, want %d beginning %s:\n%x", len(got), test.size, test.prefix, got)
			}
			if sum := sha256.Sum256(got); hex.EncodeToString(sum[:]) != test.digest {
				t.Errorf("SHA-256 of encoding = %x, want %s", sum, test.digest)
			}
			if b, err := test.again(got); err != nil || !bytes.Equal(b, got) {
				t.Errorf("encoded again\n got %x, error %v\nwant %x", b, err, got)
			}
		})
	}
}

// again parses b as an M and encodes it again.
func again[M dap.Message, P dap.Parsable[M]](b []byte) ([]byte, error) {
	m, err := dap.Parse[M, P](b)
	if err != nil {
		return nil, err
	}
	return dap.Marshal(m)
}

func mustMarshal(t *testing.T, m dap.Message) []byte {
	t.Helper()
	b, err := dap.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestKnownBindings(t *testing.T) {
	task, req := unhex(countTaskHex), unhex("01001000000000000753000000000000000002000000000000")
	id := hex.EncodeToString(taskID[:])
	tests := []struct {
		name string
		got  []byte
		want string
	}{
		{"VDAF context", dap.VDAFContext(taskID), "6461702d3138" + id},
		{"input share info, Leader", dap.InputShareInfo(dap.Leader), "6461702d313820696e7075742073686172650102"},
		{"input share info, Helper", dap.InputShareInfo(dap.Helper), "6461702d313820696e7075742073686172650103"},
		{"aggregate share info, Leader", dap.AggregateShareInfo(dap.Leader), "6461702d3138206167677265676174652073686172650200"},
		{"aggregate share info, Helper", dap.AggregateShareInfo(dap.Helper), "6461702d3138206167677265676174652073686172650300"},
		{"input share AAD", dap.InputShareAAD(taskID, task, unhex(metadataHex), nil),
			id + countTaskHex + metadataHex + "00000000"},
		{"input share AAD with a public share", dap.InputShareAAD(taskID, task, unhex(metadataHex), counting(3)),
			id + countTaskHex + metadataHex + "00000003000102"},
		{"aggregate share AAD", dap.AggregateShareAAD(taskID, task, req),
			id + countTaskHex + "01001000000000000753000000000000000002000000000000"},
	}
	for _, test := range tests {
		if hex.EncodeToString(test.got) != test.want {
			t.Errorf("%s\n got %x\nwant %s", test.name, test.got, test.want)
		}
	}
	if n := len(dap.InputShareAAD(taskID, task, unhex(metadataHex), nil)); n != 141 {
		t.Errorf("input share AAD has %d bytes, want 141", n)
	}
	if n := len(dap.AggregateShareAAD(taskID, task, req)); n != 136 {
		t.Errorf("aggregate share AAD has %d bytes, want 136", n)
	}
}

func TestChecksum(t *testing.T) {
	one := dap.Checksum(reportID)
	if got, want := hex.EncodeToString(one[:]), "be45cb2605bf36bebde684841a28f0fd43c69850a3dce5fedba69928ee3a8991"; got != want {
		t.Errorf("checksum of one report = %s, want %s", got, want)
	}
	reversed := reportID
	for i := range reversed {
		reversed[i] = byte(15 - i)
	}
	if got := dap.XORChecksums(one, dap.Checksum(reversed)); got != twoIDChecksum {
		t.Errorf("checksum of two reports = %x, want %x", got, twoIDChecksum)
	}
	if got := dap.XORChecksums([32]byte{}, one); got != one {
		t.Errorf("checksum of the empty batch and one report = %x, want %x", got, one)
	}
}

// TestReportLength compares report sizes with the formula and the table of
// published sizes for X25519 and a tag of 16 bytes.
func TestReportLength(t *testing.T) {
	tests := []struct {
		vdaf                               string
		publicShare, leader, helper, total int
	}{
		{"Count", 0, 48, 32, 232},
		{"Sum(255)", 0, 320, 32, 504},
		{"SumVec(4, 4096, 18)", 64, 1552, 64, 1832},
		{"Histogram(4, 2)", 64, 272, 64, 552},
		{"Histogram(256, 32)", 64, 5648, 64, 5928},
	}
	for _, test := range tests {
		sealed := func(share int) dap.HpkeCiphertext {
			plaintext := mustMarshal(t, dap.PlaintextInputShare{Payload: make([]byte, share)})
			return ciphertext(len(plaintext) + 16)
		}
		report := mustMarshal(t, dap.Report{
			Metadata:    metadata,
			PublicShare: make([]byte, test.publicShare),
			Leader:      sealed(test.leader),
			Helper:      sealed(test.helper),
		})
		if len(report) != test.total {
			t.Errorf("report of %s has %d bytes, want %d", test.vdaf, len(report), test.total)
		}
	}
}

var hpkeConfig = dap.HpkeConfig{ID: 7, KEM: 0x0020, KDF: 1, AEAD: 1, PublicKey: bytes.Repeat([]byte{0xaa}, 32)}

// ciphertext returns a dummy with a payload of n bytes.
func ciphertext(n int) dap.HpkeCiphertext {
	return dap.HpkeCiphertext{ConfigID: 7, Enc: bytes.Repeat([]byte{0xee}, 32), Payload: bytes.Repeat([]byte{0xcc}, n)}
}

// counting returns the bytes 0, 1, … n-1.
func counting(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}
