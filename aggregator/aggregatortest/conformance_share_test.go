package aggregatortest_test

import (
	"fmt"
	"testing"
	"time"

	"candor/aggregator"
	"candor/aggregator/aggregatortest"
	"candor/aggregator/leader"
	"candor/schema/dap"
)

// Both Aggregators judge their share of a report by the same rules; each case is played for the Leader and for the Helper.
func TestConformance_098_InputShares(t *testing.T) {
	keys := aggregatortest.NewKeys(t)
	vdaf := aggregatortest.Variants()[3].VDAF
	task := aggregatortest.NewRoundTask(t, aggregatortest.TaskSpec{VDAF: vdaf, Interval: &dap.Interval{Start: start - 10, Duration: 20}})
	now := aggregatortest.Start.Add(3 * time.Hour)
	ext := func(types ...uint16) (list []dap.Extension) {
		for _, x := range types {
			list = append(list, dap.Extension{Type: x, Data: []byte{1}})
		}
		return list
	}
	type spec = aggregatortest.ReportSpec
	cases := []struct {
		name  string
		spec  spec
		after func(r *dap.Report, ct *dap.HpkeCiphertext)
		want  dap.ReportError
	}{
		{name: "item-098 valid"},
		{name: "item-099 unknown configuration", after: func(_ *dap.Report, ct *dap.HpkeCiphertext) { ct.ConfigID++ }, want: dap.ErrorHpkeDecryptError},
		{name: "item-100 altered ciphertext", after: func(_ *dap.Report, ct *dap.HpkeCiphertext) { ct.Payload[5] ^= 1 }, want: dap.ErrorHpkeDecryptError},
		{name: "item-100 altered encapsulated key", after: func(_ *dap.Report, ct *dap.HpkeCiphertext) { ct.Enc[5] ^= 1 }, want: dap.ErrorHpkeDecryptError},
		{name: "item-100 encapsulated key of another length", after: func(_ *dap.Report, ct *dap.HpkeCiphertext) { ct.Enc = ct.Enc[1:] }, want: dap.ErrorHpkeDecryptError},
		{name: "item-100 altered time", after: func(r *dap.Report, _ *dap.HpkeCiphertext) { r.Metadata.Time-- }, want: dap.ErrorHpkeDecryptError},
		{name: "item-100 altered report ID", after: func(r *dap.Report, _ *dap.HpkeCiphertext) { r.Metadata.ReportID[0] ^= 1 }, want: dap.ErrorHpkeDecryptError},
		{name: "item-100 altered public share", after: func(r *dap.Report, _ *dap.HpkeCiphertext) { r.PublicShare[0] ^= 1 }, want: dap.ErrorHpkeDecryptError},
		{name: "item-100 other task ID", spec: spec{Bound: func(id *dap.TaskID, _, _, _ *[]byte) { id[0] ^= 1 }}, want: dap.ErrorHpkeDecryptError},
		{name: "item-101 sealed for the other role", spec: spec{SwapRoles: true}, want: dap.ErrorHpkeDecryptError},
		{name: "item-102 input share too short", spec: spec{Plaintext: func(_ dap.Role, b []byte) []byte { return withPayload(b, func(p []byte) []byte { return p[1:] }) }}, want: dap.ErrorInvalidMessage},
		{name: "item-102 input share too long", spec: spec{Plaintext: func(_ dap.Role, b []byte) []byte {
			return withPayload(b, func(p []byte) []byte { return append(p, 0) })
		}}, want: dap.ErrorInvalidMessage},
		{name: "item-102 plaintext with trailing byte", spec: spec{Plaintext: func(_ dap.Role, b []byte) []byte { return append(b, 0) }}, want: dap.ErrorInvalidMessage},
		{name: "item-102 plaintext cut off", spec: spec{Plaintext: func(_ dap.Role, b []byte) []byte { return b[:len(b)-1] }}, want: dap.ErrorInvalidMessage},
		{name: "item-102 public share of another length", spec: spec{Bound: func(_ *dap.TaskID, _, _, p *[]byte) { *p = (*p)[1:] }},
			after: func(r *dap.Report, _ *dap.HpkeCiphertext) { r.PublicShare = r.PublicShare[1:] }, want: dap.ErrorInvalidMessage},
		{name: "item-103 time ahead", spec: spec{Time: start + 4}, want: dap.ErrorReportTooEarly},
		{name: "item-103 time ahead within tolerance", spec: spec{Time: start + 3}},
		{name: "item-104 item-044 before the task interval", spec: spec{Time: start - 11}, want: dap.ErrorTaskNotStarted},
		{name: "item-035 first unit of the task interval", spec: spec{Time: start - 10}},
		{name: "item-106 unknown public extension", spec: spec{Public: ext(5)}, want: dap.ErrorInvalidMessage},
		{name: "item-107 unknown private extension", spec: spec{LeaderPrivate: ext(5), HelperPrivate: ext(5)}, want: dap.ErrorInvalidMessage},
		{name: "item-108 public and private", spec: spec{Public: ext(5), LeaderPrivate: ext(5), HelperPrivate: ext(5)}, want: dap.ErrorInvalidMessage},
		{name: "item-109 twice in the public list", spec: spec{Public: ext(5, 5)}, want: dap.ErrorInvalidMessage},
		{name: "item-109 twice in the private list", spec: spec{LeaderPrivate: ext(5, 5), HelperPrivate: ext(5, 5)}, want: dap.ErrorInvalidMessage},
		{name: "item-110 public list out of order", spec: spec{Public: ext(6, 5)}, want: dap.ErrorInvalidMessage},
		{name: "item-111 private list out of order", spec: spec{LeaderPrivate: ext(6, 5), HelperPrivate: ext(6, 5)}, want: dap.ErrorInvalidMessage},
	}
	// A configuration that differs in any byte makes decryption fail.
	for i := range task.Encoded {
		cases = append(cases, struct {
			name  string
			spec  spec
			after func(r *dap.Report, ct *dap.HpkeCiphertext)
			want  dap.ReportError
		}{name: fmt.Sprintf("item-100 task configuration differs in byte %d", i), want: dap.ErrorHpkeDecryptError,
			spec: spec{Bound: func(_ *dap.TaskID, c, _, _ *[]byte) { *c = append([]byte(nil), *c...); (*c)[i] ^= 1 }}})
	}
	for _, role := range []dap.Role{dap.Leader, dap.Helper} {
		at := keys.HelperTask(task)
		judge := aggregator.Judge{Role: role, Keys: keys.Helper, Skew: 5 * time.Minute}
		if role == dap.Leader {
			at, judge.Keys = keys.LeaderTask(task), keys.Leader
		}
		if err := at.Check(); err != nil {
			t.Fatal(err)
		}
		for _, c := range cases {
			t.Run(c.name+" "+role.String(), func(t *testing.T) {
				c.spec.Measurement = []uint64{3}
				if c.spec.Time == 0 {
					c.spec.Time = start
				}
				r := keys.NewReport(t, task, c.spec)
				ct := &r.Helper
				if role == dap.Leader {
					ct = &r.Leader
				}
				if c.after != nil {
					c.after(&r, ct)
				}
				v := aggregatortest.HelperView(t, r)
				if role == dap.Leader {
					v = aggregatortest.LeaderView(t, r)
				}
				_, err := judge.Open(at, v, now)
				if c.want == 0 && err != nil || c.want != 0 && err != error(c.want) {
					t.Errorf("error %v, want %v", err, c.want)
				}
			})
		}
		t.Run("item-105 item-044 at the end of the task interval "+role.String(), func(t *testing.T) {
			r := keys.NewReport(t, task, spec{Measurement: []uint64{3}, Time: start + 10})
			v := aggregatortest.HelperView(t, r)
			if role == dap.Leader {
				v = aggregatortest.LeaderView(t, r)
			}
			if _, err := judge.Open(at, v, now.Add(24*time.Hour)); err != error(dap.ErrorTaskExpired) {
				t.Errorf("error %v, want %v", err, dap.ErrorTaskExpired)
			}
		})
	}
}

