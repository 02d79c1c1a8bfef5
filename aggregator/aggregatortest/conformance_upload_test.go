package aggregatortest_test

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"candor/aggregator"
	"candor/aggregator/aggregatortest"
	"candor/aggregator/leader"
	"candor/schema/dap"
	"candor/schema/round"
)

// uploadRaw uploads bytes as they are.
func uploadRaw(d *aggregatortest.Deployment, task *round.Task, body []byte) aggregatortest.Reply {
	return d.Ask(http.MethodPost, d.LeaderURL(task, "reports"), dap.MediaTypeUploadReq, "", body)
}

func TestConformance_073_Upload(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	report := func(spec aggregatortest.ReportSpec) dap.Report {
		if spec.Measurement == nil {
			spec.Measurement = one
		}
		if spec.Time == 0 {
			spec.Time = start
		}
		return d.Keys.NewReport(t, task, spec)
	}
	stored := func() uint64 { return d.Counters(task)[aggregator.CounterUploaded] }

	t.Run("item-074 malformed request", func(t *testing.T) {
		whole := ok(dap.Marshal(report(aggregatortest.ReportSpec{})))
		before := stored()
		for _, body := range [][]byte{{0}, whole[:len(whole)-1], append(slices.Clone(whole), 1), append(slices.Clone(whole), whole[:40]...)} {
			wantProblem(t, uploadRaw(d, task, body), dap.InvalidMessage)
		}
		if stored() != before {
			t.Error("reports of a malformed request were stored")
		}
	})
	t.Run("item-075 unknown task", func(t *testing.T) {
		other := aggregatortest.NewRoundTask(t, aggregatortest.TaskSpec{})
		wantProblem(t, uploadRaw(d, other, ok(dap.Marshal(report(aggregatortest.ReportSpec{})))), dap.UnrecognizedTask)
	})
	t.Run("item-076 all accepted", func(t *testing.T) {
		r := uploadRaw(d, task, ok(dap.Marshal(dap.UploadRequest{report(aggregatortest.ReportSpec{}), report(aggregatortest.ReportSpec{})})))
		if r.Status != 200 || len(r.Body) != 0 {
			t.Fatalf("status %d, %d bytes, want 200 and none", r.Status, len(r.Body))
		}
	})
	t.Run("empty request", func(t *testing.T) { // appendix C-12
		if r := uploadRaw(d, task, nil); r.Status != 200 || len(r.Body) != 0 {
			t.Fatalf("status %d, %d bytes, want 200 and none", r.Status, len(r.Body))
		}
	})
	t.Run("item-077 item-078 item-079 item-080 some refused", func(t *testing.T) {
		good, late := report(aggregatortest.ReportSpec{}), report(aggregatortest.ReportSpec{Time: start + 5})
		outdated := report(aggregatortest.ReportSpec{})
		outdated.Leader.ConfigID = 99
		extended := report(aggregatortest.ReportSpec{Public: []dap.Extension{{Type: 9}}})
		before := stored()
		r := uploadRaw(d, task, ok(dap.Marshal(dap.UploadRequest{extended, good, late, good, outdated})))
		if r.Status != 200 || r.Header.Get("Content-Type") != dap.MediaTypeUploadErrors {
			t.Fatalf("status %d, content type %q", r.Status, r.Header.Get("Content-Type"))
		}
		wantRefused(t, ok(dap.Parse[dap.UploadErrors](r.Body)),
			dap.ReportUploadStatus{ReportID: extended.Metadata.ReportID, Error: dap.ErrorInvalidMessage},
			dap.ReportUploadStatus{ReportID: late.Metadata.ReportID, Error: dap.ErrorReportTooEarly},
			dap.ReportUploadStatus{ReportID: good.Metadata.ReportID, Error: dap.ErrorReportReplayed}, // its second copy: appendix C-20
			dap.ReportUploadStatus{ReportID: outdated.Metadata.ReportID, Error: dap.ErrorOutdatedConfig})
		if stored() != before+1 {
			t.Errorf("%d reports stored, want 1", stored()-before)
		}
	})
	t.Run("item-081 unknown HPKE configuration", func(t *testing.T) {
		r := report(aggregatortest.ReportSpec{})
		r.Leader.ConfigID = 99
		wantRefused(t, d.UploadReports(task, r), dap.ReportUploadStatus{ReportID: r.Metadata.ReportID, Error: dap.ErrorOutdatedConfig})
	})
	t.Run("item-073 item-082 item-083 uploaded again", func(t *testing.T) {
		r := report(aggregatortest.ReportSpec{})
		other := report(aggregatortest.ReportSpec{ID: r.Metadata.ReportID})
		before := stored()
		wantRefused(t, d.UploadReports(task, r))
		for _, again := range []dap.Report{r, other} {
			wantRefused(t, d.UploadReports(task, again), dap.ReportUploadStatus{ReportID: r.Metadata.ReportID, Error: dap.ErrorReportReplayed})
		}
		if stored() != before+1 {
			t.Errorf("%d copies stored, want 1", stored()-before)
		}
	})
	t.Run("item-088 item-089 item-090 time in the future", func(t *testing.T) {
		d := aggregatortest.New(t, aggregatortest.Options{Leader: leader.Config{Skew: 3 * time.Minute}}, aggregatortest.TaskSpec{Precision: 60})
		task := d.Tasks[0]
		now := d.Now(task)
		for _, c := range []struct {
			ahead dap.Time
			want  dap.ReportError
		}{{0, 0}, {3, 0}, {4, dap.ErrorReportTooEarly}, {1 << 40, dap.ErrorReportTooEarly}} {
			r := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: now + c.ahead})
			got := d.UploadReports(task, r)
			if c.want == 0 && len(got) != 0 || c.want != 0 && (len(got) != 1 || got[0].Error != c.want) {
				t.Errorf("%d minutes ahead with 3 of tolerance: refused %v, want error %d", c.ahead, got, c.want)
			}
		}
	})
	t.Run("item-091 item-095 extensions", func(t *testing.T) {
		d := aggregatortest.New(t, aggregatortest.Options{Leader: leader.Config{OpenUploads: true}}, aggregatortest.TaskSpec{})
		task := d.Tasks[0]
		for name, spec := range map[string]aggregatortest.ReportSpec{
			"unknown public":      {Public: []dap.Extension{{Type: 9}}},
			"unknown private":     {LeaderPrivate: []dap.Extension{{Type: 9}}},
			"repeated public":     {Public: []dap.Extension{{Type: 9}, {Type: 9}}},
			"repeated private":    {LeaderPrivate: []dap.Extension{{Type: 9}, {Type: 9}}},
			"public and private":  {Public: []dap.Extension{{Type: 9}}, LeaderPrivate: []dap.Extension{{Type: 9}}},
			"public out of order": {Public: []dap.Extension{{Type: 9}, {Type: 8}}},
		} {
			spec.Measurement, spec.Time = one, start
			r := d.Keys.NewReport(t, task, spec)
			if got := d.UploadReports(task, r); len(got) != 1 || got[0].Error != dap.ErrorInvalidMessage {
				t.Errorf("%s: refused %v, want invalid_message", name, got)
			}
		}
		undecryptable := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start})
		undecryptable.Leader.Payload[0] ^= 1
		if got := d.UploadReports(task, undecryptable); len(got) != 1 || got[0].Error != dap.ErrorHpkeDecryptError {
			t.Errorf("undecryptable: refused %v, want hpke_decrypt_error", got)
		}
		if n := d.Counters(task)[aggregator.CounterUploaded]; n != 0 {
			t.Errorf("%d bad reports were stored", n)
		}
	})
	t.Run("item-097 two uploads of one ID at once", func(t *testing.T) {
		r := report(aggregatortest.ReportSpec{})
		body := ok(dap.Marshal(r))
		before := stored()
		var wg sync.WaitGroup
		accepted := make(chan bool, 8)
		for range cap(accepted) {
			wg.Go(func() { accepted <- len(uploadRaw(d, task, body).Body) == 0 })
		}
		wg.Wait()
		close(accepted)
		n := 0
		for a := range accepted {
			if a {
				n++
			}
		}
		if n != 1 || stored() != before+1 {
			t.Errorf("%d uploads were accepted and %d reports stored, want one", n, stored()-before)
		}
	})
}

