package dap_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"candor/schema/dap"

	"github.com/google/go-cmp/cmp"
)

func TestIDs(t *testing.T) {
	const text = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	if got := taskID.String(); got != text {
		t.Errorf("task ID %s, want %s", got, text)
	}
	if got, err := dap.ParseTaskID(text); err != nil || got != taskID {
		t.Errorf("parsed %v, error %v", got, err)
	}
	for _, bad := range []string{
		"",
		text[:42],                    // short
		text + "A",                   // long
		text + "=",                   // padded
		text[:42] + "9",              // trailing bits
		text[:20] + "\n" + text[20:], // line end, which the decoder skips
		text[:20] + "\n" + text[21:],
		"+" + text[1:], // of the other alphabet
		text[:42] + "\x00",
	} {
		if id, err := dap.ParseTaskID(bad); !errors.Is(err, dap.ErrMalformed) || id != (dap.TaskID{}) {
			t.Errorf("ParseTaskID(%q) = %v, error %v", bad, id, err)
		}
	}

	type all struct {
		Task           dap.TaskID
		Report         dap.ReportID
		Batch          dap.BatchID
		AggregationJob dap.AggregationJobID
		CollectionJob  dap.CollectionJobID
		AggregateShare dap.AggregateShareID
	}
	ids := all{taskID, reportID, batchID, dap.AggregationJobID(counting(16)), dap.CollectionJobID(counting(16)), dap.AggregateShareID(counting(16))}
	const short = `"AAECAwQFBgcICQoLDA0ODw"`
	want := `{"Task":"` + text + `","Report":` + short + `,"Batch":"` + text + `","AggregationJob":` + short +
		`,"CollectionJob":` + short + `,"AggregateShare":` + short + `}`
	b, err := json.Marshal(ids)
	if err != nil || string(b) != want {
		t.Errorf("as JSON\n got %s, error %v\nwant %s", b, err, want)
	}
	var back all
	if err := json.Unmarshal(b, &back); err != nil || back != ids {
		t.Errorf("from JSON %+v, error %v", back, err)
	}
	if err := json.Unmarshal([]byte(`{"AggregateShare":"`+text+`"}`), &back); !errors.Is(err, dap.ErrMalformed) {
		t.Errorf("an aggregate share ID of 32 bytes: error %v", err)
	}
	if s := fmt.Sprint(ids.Task, ids.AggregationJob, ids.CollectionJob, ids.AggregateShare, ids.Report, ids.Batch); strings.Contains(s, "[") {
		t.Errorf("IDs print as %s", s)
	}
}

func TestIntervals(t *testing.T) {
	interval := func(start, duration uint64) dap.Interval {
		return dap.Interval{Start: dap.Time(start), Duration: dap.Duration(duration)}
	}
	const last = math.MaxUint64
	if end, ok := interval(last-1, 1).End(); end != last || !ok {
		t.Errorf("end of the last interval is %d, %t", end, ok)
	}
	if _, ok := interval(last, 1).End(); ok {
		t.Error("an end of 2^64 fits")
	}
	if _, ok := interval(1, last).End(); ok {
		t.Error("an end of 2^64 fits")
	}

	for _, test := range []struct {
		i    dap.Interval
		t    uint64
		want bool
	}{
		{interval(10, 5), 9, false},
		{interval(10, 5), 10, true},
		{interval(10, 5), 14, true},
		{interval(10, 5), 15, false},
		{interval(10, 0), 10, false},
		{interval(last, 1), last, false},
		{interval(last, 1), 0, false},
		{interval(0, last), last, false},
		{interval(0, last), last - 1, true},
	} {
		if got := test.i.Contains(dap.Time(test.t)); got != test.want {
			t.Errorf("%v contains %d: %t", test.i, test.t, got)
		}
	}
	for _, test := range []struct {
		i, j               dap.Interval
		contains, overlaps bool
	}{
		{interval(10, 5), interval(10, 5), true, true},
		{interval(10, 5), interval(11, 3), true, true},
		{interval(10, 5), interval(9, 5), false, true},
		{interval(10, 5), interval(14, 2), false, true},
		{interval(10, 5), interval(15, 1), false, false},
		{interval(10, 5), interval(9, 1), false, false},
		{interval(10, 5), interval(8, 10), false, true},
		{interval(10, 5), interval(12, 0), true, false},
		{interval(10, 5), interval(15, 0), true, false},
		{interval(10, 5), interval(16, 0), false, false},
		{interval(10, 5), interval(12, last), false, false},
		{interval(1, last), interval(12, 1), false, false},
	} {
		if got := test.i.ContainsInterval(test.j); got != test.contains {
			t.Errorf("%v contains %v: %t", test.i, test.j, got)
		}
		if got := test.i.Overlaps(test.j); got != test.overlaps {
			t.Errorf("%v overlaps %v: %t", test.i, test.j, got)
		}
		if got := test.j.Overlaps(test.i); got != test.overlaps {
			t.Errorf("%v overlaps %v: %t", test.j, test.i, got)
		}
	}
}

