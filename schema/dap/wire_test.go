package dap_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"candor/schema/dap"

	"github.com/google/go-cmp/cmp"
)

// TestPrefixes parses every proper beginning of an encoding, and the encoding
// with one byte more. Only messages that end in a sequence have beginnings
// that parse: those that end with an element.
func TestPrefixes(t *testing.T) {
	tests := []struct {
		message dap.Message
		again   func([]byte) ([]byte, error)
		parse   int // how many proper beginnings do
	}{
		{countTask, again[dap.TaskConfiguration], 0},
		{sumVecTask, again[dap.TaskConfiguration], 0},
		{dap.Interval{Start: 1, Duration: 2}, again[dap.Interval], 0},
		{batchID, again[dap.BatchID], 0},
		{hpkeConfig, again[dap.HpkeConfig], 0},
		{dap.HpkeConfigList{hpkeConfig}, again[dap.HpkeConfigList], 0},
		{fullReport, again[dap.Report], 0},
		{dap.UploadRequest{fullReport, fullReport}, again[dap.UploadRequest], 2},
		{dap.PlaintextInputShare{Extensions: extensions, Payload: counting(3)}, again[dap.PlaintextInputShare], 0},
		{dap.UploadErrors{{ReportID: reportID, Error: 1}, {ReportID: reportID, Error: 2}}, again[dap.UploadErrors], 2},
		{verifyInit, again[dap.VerifyInit], 0},
		{dap.AggregationJobInitReq{VerifyInits: []dap.VerifyInit{verifyInit}}, again[dap.AggregationJobInitReq], 1},
		{responses, again[dap.AggregationJobResp], 3},
		{dap.AggregationJobContinueReq{Step: 1, VerifyContinues: []dap.VerifyContinue{{ReportID: reportID, Payload: counting(1)}}},
			again[dap.AggregationJobContinueReq], 1},
		{timeIntervalReq, again[dap.CollectionJobReq], 0},
		{dap.CollectionJobResp{Leader: ciphertext(1), Helper: ciphertext(1)}, again[dap.CollectionJobResp], 0},
		{dap.AggregateShareReq{CollectionJobReq: timeIntervalReq, BatchSelector: dap.NewLeaderSelectedSelector(batchID)},
			again[dap.AggregateShareReq], 0},
	}
	for _, test := range tests {
		b := mustMarshal(t, test.message)
		parsed := 0
		for n := range b {
			if _, err := test.again(b[:n:n]); err == nil {
				parsed++
			} else if !errors.Is(err, dap.ErrMalformed) {
				t.Errorf("%T, first %d bytes: error %v is not ErrMalformed", test.message, n, err)
			}
		}
		if parsed != test.parse {
			t.Errorf("%T: %d beginnings parse, want %d", test.message, parsed, test.parse)
		}
		if _, err := test.again(append(b, 0)); err == nil {
			t.Errorf("%T: parses with one byte more", test.message)
		}
	}
}