// withPayload alters the payload of an encoded PlaintextInputShare without extensions.
func withPayload(plaintext []byte, alter func([]byte) []byte) []byte {
	share := ok(dap.Parse[dap.PlaintextInputShare](plaintext))
	share.Payload = alter(append([]byte(nil), share.Payload...))
	return ok(dap.Marshal(share))
}

// A report whose share does not open is refused before verification is begun: the Leader does not mention it, and the Helper answers with the code of
// the share although the Leader's verifier share is garbage, which verification would refuse with another.
func TestConformance_113_JudgedBeforeVerification(t *testing.T) {
	t.Run("item-113 item-159 Helper", func(t *testing.T) {
		d := aggregatortest.New(t, aggregatortest.Options{}, aggregatortest.TaskSpec{})
		task := d.Tasks[0]
		bad := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start})
		bad.Helper.Payload[0] ^= 1
		job := d.Keys.VerifyReports(t, task, nil, bad)
		job.Request.VerifyInits[0].Payload = []byte("garbage")
		resp := ok(dap.Parse[dap.AggregationJobResp](d.PostJob(task, ok(dap.Marshal(job.Request))).Body))
		if len(resp) != 1 || resp[0].Type != dap.VerifyRejected || resp[0].Error != dap.ErrorHpkeDecryptError {
			t.Fatalf("response %+v, want rejected with hpke_decrypt_error", resp)
		}
	})
	t.Run("item-113 item-118 Leader", func(t *testing.T) {
		d := aggregatortest.New(t, aggregatortest.Options{Leader: leader.Config{MaxJobDelay: time.Second}}, aggregatortest.TaskSpec{})
		task := d.Tasks[0]
		bad := d.Keys.NewReport(t, task, aggregatortest.ReportSpec{Measurement: one, Time: start})
		bad.Leader.Payload[0] ^= 1
		wantRefused(t, d.UploadReports(task, bad))
		d.Net.Log()
		d.Settle(5)
		if log := d.Net.Log(); len(log) != 0 {
			t.Errorf("the Helper was asked: %s %s", log[0].Method, log[0].URL)
		}
		if n := d.Counters(task)[aggregator.CounterRejected+"hpke_decrypt_error"]; n != 1 {
			t.Errorf("%d reports rejected with hpke_decrypt_error, want 1: %v", n, d.Counters(task))
		}
	})
}
