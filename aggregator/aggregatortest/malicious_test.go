package aggregatortest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"candor/aggregator"
	"candor/aggregator/aggregatortest"
	"candor/aggregator/store"
	"candor/client"
	"candor/crypto/seal"
	"candor/crypto/sign"
	"candor/schema/dap"
	"candor/schema/release"
	"candor/schema/round"
	"candor/schema/round/roundtest"
)

// The attacks of docs/threat-model.md, played against the real roles. After each, honest members' batch completes where it can.

const members = 12

// honest checks that the batch of all members' honest reports completes, each with the value 100.
func honest(t *testing.T, c *aggregatortest.Coalition, contributors int) {
	t.Helper()
	figures, result, err := c.Figures()
	if err != nil {
		t.Fatalf("the honest batch does not complete: %v", err)
	}
	if result.ReportCount != uint64(contributors) || figures[0] != int64(100*contributors) {
		t.Errorf("%d reports with the sum %d, want %d and %d", result.ReportCount, figures[0], contributors, 100*contributors)
	}
}

// offer sends reports to the Helper as a malicious Leader would and returns its answers.
func offer(t *testing.T, c *aggregatortest.Coalition, reports ...dap.Report) dap.AggregationJobResp {
	t.Helper()
	body, err := dap.Marshal(c.Keys.VerifyReports(t, c.Task, nil, reports...).Request)
	if err != nil {
		t.Fatal(err)
	}
	reply := c.PostJob(c.Task, body)
	if reply.Status != http.StatusOK {
		t.Fatalf("the Helper answers %d, %s", reply.Status, reply.Body)
	}
	resp, err := dap.Parse[dap.AggregationJobResp](reply.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func wantRejected(t *testing.T, resp dap.AggregationJobResp, want dap.ReportError) {
	t.Helper()
	for _, r := range resp {
		if r.Type != dap.VerifyRejected || r.Error != want {
			t.Errorf("report %s: type %d, %v; want it rejected as %v", r.ReportID, r.Type, r.Error, want)
		}
	}
}

// askShare asks the Helper for its share of the whole window.
func askShare(t *testing.T, c *aggregatortest.Coalition, interval dap.Interval, count uint64, checksum [32]byte) []byte {
	t.Helper()
	body, err := dap.Marshal(dap.AggregateShareReq{CollectionJobReq: dap.CollectionJobReq{Query: dap.NewTimeIntervalQuery(interval)},
		BatchSelector: dap.NewTimeIntervalSelector(interval), ReportCount: count, Checksum: checksum})
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func TestMaliciousLeaderForgesReportsOfMembers(t *testing.T) {
	c := aggregatortest.NewCoalition(t, members, 1, nil)
	c.SendAll(0, members)
	forged := []dap.Report{
		c.Report(aggregatortest.Submission{Member: 0, Key: roundtest.NewKey(t)}), // signed by a key of its own
		c.Report(aggregatortest.Submission{Member: 1, Without: true}),
		c.Report(aggregatortest.Submission{Member: 2, As: "m999"}), // invented members: the Sybil attack
		c.Report(aggregatortest.Submission{Member: 3, Role: dap.Leader}),
	}
	c.CloseWindow()
	wantRejected(t, offer(t, c, forged...), dap.ErrorInvalidMessage)
	honest(t, c, members)
}

func TestMaliciousLeaderSwapsTheHelpersShare(t *testing.T) {
	c := aggregatortest.NewCoalition(t, members, 1, nil)
	c.SendAll(0, members)
	// Two valid reports of one member, the second with the member's own share for the Helper of the first.
	a, b := c.Report(aggregatortest.Submission{Member: 0, Correction: 1}), c.Report(aggregatortest.Submission{Member: 0, Correction: 2})
	a.Helper = b.Helper
	// A share that the Leader made itself, sealed correctly for another report's metadata, with a signature that it has seen.
	made := c.Keys.NewReport(t, c.Task, aggregatortest.ReportSpec{Measurement: []uint64{64}, Time: b.Metadata.Time, Public: b.Metadata.Extensions,
		HelperPrivate: []dap.Extension{{Type: dap.ReportExtensionSignature, Data: make([]byte, sign.SignatureSize)}},
		LeaderPrivate: []dap.Extension{{Type: dap.ReportExtensionSignature, Data: make([]byte, sign.SignatureSize)}}})
	c.CloseWindow()
	wantRejected(t, offer(t, c, a), dap.ErrorHpkeDecryptError)
	wantRejected(t, offer(t, c, made), dap.ErrorInvalidMessage)
	honest(t, c, members)
}

func TestMaliciousLeaderDropsAllButOneMember(t *testing.T) {
	c := aggregatortest.NewCoalition(t, members, 1, nil)
	c.SendAll(1, members)
	target := c.Report(aggregatortest.Submission{Member: 0, Values: []uint64{100}})
	if refused := c.UploadReports(c.Task, target); len(refused) > 0 {
		t.Fatal(refused)
	}
	c.CloseWindow()
	if resp := offer(t, c, target); resp[0].Type != dap.VerifyContinued {
		t.Fatalf("an honest report is rejected: %v", resp[0].Error)
	}
	wantProblem(t, c.PostShare(c.Task, askShare(t, c, *c.Task.Interval, 1, dap.Checksum(target.Metadata.ReportID))), dap.InvalidBatchSize)
}

func TestMaliciousLeaderReplaysReportsOfAnotherRound(t *testing.T) {
	c := aggregatortest.NewCoalition(t, members, 1, func(d *round.Document) {
		second := d.Parts[0]
		second.Name, second.Instrument = "counts", "other"
		d.Parts = append(d.Parts, second)
	})
	c.SendAll(0, members)
	first, second := c.Task, c.Tasks[1]
	replayed := c.Report(aggregatortest.Submission{Member: 0})
	c.CloseWindow()
	c.Task = second
	wantRejected(t, offer(t, c, replayed), dap.ErrorHpkeDecryptError)
	c.Task = first
	honest(t, c, members)
}

func TestMaliciousLeaderForwardsAnOlderCorrection(t *testing.T) {
	c := aggregatortest.NewCoalition(t, members, 1, nil)
	older := c.Report(aggregatortest.Submission{Member: 0, Values: []uint64{1}})
	if refused := c.UploadReports(c.Task, older); len(refused) > 0 {
		t.Fatal(refused)
	}
	if code := c.Send(aggregatortest.Submission{Member: 0, Correction: 1, Values: []uint64{100}}); code != 0 {
		t.Fatal(code)
	}
	c.CloseWindow()
	if resp := offer(t, c, older); resp[0].Type != dap.VerifyContinued {
		t.Fatalf("the Helper cannot know that there is a newer one, and rejects: %v", resp[0].Error)
	}
	leader, helper := receipt(t, c, "leader", 0), receipt(t, c, "helper", 0)
	if leader.Correction != 1 || helper.Correction != 0 || !helper.Aggregated || helper.Report != older.Metadata.ReportID.String() {
		t.Errorf("the receipts are %+v and %+v: the member cannot see that the older report was counted", leader, helper)
	}
}

func TestMaliciousHelperLiesAboutTheCount(t *testing.T) {
	c := aggregatortest.NewCoalition(t, members, 1, nil)
	c.SendAll(0, members)
	c.CloseWindow()
	statements := collectStatements(t, c)
	if err := release.Agree(statements[0].Statement, statements[1].Statement); err != nil {
		t.Fatalf("honest statements differ: %v", err)
	}
	lie := statements[1].Statement
	lie.Reports--
	if err := release.Agree(statements[0].Statement, lie); err == nil || !strings.Contains(err.Error(), "reports") {
		t.Errorf("statements on different counts agree: %v", err)
	}
	forged := statements[1]
	forged.Reports--
	if forged.Verify(c.Coalition.Helper.PublicKey()) == nil {
		t.Error("a statement that was changed keeps its signature")
	}
}

func TestMaliciousCollectorAsksForOverlappingBatches(t *testing.T) {
	c := aggregatortest.NewCoalition(t, members, 1, nil)
	c.SendAll(0, members)
	honest(t, c, members)
	query := func(interval dap.Interval) []byte {
		body, err := dap.Marshal(dap.CollectionJobReq{Query: dap.NewTimeIntervalQuery(interval)})
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	whole := *c.Task.Interval
	for name, interval := range map[string]dap.Interval{
		"all but the first minute": {Start: whole.Start + 1, Duration: whole.Duration - 1},
		"more than the window":     {Start: whole.Start, Duration: whole.Duration + 1},
		"one minute":               {Start: whole.Start, Duration: 1},
	} {
		t.Run(name, func(t *testing.T) { wantProblem(t, c.PostCollection(c.Task, query(interval)), dap.BatchInvalid) })
	}
	if reply := c.PostShare(c.Task, askShare(t, c, whole, members, [32]byte{})); reply.Problem == nil || reply.Problem.Type != dap.BatchOverlap {
		t.Errorf("another request for a collected batch: %d, %s", reply.Status, reply.Body)
	}
}

func TestMaliciousCollectorAndLeaderSplitABatch(t *testing.T) {
	c := aggregatortest.NewCoalition(t, members, 1, nil)
	c.SendAll(0, members)
	c.CloseWindow()
	whole := *c.Task.Interval
	part := dap.Interval{Start: whole.Start, Duration: whole.Duration / 2}
	wantProblem(t, c.PostShare(c.Task, askShare(t, c, part, members, [32]byte{})), dap.BatchInvalid)
	honest(t, c, members)
}

func TestMaliciousMemberVotesTwice(t *testing.T) {
	c := aggregatortest.NewCoalition(t, members, 1, nil)
	c.SendAll(0, members)
	for _, s := range []struct {
		name string
		aggregatortest.Submission
		want dap.ReportError
	}{
		{"the same number again", aggregatortest.Submission{Member: 0, Values: []uint64{999}}, dap.ErrorReportReplayed},
		{"under another member's id", aggregatortest.Submission{Member: 0, As: "m2", Correction: 7}, dap.ErrorInvalidMessage},
		{"as a stranger", aggregatortest.Submission{Member: 0, As: "stranger", Key: roundtest.NewKey(t)}, dap.ErrorInvalidMessage},
		{"with flags of other metrics", aggregatortest.Submission{Member: 0, Correction: 7, Flags: make([]bool, 9)}, dap.ErrorInvalidMessage},
	} {
		t.Run(s.name, func(t *testing.T) {
			if code := c.Send(s.Submission); code != s.want {
				t.Errorf("the Leader answers %v, want %v", code, s.want)
			}
		})
	}
	t.Run("a correction replaces the report before", func(t *testing.T) {
		if code := c.Send(aggregatortest.Submission{Member: 0, Correction: 3, Values: []uint64{100}}); code != 0 {
			t.Fatal(code)
		}
		if code := c.Send(aggregatortest.Submission{Member: 0, Correction: 2}); code != dap.ErrorReportReplayed {
			t.Errorf("an older correction: %v", code)
		}
	})
	twice := []dap.Report{c.Report(aggregatortest.Submission{Member: 1, Correction: 8}), c.Report(aggregatortest.Submission{Member: 1, Correction: 9})}
	honest(t, c, members)
	t.Run("outside the window", func(t *testing.T) {
		if refused := c.UploadReports(c.Task, twice...); len(refused) != 2 || refused[0].Error != dap.ErrorReportDropped {
			t.Errorf("late reports: %v", refused)
		}
	})
}

func TestMaliciousLeaderOffersTwoReportsOfOneMember(t *testing.T) {
	c := aggregatortest.NewCoalition(t, members, 1, nil)
	twice := []dap.Report{c.Report(aggregatortest.Submission{Member: 0}), c.Report(aggregatortest.Submission{Member: 0, Correction: 1})}
	early := offer(t, c, twice[0])
	wantRejected(t, early, dap.ErrorReportTooEarly)
	c.CloseWindow()
	resp := offer(t, c, twice...)
	if resp[0].Type != dap.VerifyContinued {
		t.Errorf("the first is rejected: %v", resp[0].Error)
	}
	wantRejected(t, resp[1:], dap.ErrorReportReplayed)
}

func TestMaliciousMembersOfOneGroupCountOnce(t *testing.T) {
	c := aggregatortest.NewCoalition(t, members, 1, func(d *round.Document) {
		for i := range 4 {
			d.Roster[i].Group = "owner" // 12 members, 9 groups
		}
		d.Roster = append(d.Roster, round.Member{ID: "m13", Name: "Member m13", Group: "m13", Key: roundtest.NewKey(t).PublicKey().String()})
	})
	c.SendAll(0, members)
	_, _, err := c.Figures()
	if err == nil || !strings.Contains(err.Error(), "9 groups") {
		t.Errorf("12 reports of 9 groups with a minimum of 10: %v", err)
	}
	if s := c.Counters(c.Task); s[aggregator.CounterCollected] != 0 {
		t.Errorf("the batch was consumed: %v", s)
	}
}

func TestMaliciousSecretariatOpensACellOfFewGroups(t *testing.T) {
	c := aggregatortest.NewCoalition(t, members, 3, nil)
	for i := range members {
		flags := []bool{true, i < 4, i < 5} // metric b has 4 groups, c has 5
		values := []uint64{100, 0, 0}
		for k := 1; k < 3; k++ {
			if flags[k] {
				values[k] = 7
			}
		}
		if code := c.Send(aggregatortest.Submission{Member: i, Values: values, Flags: flags}); code != 0 {
			t.Fatal(code)
		}
	}
	figures, _, err := c.Figures()
	if err != nil {
		t.Fatal(err)
	}
	if figures[0] != 100*members || figures[2] != 35 {
		t.Errorf("open cells are %d and %d, want %d and 35", figures[0], figures[2], 100*members)
	}
	if figures[1] == 28 {
		t.Error("the cell of four groups was opened")
	}
	for _, s := range statementsOf(t, c) {
		if !slices.Equal(s.Blanked, []uint32{1}) {
			t.Errorf("the %s states that it blanked %v, want cell 1", s.Role, s.Blanked)
		}
	}
}

func TestMaliciousSecretariatOrOperatorChangesTheRound(t *testing.T) {
	c := roundtest.New(t, members, 1)
	trust := c.Trust()
	if err := c.Sign(t).Verify(trust); err != nil {
		t.Fatal(err)
	}
	t.Run("aggregators of its own", func(t *testing.T) {
		own := roundtest.New(t, members, 1)
		own.Secretariat = c.Secretariat
		own.Document.Secretariat = c.Document.Secretariat
		if err := own.Sign(t).Verify(trust); err == nil || !strings.Contains(err.Error(), "the leader") {
			t.Errorf("a round with other aggregators: %v", err)
		}
	})
	t.Run("sock puppets are named to the operators", func(t *testing.T) {
		before := *c.Document
		after := before
		after.Roster = append(slices.Clone(before.Roster), round.Member{ID: "m99", Name: "Sock Puppet Ltd", Group: "m99", Key: roundtest.NewKey(t).PublicKey().String()})
		signed, err := round.NewSigned(&after)
		if err != nil {
			t.Fatal(err)
		}
		if text := signed.Describe(&before); !strings.Contains(text, "Joined: Sock Puppet Ltd") {
			t.Errorf("the operator reads:\n%s", text)
		}
	})
	t.Run("a member's key replaced", func(t *testing.T) {
		after := *c.Document
		after.Roster = slices.Clone(after.Roster)
		after.Roster[0].Key = roundtest.NewKey(t).PublicKey().String()
		signed, err := round.NewSigned(&after)
		if err != nil {
			t.Fatal(err)
		}
		if text := signed.Describe(c.Document); !strings.Contains(text, "New key of Member m1") {
			t.Errorf("the operator reads:\n%s", text)
		}
	})
	t.Run("a document that differs in one byte", func(t *testing.T) {
		c := aggregatortest.NewCoalition(t, members, 1, nil)
		other := *c.Document
		other.Release.FewSD++
		tasks, err := other.Tasks()
		if err != nil {
			t.Fatal(err)
		}
		if tasks[0].ID == c.Task.ID {
			t.Fatal("another document has the same task")
		}
		c.Task = tasks[0]
		body, err := dap.Marshal(dap.UploadRequest{c.Report(aggregatortest.Submission{})})
		if err != nil {
			t.Fatal(err)
		}
		wantProblem(t, c.Ask(http.MethodPost, c.LeaderURL(c.Task, "reports"), dap.MediaTypeUploadReq, "", body), dap.UnrecognizedTask)
	})
	t.Run("a task whose rules are not those of its hash", func(t *testing.T) {
		c := aggregatortest.NewCoalition(t, members, 1, nil)
		other := *c.Document
		other.Minimum.CellGroups++
		rules, err := aggregator.NewRound(&other, 0, c.Coalition.Leader, aggregator.NewReleaseKey([32]byte{}), "test")
		if err != nil {
			t.Fatal(err)
		}
		task := c.Keys.LeaderTask(c.Task)
		task.Round = rules
		if err := c.Deployment.Leader.AddTask(t.Context(), task); err == nil {
			t.Error("the Leader runs a task under rules that nobody signed")
		}
	})
}

func TestReceiptsAndStatementsAreForParties(t *testing.T) {
	c := aggregatortest.NewCoalition(t, members, 1, nil)
	c.SendAll(0, members)
	if r := receipt(t, c, "leader", 0); r.Member != "m1" || r.Aggregated || r.Verify(c.Coalition.Leader.PublicKey()) != nil {
		t.Errorf("the Leader's receipt is %+v", r)
	}
	collectStatements(t, c)
	if r := receipt(t, c, "helper", 0); !r.Aggregated || r.Verify(c.Coalition.Helper.PublicKey()) != nil {
		t.Errorf("the Helper's receipt is %+v", r)
	}
	for _, a := range []struct {
		name, who, resource string
		key                 *sign.PrivateKey
		want                int
	}{
		{"another member's receipt", "m2", "receipts/m1", c.Members[1], http.StatusForbidden},
		{"who has sent, asked by a member", "m1", "members", c.Members[0], http.StatusForbidden},
		{"who has sent, asked by the secretariat", "secretariat", "members", c.Secretariat, http.StatusOK},
		{"a stranger", "m1", "statement", roundtest.NewKey(t), http.StatusUnauthorized},
		{"a stranger who calls itself secretariat", "secretariat", "members", c.Members[0], http.StatusUnauthorized},
	} {
		t.Run(a.name, func(t *testing.T) {
			if status, body := askAs(t, c, "leader", a.who, a.key, a.resource); status != a.want {
				t.Errorf("status %d, %s; want %d", status, body, a.want)
			}
		})
	}
}

// A release is made twice from one state of the store, as after a backup was restored, and once for real: share and statement have the same bytes each time.
func TestStatementsRepeatByteForByte(t *testing.T) {
	c := aggregatortest.NewCoalition(t, members, 26, func(d *round.Document) {
		d.Parts[0].Kind, d.Parts[0].Privacy.Mechanism, d.Parts[0].Privacy.Place = round.KindAnswers, "discrete-laplace", "aggregators"
	})
	for i := range members {
		if code := c.Send(aggregatortest.Submission{Member: i, Flags: []bool{}}); code != 0 {
			t.Fatal(code)
		}
	}
	c.CloseWindow()
	c.Settle(3)
	again := errors.New("roll back")
	release := func() (share, statement string) {
		task := c.Keys.LeaderTask(c.Task)
		err := c.LeaderStore.Update(t.Context(), "test", func(tx store.Tx) error {
			agg, err := task.ReadBatch(tx, store.Batch{Interval: *c.Task.Interval})
			if err != nil {
				return err
			}
			b, err := task.Release(tx, dap.Leader, agg, c.Clock.Now())
			if err != nil {
				return err
			}
			if string(b) == string(agg.Share) {
				t.Error("the share is released without noise")
			}
			s, err := tx.Statement(c.Task.ID)
			share, statement = string(b), string(s.Text)
			return errors.Join(err, again)
		})
		if !errors.Is(err, again) {
			t.Fatal(err)
		}
		return share, statement
	}
	share1, statement1 := release()
	share2, statement2 := release()
	if share1 != share2 || statement1 != statement2 {
		t.Error("a repeated release differs")
	}
	collectStatements(t, c)
	status, body := askAs(t, c, "leader", "secretariat", c.Secretariat, "statement")
	var answer aggregator.StatementAnswer
	if err := json.Unmarshal(body, &answer); err != nil || string(answer.Statement) != statement1 {
		t.Errorf("the real statement is %d, %s\nwant %s", status, body, statement1)
	}
}

func collectStatements(t *testing.T, c *aggregatortest.Coalition) []release.SignedStatement {
	t.Helper()
	if _, _, err := c.Figures(); err != nil {
		t.Fatal(err)
	}
	return statementsOf(t, c)
}

func statementsOf(t *testing.T, c *aggregatortest.Coalition) (statements []release.SignedStatement) {
	t.Helper()
	for _, role := range []string{"leader", "helper"} {
		status, body := askAs(t, c, role, "secretariat", c.Secretariat, "statement")
		var answer aggregator.StatementAnswer
		var s release.SignedStatement
		if err := json.Unmarshal(body, &answer); err != nil || json.Unmarshal(answer.Statement, &s) != nil {
			t.Fatalf("the %s's statement: %d, %s", role, status, body)
		}
		statements = append(statements, s)
	}
	return statements
}

func receipt(t *testing.T, c *aggregatortest.Coalition, role string, member int) round.Receipt {
	t.Helper()
	id := c.Document.Roster[member].ID
	status, body := askAs(t, c, role, id, c.Members[member], "receipts/"+id)
	var r round.Receipt
	if err := json.Unmarshal(body, &r); err != nil || status != http.StatusOK {
		t.Fatalf("the %s's receipt: %d, %s", role, status, body)
	}
	return r
}

// askAs makes a signed request to a resource of the round.
func askAs(t *testing.T, c *aggregatortest.Coalition, role, who string, key *sign.PrivateKey, resource string) (int, []byte) {
	t.Helper()
	base := map[string]string{"leader": aggregatortest.LeaderURL, "helper": aggregatortest.HelperURL + "/"}[role]
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"candor/tasks/"+c.Task.ID.String()+"/"+resource, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(round.RequestHeader, round.SignRequest(key, who, req.Method, req.URL.Path, c.Clock.Now().Add(time.Second)))
	resp, err := (&http.Client{Transport: c.Net}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body := make([]byte, 1<<20)
	n, _ := resp.Body.Read(body)
	return resp.StatusCode, body[:n]
}

// The Helper counts groups by itself: a Leader that has only nine to offer gets no share, whatever it says, and the batch stays intact.
func TestMaliciousLeaderOffersTooFewGroups(t *testing.T) {
	c := aggregatortest.NewCoalition(t, members, 1, func(d *round.Document) {
		for i := range 4 {
			d.Roster[i].Group = "owner"
		}
		d.Roster = append(d.Roster, round.Member{ID: "m13", Name: "Member m13", Group: "m13", Key: roundtest.NewKey(t).PublicKey().String()})
	})
	var reports []dap.Report
	var checksum [32]byte
	for i := range members {
		r := c.Report(aggregatortest.Submission{Member: i})
		reports = append(reports, r)
		checksum = dap.XORChecksums(checksum, dap.Checksum(r.Metadata.ReportID))
	}
	c.CloseWindow()
	for _, r := range offer(t, c, reports...) {
		if r.Type != dap.VerifyContinued {
			t.Fatalf("an honest report is rejected: %v", r.Error)
		}
	}
	for range 2 { // refused as often as it is asked
		reply := c.PostShare(c.Task, askShare(t, c, *c.Task.Interval, members, checksum))
		wantProblem(t, reply, dap.InvalidBatchSize)
		if !strings.Contains(reply.Problem.Detail, "9 groups") {
			t.Errorf("the Helper says %q", reply.Problem.Detail)
		}
	}
}

// One honest aggregator is enough to blank a cell: its share of it is uniform, so that the sum is, whatever the other does.
func TestMaliciousAggregatorDoesNotBlank(t *testing.T) {
	c := aggregatortest.NewCoalition(t, members, 2, nil)
	for i := range members {
		if code := c.Send(aggregatortest.Submission{Member: i, Values: []uint64{100, 7}, Flags: []bool{true, i < 4}}); code != 0 {
			t.Fatal(code)
		}
	}
	c.CloseWindow()
	c.Settle(3)
	rollBack := errors.New("roll back")
	for role, st := range map[dap.Role]store.Store{dap.Leader: c.LeaderStore, dap.Helper: c.HelperStore} {
		task := c.Keys.LeaderTask(c.Task)
		if role == dap.Helper {
			task = c.Keys.HelperTask(c.Task)
		}
		err := st.Update(t.Context(), "test", func(tx store.Tx) error {
			agg, err := task.ReadBatch(tx, store.Batch{Interval: *c.Task.Interval})
			if err != nil {
				return err
			}
			released, err := task.Release(tx, role, agg, c.Clock.Now())
			if err != nil {
				return err
			}
			if string(released[:16]) != string(agg.Share[:16]) {
				t.Errorf("the %v changed the cell of all groups", role)
			}
			if string(released[16:]) == string(agg.Share[16:]) {
				t.Errorf("the %v alone did not blank the cell of four groups", role)
			}
			return rollBack
		})
		if !errors.Is(err, rollBack) {
			t.Fatal(err)
		}
	}
}

// A Helper that says it has other reports than it has does not get the batch consumed: the Leader compares before it collects, and says what differs.
func TestMaliciousHelperDeniesAReport(t *testing.T) {
	c := aggregatortest.NewCoalition(t, members, 1, nil)
	c.SendAll(0, members)
	c.Net.Alter(func(req *http.Request, resp *http.Response) {
		if strings.Contains(req.URL.Path, aggregator.ResourceBatchDigest) {
			body, err := json.Marshal(aggregator.BatchDigest{ReportCount: members - 1})
			if err != nil {
				t.Error(err)
			}
			resp.Body = io.NopCloser(bytes.NewReader(body))
			resp.Header.Del("Content-Length")
		}
	})
	c.CloseWindow()
	job, err := c.Deployment.Collector(c.Task).Start(t.Context(), c.All(c.Task))
	if err != nil {
		t.Fatal(err)
	}
	c.Settle(20)
	wantWaiting(t, c.Status(c.Task), aggregator.WaitingBatchMismatch)
	c.Net.Alter(nil)
	c.Advance(10 * time.Minute)
	c.Settle(5)
	if result, err := c.Deployment.Collector(c.Task).Poll(t.Context(), job); err != nil || result.ReportCount != members {
		t.Errorf("when the Helper tells the truth again: %d reports, %v", result.ReportCount, err)
	}
}

// A Leader, or a proxy that breaks up TLS, offers an HPKE key of its own: members of a round ask for none, and seal to nothing but X-Wing.
func TestMaliciousProxyOffersItsOwnKey(t *testing.T) {
	c := aggregatortest.NewCoalition(t, members, 1, nil)
	own := aggregatortest.NewKey(t, 1, seal.XWing)
	c.Net.Alter(func(req *http.Request, resp *http.Response) {
		if strings.HasSuffix(req.URL.Path, "/hpke_config") {
			body, err := dap.Marshal(dap.HpkeConfigList{own.Config})
			if err != nil {
				t.Error(err)
			}
			resp.Body = io.NopCloser(bytes.NewReader(body))
		}
	})
	c.SendAll(0, members)
	for _, e := range c.Net.Log() {
		if strings.HasSuffix(e.URL, "/hpke_config") {
			t.Errorf("a member asked for %s", e.URL)
		}
	}
	weak := aggregatortest.NewKey(t, 1, seal.X25519)
	for name, cfg := range map[string]client.Config{
		"no pinned keys":   {Task: c.Task},
		"one key unpinned": {Task: c.Task, LeaderHPKE: c.Keys.LeaderHPKE},
		"no X-Wing":        {Task: c.Task, LeaderHPKE: weak.Config, HelperHPKE: c.Keys.HelperHPKE},
	} {
		if _, err := client.New(cfg); err == nil {
			t.Errorf("a member's client works with %s", name)
		}
	}
	honest(t, c, members)
}