// TestMalformed has bytes that would mean something under laxer rules.
func TestMalformed(t *testing.T) {
	task := func(old, new string) string {
		if strings.Count(countTaskHex, old) != 1 {
			t.Fatalf("%q is not once in the task configuration", old)
		}
		return strings.Replace(countTaskHex, old, new, 1)
	}
	tests := []struct {
		name  string
		again func([]byte) ([]byte, error)
		hex   string
	}{
		{"task_info is empty", again[dap.TaskConfiguration], task("09"+"7461736b2d696e666f", "00")},
		{"URL is empty", again[dap.TaskConfiguration], task("0013"+"687474703a2f2f6c65616465723a383038302f", "0000")},
		{"URL is not ASCII", again[dap.TaskConfiguration], task("6c6561646572", "6c656164c3a4")},
		{"batch mode is reserved", again[dap.TaskConfiguration], task("0a0100000000000100000000", "0a0000000000000100000000")},
		{"batch mode is unknown", again[dap.TaskConfiguration], task("0a0100000000000100000000", "0a0300000000000100000000")},
		{"VDAF type is unknown", again[dap.VDAFConfig], "00000006" + "0002" + "0010"},
		{"Count has a configuration", again[dap.VDAFConfig], "00000001" + "0001" + "00"},
		{"Sum has a 32-bit bound", again[dap.VDAFConfig], "00000002" + "0004" + "000000ff"},
		{"Sum has 9 bytes", again[dap.VDAFConfig], "00000002" + "0009" + "0000000000000000ff"},
		{"Histogram has 16 bytes", again[dap.VDAFConfig], "00000004" + "0010" + strings.Repeat("00", 16)},
		{"HPKE list is empty", again[dap.HpkeConfigList], "0000"},
		{"HPKE list has an ID twice", again[dap.HpkeConfigList], "0014" + strings.Repeat("0700200001000100"+"01aa", 2)},
		{"HPKE public key is empty", again[dap.HpkeConfig], "0700200001000100" + "00"},
		{"HPKE enc is empty", again[dap.HpkeCiphertext], "07" + "0000" + "00000001cc"},
		{"HPKE payload is empty", again[dap.HpkeCiphertext], "07" + "0001ee" + "00000000"},
		{"input share is empty", again[dap.PlaintextInputShare], "0000" + "00000000"},
		{"extension runs over its list", again[dap.ReportMetadata], reportIDHex + "0000000000000001" + "0005" + "ff430002" + "0000"},
		{"extension list is cut", again[dap.ReportMetadata], reportIDHex + "0000000000000001" + "0003" + "ff4300"},
		{"report error is reserved", again[dap.UploadErrors], reportIDHex + "00"},
		{"rejection has error 0", again[dap.VerifyResp], reportIDHex + "0200"},
		{"rejection has no error", again[dap.VerifyResp], reportIDHex + "02"},
		{"finish has a byte more", again[dap.VerifyResp], reportIDHex + "0100"},
		{"continue has no payload", again[dap.VerifyResp], reportIDHex + "00" + "00000000"},
		{"response type is unknown", again[dap.VerifyResp], reportIDHex + "03"},
		{"ping-pong message is empty", again[dap.VerifyContinue], reportIDHex + "00000000"},
		{"query mode is reserved", again[dap.Query], "00" + "0000"},
		{"query mode is unknown", again[dap.Query], "03" + "0000"},
		{"time-interval query is empty", again[dap.Query], "01" + "0000"},
		{"time-interval query has 15 bytes", again[dap.Query], "01" + "000f" + strings.Repeat("00", 15)},
		{"leader-selected query has a batch", again[dap.Query], "02" + "0020" + strings.Repeat("00", 32)},
		{"time-interval selector has a batch ID", again[dap.BatchSelector], "01" + "0020" + strings.Repeat("00", 32)},
		{"leader-selected selector is empty", again[dap.BatchSelector], "02" + "0000"},
		{"leader-selected selector has an interval", again[dap.BatchSelector], "02" + "0010" + strings.Repeat("00", 16)},
		{"length is over 4 GiB wrapped", again[dap.VerifyContinue], reportIDHex + "ffffffff" + "00"},
	}
	for _, test := range tests {
		if b, err := test.again(unhex(test.hex)); !errors.Is(err, dap.ErrMalformed) {
			t.Errorf("%s: parsed and encoded to %x, error %v, want ErrMalformed", test.name, b, err)
		}
	}
}