func TestBatches(t *testing.T) {
	interval := dap.Interval{Start: 480000, Duration: 2}
	if got, ok := dap.NewTimeIntervalQuery(interval).Interval(); got != interval || !ok {
		t.Errorf("interval of a query is %v, %t", got, ok)
	}
	if got, ok := dap.NewTimeIntervalSelector(interval).Interval(); got != interval || !ok {
		t.Errorf("interval of a selector is %v, %t", got, ok)
	}
	if got, ok := dap.NewLeaderSelectedSelector(batchID).BatchID(); got != batchID || !ok {
		t.Errorf("batch ID of a selector is %v, %t", got, ok)
	}
	if got, ok := dap.NewLeaderSelectedQuery().Interval(); got != (dap.Interval{}) || ok {
		t.Errorf("interval of a leader-selected query is %v, %t", got, ok)
	}
	if got, ok := dap.NewLeaderSelectedSelector(batchID).Interval(); got != (dap.Interval{}) || ok {
		t.Errorf("interval of a leader-selected selector is %v, %t", got, ok)
	}
	if got, ok := dap.NewTimeIntervalSelector(interval).BatchID(); got != (dap.BatchID{}) || ok {
		t.Errorf("batch ID of a time-interval selector is %v, %t", got, ok)
	}
}

func TestExtensions(t *testing.T) {
	for _, test := range []struct {
		types    []uint16
		increase bool
		unknown  []uint16 // with 1 and 5 known
	}{
		{nil, true, nil},
		{[]uint16{5}, true, nil},
		{[]uint16{1, 5, 7}, true, []uint16{7}},
		{[]uint16{5, 1}, false, nil},
		{[]uint16{7, 7, 0}, false, []uint16{7, 7, 0}},
		{[]uint16{1, 1}, false, nil},
	} {
		var list []dap.Extension
		for i, typ := range test.types {
			list = append(list, dap.Extension{Type: typ, Data: []byte{byte(i)}})
		}
		if got := dap.ExtensionsIncrease(list); got != test.increase {
			t.Errorf("%v increase: %t", test.types, got)
		}
		if diff := cmp.Diff(test.unknown, dap.UnknownExtensions(list, 1, 5)); diff != "" {
			t.Errorf("%v, unknown (-want +got):\n%s", test.types, diff)
		}
	}
	list := []dap.Extension{{Type: 1, Data: []byte("a")}, {Type: 2}, {Type: 1, Data: []byte("b")}}
	if data, ok := dap.FindExtension(list, 1); string(data) != "a" || !ok {
		t.Errorf("found %q, %t", data, ok)
	}
	if data, ok := dap.FindExtension(list, 2); len(data) != 0 || !ok {
		t.Errorf("found %q, %t", data, ok)
	}
	if data, ok := dap.FindExtension(list, 3); data != nil || ok {
		t.Errorf("found %q, %t", data, ok)
	}

	interval := dap.Interval{Start: 480000, Duration: 24}
	ext := dap.NewTaskIntervalExtension(interval)
	if got, err := dap.Parse[dap.Interval](ext.Data); ext.Type != 1 || got != interval || err != nil {
		t.Errorf("task_interval is type %d, %v, error %v", ext.Type, got, err)
	}
	ext = dap.NewBatchIDExtension(batchID)
	if got, err := dap.Parse[dap.BatchID](ext.Data); ext.Type != 1 || got != batchID || err != nil {
		t.Errorf("leader_selected_batch_id is type %d, %v, error %v", ext.Type, got, err)
	}
	ext = dap.NewRoundHashExtension([32]byte(counting(32)))
	if ext.Type != 0xff43 || string(ext.Data) != string(counting(32)) {
		t.Errorf("round_hash is type %#x, %x", ext.Type, ext.Data)
	}
}