func TestConformance_084_UploadToCollectedBatch(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
	task := d.Tasks[0]
	d.Upload(task, one, zero, one)
	got, err := d.Collect(task, dap.NewTimeIntervalQuery(dap.Interval{Start: start - 2, Duration: 3}))
	wantResult(t, got, err, 3, 2)
	t.Run("item-084 item-085 discarded as replayed", func(t *testing.T) {
		before := d.Counters(task)[aggregator.CounterUploaded]
		// Empty buckets of the interval are collected too.
		for _, at := range []dap.Time{start, start - 1} {
			late := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: at})
			wantRefused(t, d.UploadReports(task, late), dap.ReportUploadStatus{ReportID: late.Metadata.ReportID, Error: dap.ErrorReportReplayed})
		}
		if n := d.Counters(task)[aggregator.CounterUploaded]; n != before {
			t.Errorf("%d reports of a collected batch were stored", n-before)
		}
	})
}

func TestConformance_086_UploadOutsideTaskInterval(t *testing.T) {
	d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{Interval: &dap.Interval{Start: start - 1, Duration: 2}})
	task := d.Tasks[0]
	for _, c := range []struct {
		name string
		at   dap.Time
		want dap.ReportError
	}{
		{"item-086 item-087 before", start - 2, dap.ErrorReportDropped},
		{"item-086 item-087 at the end", start + 1, dap.ErrorReportDropped},
		{"item-086 item-087 long after", start + 1000, dap.ErrorReportDropped},
		{"item-035 at the start", start - 1, 0},
		{"item-035 last unit", start, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: c.at})
			got := d.UploadReports(task, r)
			if c.want == 0 && len(got) != 0 || c.want != 0 && (len(got) != 1 || got[0].Error != c.want) {
				t.Errorf("refused %v, want error %d", got, c.want)
			}
		})
	}
}