// TestNoEncoding has values that Marshal must refuse, because nobody could
// parse the result.
func TestNoEncoding(t *testing.T) {
	with := func(change func(*dap.TaskConfiguration)) dap.TaskConfiguration {
		task := countTask
		change(&task)
		return task
	}
	tests := map[string]dap.Message{
		"zero task":                 dap.TaskConfiguration{},
		"no task_info":              with(func(c *dap.TaskConfiguration) { c.TaskInfo = nil }),
		"task_info of 256 bytes":    with(func(c *dap.TaskConfiguration) { c.TaskInfo = make([]byte, 256) }),
		"no URL":                    with(func(c *dap.TaskConfiguration) { c.HelperEndpoint = "" }),
		"URL with an umlaut":        with(func(c *dap.TaskConfiguration) { c.HelperEndpoint = "https://hölfer/" }),
		"URL of 65536 bytes":        with(func(c *dap.TaskConfiguration) { c.HelperEndpoint = strings.Repeat("a", 65536) }),
		"no batch mode":             with(func(c *dap.TaskConfiguration) { c.BatchMode = 0 }),
		"unknown VDAF":              dap.VDAFConfig{Type: 6},
		"zero HPKE configuration":   dap.HpkeConfig{},
		"no HPKE configuration":     dap.HpkeConfigList{},
		"an HPKE ID twice":          dap.HpkeConfigList{hpkeConfig, hpkeConfig},
		"zero ciphertext":           dap.HpkeCiphertext{},
		"no payload":                dap.HpkeCiphertext{Enc: []byte{1}},
		"zero report":               dap.Report{},
		"zero report in a request":  dap.UploadRequest{fullReport, {}},
		"no input share":            dap.PlaintextInputShare{},
		"extensions over 65535":     dap.ReportMetadata{Extensions: []dap.Extension{{Data: make([]byte, 65532)}}},
		"extension data over 65535": dap.Extension{Data: make([]byte, 65536)},
		"report error 0":            dap.ReportUploadStatus{},
		"rejection without error":   dap.VerifyResp{Type: dap.VerifyRejected},
		"continue without payload":  dap.VerifyResp{Type: dap.VerifyContinued},
		"unknown response":          dap.VerifyResp{Type: 3},
		"continue request, empty":   dap.VerifyContinue{},
		"zero query":                dap.Query{},
		"query without interval":    dap.Query{BatchMode: dap.TimeInterval},
		"query with a batch":        dap.Query{BatchMode: dap.LeaderSelected, Config: batchID[:]},
		"selector without batch ID": dap.BatchSelector{BatchMode: dap.LeaderSelected},
		"zero collection request":   dap.CollectionJobReq{},
		"zero share request":        dap.AggregateShareReq{},
	}
	for name, m := range tests {
		if b, err := dap.Marshal(m); err == nil {
			t.Errorf("%s: encoded to %x", name, b)
		} else if b != nil {
			t.Errorf("%s: bytes %x with error %v", name, b, err)
		}
	}
	// The largest that fit.
	if _, err := dap.Marshal(dap.ReportMetadata{Extensions: []dap.Extension{{Data: make([]byte, 65531)}}}); err != nil {
		t.Error(err)
	}
	if _, err := dap.Marshal(with(func(c *dap.TaskConfiguration) { c.TaskInfo = make([]byte, 255) })); err != nil {
		t.Error(err)
	}
}

// TestNilAndEmpty checks that the two encode alike, and which of them comes back.
func TestNilAndEmpty(t *testing.T) {
	a := fullReport
	a.Metadata.Extensions, a.PublicShare = nil, nil
	b := fullReport
	b.Metadata.Extensions, b.PublicShare = []dap.Extension{}, []byte{}
	encoded := mustMarshal(t, a)
	if !bytes.Equal(encoded, mustMarshal(t, b)) {
		t.Error("nil and empty slices encode differently")
	}
	got, err := dap.Parse[dap.Report](encoded)
	if err != nil {
		t.Fatal(err)
	}
	b.Metadata.Extensions = nil
	if diff := cmp.Diff(b, got); diff != "" {
		t.Errorf("parsed report (-want +got):\n%s", diff)
	}
}

// TestParsedFields checks, for messages with many fields, that each comes back
// in its place.
func TestParsedFields(t *testing.T) {
	task, err := dap.Parse[dap.TaskConfiguration](unhex(sumVecTaskHex))
	want := sumVecTask
	want.BatchConfig = []byte{}
	if diff := cmp.Diff(want, task); err != nil || diff != "" {
		t.Errorf("task (-want +got):\n%s\nerror %v", diff, err)
	}
	resp := dap.CollectionJobResp{
		ReportCount: 3,
		Interval:    dap.Interval{Start: 4, Duration: 5},
		Leader:      dap.HpkeCiphertext{ConfigID: 6, Enc: []byte{7}, Payload: []byte{8}},
		Helper:      dap.HpkeCiphertext{ConfigID: 9, Enc: []byte{10}, Payload: []byte{11}},
	}
	gotResp, err := dap.Parse[dap.CollectionJobResp](mustMarshal(t, resp))
	if diff := cmp.Diff(resp, gotResp); err != nil || diff != "" {
		t.Errorf("collection response (-want +got):\n%s\nerror %v", diff, err)
	}
	gotResponses, err := dap.Parse[dap.AggregationJobResp](mustMarshal(t, responses))
	if diff := cmp.Diff(responses, gotResponses); err != nil || diff != "" {
		t.Errorf("aggregation response (-want +got):\n%s\nerror %v", diff, err)
	}
}

