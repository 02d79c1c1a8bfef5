package aggregatortest_test

import (
	"testing"

	"candor/aggregator"
	"candor/aggregator/aggregatortest"
	"candor/crypto/prio3"
	"candor/schema/dap"
	"candor/schema/round"
)

// What a round's report of 26 cells of 21 bits costs an Aggregator, step by step: `go test -bench ReportCost ./aggregator/aggregatortest`. The signature is one Ed25519 verification and one hash pass
// over metadata, public share and input share; one for each role.
func BenchmarkReportCost(b *testing.B) {
	c := aggregatortest.NewCoalition(b, 12, 26, nil)
	report := c.Report(aggregatortest.Submission{Member: 0})
	roster := c.Document.Roster[0]
	for _, role := range []dap.Role{dap.Leader, dap.Helper} {
		ring, ct, key := c.Keys.Leader, report.Leader, c.LeaderHPKE
		task, agg := c.Keys.LeaderTask(c.Task), prio3.Leader
		if role == dap.Helper {
			ring, ct, key, task, agg = c.Keys.Helper, report.Helper, c.HelperHPKE, c.Keys.HelperTask(c.Task), prio3.Helper
		}
		if err := task.Check(); err != nil {
			b.Fatal(err)
		}
		metadata := ok(dap.Marshal(report.Metadata))
		aad := dap.InputShareAAD(c.Task.ID, c.Task.Encoded, metadata, report.PublicShare)
		share := ok(dap.Parse[dap.PlaintextInputShare](ok(key.Open(ct.Enc, dap.InputShareInfo(role), aad, ct.Payload))))
		b.Run(role.String()+"/hpke_open_xwing", func(b *testing.B) {
			for b.Loop() {
				if _, err := key.Open(ct.Enc, dap.InputShareInfo(role), aad, ct.Payload); err != nil {
					b.Fatal(err)
				}
			}
		})
		public := c.Members[0].PublicKey()
		if public.String() != roster.Key {
			b.Fatal("the first key is not the first member's")
		}
		b.Run(role.String()+"/signature", func(b *testing.B) {
			for b.Loop() {
				if err := round.VerifyReport(public, role, c.Task.ID, metadata, report.PublicShare, share.Extensions, share.Payload); err != nil {
					b.Fatal(err)
				}
			}
		})
		judge := aggregator.Judge{Role: role, Keys: ring}
		opened := ok(judge.OpenAgain(task, aggregator.ReportView{Metadata: report.Metadata, Encoded: metadata, PublicShare: report.PublicShare, Ciphertext: ct}))
		if role == dap.Helper {
			opened.Inbound = c.Keys.VerifyReports(b, c.Task, nil, report).Request.VerifyInits[0].Payload
		}
		b.Run(role.String()+"/verify", func(b *testing.B) {
			batch := []prio3.Report{opened}
			task.WithVerifier(agg, 0, func(w *prio3.Verifier) {
				for b.Loop() {
					if role == dap.Leader {
						w.LeaderInit(batch)
					} else if err := w.HelperInit(batch)[0].Err; err != nil {
						b.Fatal(err)
					}
				}
			})
		})
	}
}