func TestReportErrors(t *testing.T) {
	names := []string{
		"batch_collected", "report_replayed", "report_dropped", "hpke_unknown_config_id", "hpke_decrypt_error",
		"vdaf_verify_error", "task_expired", "invalid_message", "report_too_early", "task_not_started", "outdated_config",
	}
	for i, name := range names {
		e := dap.ReportError(i + 1)
		if e.String() != name || e.Error() != "report refused: "+name {
			t.Errorf("report error %d is %q, %q, want %s", i+1, e, e.Error(), name)
		}
	}
	if got := dap.ReportError(12).String(); got != "report_error_12" {
		t.Errorf("report error 12 is %q", got)
	}
	var e dap.ReportError
	if err := fmt.Errorf("report 1: %w", dap.ErrorReportDropped); !errors.As(err, &e) || e != dap.ErrorReportDropped {
		t.Errorf("a wrapped report error is %v", e)
	}
}

// TestMediaTypes compares the constants with the text of the draft, and reads
// them in the forms that others write.
func TestMediaTypes(t *testing.T) {
	sent := []string{
		dap.MediaTypeHpkeConfigList, dap.MediaTypeUploadReq, dap.MediaTypeUploadErrors, dap.MediaTypeAggregationJobInitReq,
		dap.MediaTypeAggregationJobResp, dap.MediaTypeAggregationJobContinueReq, dap.MediaTypeAggregateShareReq,
		dap.MediaTypeAggregateShare, dap.MediaTypeCollectionJobReq, dap.MediaTypeCollectionJobResp,
	}
	messages := []string{
		"hpke-config-list", "upload-req", "upload-errors", "aggregation-job-init-req", "aggregation-job-resp",
		"aggregation-job-continue-req", "aggregate-share-req", "aggregate-share", "collection-job-req", "collection-job-resp",
	}
	for i, message := range messages {
		if want := "application/ppm-dap;message=" + message; sent[i] != want {
			t.Errorf("media type %q, want %q", sent[i], want)
		}
		for _, form := range []string{
			sent[i],
			"application/ppm-dap; message=" + message,
			"Application/PPM-DAP ;Message=\"" + message + "\"",
			"application/ppm-dap;message=" + strings.ToUpper(message),
			"application/ppm-dap;version=18;message=" + message,
			"application/ppm-dap;message=" + message + "; version=09",
		} {
			if got, err := dap.MediaTypeMessage(form); err != nil || got != message {
				t.Errorf("MediaTypeMessage(%q) = %q, error %v", form, got, err)
			}
		}
	}
	for _, bad := range []string{
		"", "application/ppm-dap", "application/ppm-dap;message=", "application/dap-report", "application/json;message=upload-req",
		"application/ppm-dap;message=upload-req;message=upload-errors", "message=upload-req",
	} {
		if got, err := dap.MediaTypeMessage(bad); err == nil || got != "" {
			t.Errorf("MediaTypeMessage(%q) = %q", bad, got)
		}
	}
}
