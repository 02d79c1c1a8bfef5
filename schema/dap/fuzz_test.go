package dap_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"runtime/metrics"
	"testing"

	"candor/schema/dap"
)

// fuzz checks for messages of type M that what parses encodes to the same
// bytes, that nothing else is ever returned with an error, and that memory is
// bounded by the input. Each seed is used whole, cut short, and with one byte
// too many.
func fuzz[M dap.Message, P dap.Parsable[M]](f *testing.F, seeds ...M) {
	f.Add([]byte(nil))
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Add(make([]byte, 128))
	for _, m := range seeds {
		b, err := dap.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
		f.Add(b[:len(b)/2])
		f.Add(append(b[:len(b):len(b)], 0))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := allocated()
		m, err := dap.Parse[M, P](b)
		if grown := allocated() - before; grown > allocationLimit(len(b)) {
			t.Fatalf("parsing %d bytes allocates %d", len(b), grown)
		}
		if err != nil {
			if !errors.Is(err, dap.ErrMalformed) {
				t.Fatalf("error %v is not ErrMalformed", err)
			}
			return
		}
		again, err := dap.Marshal(m)
		if err != nil {
			t.Fatalf("encoding what was parsed: %v", err)
		}
		if !bytes.Equal(again, b) {
			t.Fatalf("parsed  %x\nencoded %x", b, again)
		}
	})
}

// allocationLimit is what parsing n bytes may allocate. The worst is a list of
// extensions without data, which grows from 4 bytes each to 32, and is copied
// while it grows; the constant is for the runtime's own.
func allocationLimit(n int) uint64 { return 1<<20 + 64*uint64(n) }

func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

var (
	extensions = []dap.Extension{{Type: 1}, {Type: 0xff43, Data: []byte("data")}}
	fullReport = dap.Report{
		Metadata:    dap.ReportMetadata{ReportID: reportID, Time: 1, Extensions: extensions},
		PublicShare: counting(64),
		Leader:      ciphertext(70),
		Helper:      ciphertext(54),
	}
	responses = dap.AggregationJobResp{
		{ReportID: reportID, Type: dap.VerifyContinued, Payload: []byte{2, 0, 0, 0, 0}},
		{ReportID: reportID, Type: dap.VerifyFinished},
		{ReportID: reportID, Type: dap.VerifyRejected, Error: dap.ErrorReportTooEarly},
	}
	timeIntervalReq = dap.CollectionJobReq{
		Query:                dap.NewTimeIntervalQuery(dap.Interval{Start: 1, Duration: 2}),
		AggregationParameter: []byte{1},
		Extensions:           extensions,
	}
)

func FuzzTaskConfiguration(f *testing.F) { fuzz(f, countTask, sumVecTask) }

func FuzzVDAFConfig(f *testing.F) {
	fuzz(f,
		dap.VDAFConfig{Type: dap.VDAFCount},
		dap.VDAFConfig{Type: dap.VDAFSum, MaxMeasurement: 255},
		dap.VDAFConfig{Type: dap.VDAFSumVec, Length: 4, MaxMeasurement: 4096, ChunkLength: 18},
		dap.VDAFConfig{Type: dap.VDAFHistogram, Length: 4, ChunkLength: 2},
		dap.VDAFConfig{Type: dap.VDAFMultihotCountVec, Length: 4, ChunkLength: 2, MaxWeight: 3})
}

func FuzzInterval(f *testing.F)       { fuzz(f, dap.Interval{Start: 480000, Duration: 24}) }
func FuzzBatchID(f *testing.F)        { fuzz(f, batchID) }
func FuzzExtension(f *testing.F)      { fuzz(f, extensions...) }
func FuzzHpkeConfig(f *testing.F)     { fuzz(f, hpkeConfig) }
func FuzzHpkeCiphertext(f *testing.F) { fuzz(f, ciphertext(1)) }

func FuzzHpkeConfigList(f *testing.F) {
	second := hpkeConfig
	second.ID++
	fuzz(f, dap.HpkeConfigList{hpkeConfig}, dap.HpkeConfigList{second, hpkeConfig})
}

func FuzzReportMetadata(f *testing.F) { fuzz(f, metadata, fullReport.Metadata) }
func FuzzReport(f *testing.F)         { fuzz(f, fullReport) }

func FuzzPlaintextInputShare(f *testing.F) {
	fuzz(f, dap.PlaintextInputShare{Payload: counting(32)}, dap.PlaintextInputShare{Extensions: extensions, Payload: []byte{0}})
}

func FuzzReportUploadStatus(f *testing.F) {
	fuzz(f, dap.ReportUploadStatus{ReportID: reportID, Error: dap.ErrorOutdatedConfig})
}

func FuzzUploadErrors(f *testing.F) {
	fuzz(f, nil, dap.UploadErrors{{ReportID: reportID, Error: 1}, {ReportID: reportID, Error: 255}})
}

func FuzzUploadRequest(f *testing.F) {
	fuzz(f, nil, dap.UploadRequest{fullReport}, dap.UploadRequest{fullReport, fullReport})
}

func FuzzReportShare(f *testing.F) { fuzz(f, verifyInit.ReportShare) }
func FuzzVerifyInit(f *testing.F)  { fuzz(f, verifyInit) }

func FuzzAggregationJobInitReq(f *testing.F) {
	fuzz(f, dap.AggregationJobInitReq{}, dap.AggregationJobInitReq{
		VerificationKeyID:    7,
		AggregationParameter: []byte{1},
		Extensions:           []dap.Extension{dap.NewBatchIDExtension(batchID)},
		VerifyInits:          []dap.VerifyInit{verifyInit, verifyInit},
	})
}