// TestAppendCopies checks that appending to a parsed slice does not write into
// the neighbouring field of the message it aliases.
func TestAppendCopies(t *testing.T) {
	b := mustMarshal(t, fullReport)
	before := bytes.Clone(b)
	r, err := dap.Parse[dap.Report](b)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(r.PublicShare, 0xff)
	_ = append(r.Leader.Enc, 0xff)
	_ = append(r.Leader.Payload, 0xff)
	_ = append(r.Metadata.Extensions[0].Data, 0xff)
	metadata, err := dap.SplitMetadata(b)
	if err != nil {
		t.Fatal(err)
	}
	_ = append(metadata, 0xff)
	_, raw, _, err := dap.NextReport(append(b, b...))
	if err != nil || !bytes.Equal(raw, b) || cap(raw) != len(raw) {
		t.Errorf("the first report has %d bytes and capacity %d, want %d, error %v", len(raw), cap(raw), len(b), err)
	}
	if !bytes.Equal(b, before) {
		t.Error("appending to a parsed field changed the message")
	}
}

// TestAppend builds a sequence message from its elements.
func TestAppend(t *testing.T) {
	b := []byte("before")
	for range 2 {
		var err error
		if b, err = dap.Append(b, fullReport); err != nil {
			t.Fatal(err)
		}
	}
	want := "before" + string(mustMarshal(t, dap.UploadRequest{fullReport, fullReport}))
	if string(b) != want {
		t.Errorf("appended\n got %x\nwant %x", b, want)
	}
}

// TestBoundedAllocation parses what asks for the most memory.
func TestBoundedAllocation(t *testing.T) {
	const n = 1 << 20
	claim := func(prefix string, length uint32) []byte {
		return binary.BigEndian.AppendUint32(unhex(prefix), length)
	}
	tests := []struct {
		name  string
		parse func([]byte) error
		input []byte
	}{
		{"a payload of 4 GiB that is not there", parse[dap.VerifyContinue], claim(reportIDHex, 1<<32-1)},
		{"a parameter of 2 GiB that is not there", parse[dap.AggregationJobInitReq], claim("00", 1<<31)},
		{"a megabyte of finish", parse[dap.AggregationJobResp], bytes.Repeat(unhex(reportIDHex+"01"), n/17)},
		{"a megabyte of upload errors", parse[dap.UploadErrors], bytes.Repeat(unhex(reportIDHex+"01"), n/17)},
		{"a megabyte of small reports", parse[dap.UploadRequest],
			bytes.Repeat(mustMarshal(t, dap.Report{
				Leader: dap.HpkeCiphertext{Enc: []byte{0}, Payload: []byte{0}},
				Helper: dap.HpkeCiphertext{Enc: []byte{0}, Payload: []byte{0}},
			}), n/48)},
		{"a full list of extensions", parse[dap.ReportMetadata],
			append(append(unhex(reportIDHex+"0000000000000001"), 0xff, 0xfc), make([]byte, 0xfffc)...)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := allocated()
			err := test.parse(test.input)
			if grown := allocated() - before; grown > allocationLimit(len(test.input)) {
				t.Errorf("parsing %d bytes allocates %d, error %v", len(test.input), grown, err)
			}
		})
	}
}

func parse[M dap.Message, P dap.Parsable[M]](b []byte) error {
	_, err := dap.Parse[M, P](b)
	return err
}

func TestErrorsNameTheMessage(t *testing.T) {
	_, err := dap.Parse[dap.AggregationJobInitReq]([]byte("secret"))
	if got, want := fmt.Sprint(err), "parsing dap.AggregationJobInitReq of 6 bytes: malformed DAP message"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
	_, err = dap.Marshal(dap.HpkeConfigList{{}})
	if got, want := fmt.Sprint(err), "encoding dap.HpkeConfigList: vector of 0 bytes, want 1 to 65535"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
}