func FuzzVerifyResp(f *testing.F)         { fuzz(f, responses...) }
func FuzzAggregationJobResp(f *testing.F) { fuzz(f, nil, responses) }

func FuzzVerifyContinue(f *testing.F) {
	fuzz(f, dap.VerifyContinue{ReportID: reportID, Payload: []byte{2, 0, 0, 0, 0}})
}

func FuzzAggregationJobContinueReq(f *testing.F) {
	fuzz(f, dap.AggregationJobContinueReq{}, dap.AggregationJobContinueReq{
		Step:            1,
		VerifyContinues: []dap.VerifyContinue{{ReportID: reportID, Payload: []byte{2, 0, 0, 0, 0}}},
	})
}

func FuzzQuery(f *testing.F) { fuzz(f, timeIntervalReq.Query, dap.NewLeaderSelectedQuery()) }

func FuzzBatchSelector(f *testing.F) {
	fuzz(f, dap.NewTimeIntervalSelector(dap.Interval{Start: 1, Duration: 2}), dap.NewLeaderSelectedSelector(batchID))
}

func FuzzCollectionJobReq(f *testing.F) {
	fuzz(f, timeIntervalReq, dap.CollectionJobReq{Query: dap.NewLeaderSelectedQuery()})
}

func FuzzCollectionJobResp(f *testing.F) {
	fuzz(f, dap.CollectionJobResp{ReportCount: 10, Leader: ciphertext(24), Helper: ciphertext(24)})
}

func FuzzAggregateShareReq(f *testing.F) {
	fuzz(f, dap.AggregateShareReq{
		CollectionJobReq: timeIntervalReq,
		BatchSelector:    dap.NewTimeIntervalSelector(dap.Interval{Start: 1, Duration: 2}),
		ReportCount:      10,
		Checksum:         twoIDChecksum,
	}, dap.AggregateShareReq{
		CollectionJobReq: dap.CollectionJobReq{Query: dap.NewLeaderSelectedQuery()},
		BatchSelector:    dap.NewLeaderSelectedSelector(batchID),
	})
}

// FuzzNextReport compares reading a request report by report with parsing it.
func FuzzNextReport(f *testing.F) {
	b, err := dap.Marshal(dap.UploadRequest{fullReport, fullReport})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(b[:len(b)-1])
	f.Fuzz(func(t *testing.T, content []byte) {
		want, wantErr := dap.Parse[dap.UploadRequest](content)
		var joined []byte
		var n int
		var err error
		for rest := content; len(rest) > 0; n++ {
			var raw []byte
			var report dap.Report
			report, raw, rest, err = dap.NextReport(rest)
			if err != nil {
				break
			}
			metadata, err := dap.SplitMetadata(raw)
			if err != nil {
				t.Fatalf("metadata of report %d: %v", n, err)
			}
			encoded, err := dap.Marshal(report.Metadata)
			if err != nil || !bytes.Equal(encoded, metadata) {
				t.Fatalf("metadata of report %d is %x, encodes to %x, error %v", n, metadata, encoded, err)
			}
			joined = append(joined, raw...)
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("report by report: error %v, at once: %v", err, wantErr)
		}
		if err == nil && (n != len(want) || !bytes.Equal(joined, content)) {
			t.Fatalf("report by report: %d reports, at once: %d", n, len(want))
		}
	})
}

// FuzzSplitCollectionJobReq checks that the cut-off request is the embedded one.
func FuzzSplitCollectionJobReq(f *testing.F) {
	b, err := dap.Marshal(dap.AggregateShareReq{
		CollectionJobReq: timeIntervalReq,
		BatchSelector:    dap.NewLeaderSelectedSelector(batchID),
	})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		req, err := dap.Parse[dap.AggregateShareReq](b)
		if err != nil {
			return
		}
		got, err := dap.SplitCollectionJobReq(b)
		if err != nil {
			t.Fatal(err)
		}
		if want, err := dap.Marshal(req.CollectionJobReq); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("cut off %x, want %x, error %v", got, want, err)
		}
	})
}

// FuzzParseID checks that an identifier has one text.
func FuzzParseID(f *testing.F) {
	f.Add(taskID.String())
	f.Add(reportID.String())
	f.Add(taskID.String() + "=")
	f.Add("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9")
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := dap.ParseTaskID(text); err == nil && id.String() != text {
			t.Fatalf("%q is %v", text, id)
		}
		if id, err := dap.ParseReportID(text); err == nil && id.String() != text {
			t.Fatalf("%q is %v", text, id)
		}
	})
}

// FuzzProblem checks that a problem document that we would write is read back
// the same.
func FuzzProblem(f *testing.F) {
	for _, p := range problems() {
		b, err := json.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(`{"type":"urn:ietf:params:ppm:dap:error:invented","status":"400"}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		p, err := dap.ParseProblem(content)
		if err != nil {
			if !errors.Is(err, dap.ErrMalformed) {
				t.Fatalf("error %v is not ErrMalformed", err)
			}
			return
		}
		b, err := json.Marshal(p)
		if err != nil {
			return // a type that we must not send
		}
		again, err := dap.ParseProblem(b)
		if err != nil {
			t.Fatalf("reading what was written: %v", err)
		}
		if b2, err := json.Marshal(again); err != nil || !bytes.Equal(b, b2) {
			t.Fatalf("written %s, then %s, error %v", b, b2, err)
		}
	})
}

func FuzzMediaTypeMessage(f *testing.F) {
	f.Add(dap.MediaTypeUploadReq)
	f.Add(`application/ppm-dap; version="09"; message=upload-req`)
	f.Fuzz(func(t *testing.T, contentType string) {
		message, err := dap.MediaTypeMessage(contentType)
		if (message == "") != (err != nil) {
			t.Fatalf("message %q with error %v", message, err)
		}
	})
}
