package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"candor/client"
	"candor/crypto/sign"
	"candor/schema/dap"
	"candor/schema/round"
)

// uploads at once: a coalition's members do not wait for each other, one machine plays them all.
const uploads = 16

// submissions counts what became of the members' reports.
type submissions struct {
	Accepted  int // members whose report was accepted
	Rejected  map[dap.ReportError]int
	Corrected int             // members who sent a second report in place of the first
	Stranger  dap.ReportError // what somebody who is not on the roster was told
}

// typo is what the first member adds to each of its counts by mistake, and corrects.
const typo = 1000

// start starts both aggregators and waits until they serve.
func (d *demo) start(ctx context.Context) error {
	private := func(role string) string {
		cfg, err := loadAddress(d.dir(role, role+".yaml"))
		if err != nil {
			return "" // awaitReady will say that nothing serves
		}
		return "http://" + cfg + "/readyz"
	}
	d.leader = startProcess(ctx, d.Executable, "leader", d.dir("leader"), private("leader"))
	d.helper = startProcess(ctx, d.Executable, "helper", d.dir("helper"), private("helper"))
	for _, p := range []*Process{d.leader, d.helper} {
		if err := p.awaitReady(ctx, 20*time.Second); err != nil {
			return err
		}
	}
	if d.Hooks.Serving != nil {
		d.Hooks.Serving(d.leader, d.helper)
	}
	return nil
}

// stop ends the processes; it may be called at any time and more than once.
func (d *demo) stop() {
	for _, p := range []*Process{d.leader, d.helper} {
		if p != nil {
			p.Stop()
		}
	}
}

// submit lets every member run its client: noise, offset, shard, seal, upload.
func (d *demo) submit(ctx context.Context) error {
	c := d.coalition
	cl, err := d.newClient(c.document, c.task)
	if err != nil {
		return err
	}
	var mu sync.Mutex // guards d.sent
	d.sent.Rejected = map[dap.ReportError]int{}
	var done atomic.Int64
	progress := newProgress(d.Talk, len(c.members), "reports sent")
	defer progress.finish()
	group, all := errgroup.WithContext(ctx)
	group.SetLimit(uploads)
	for i, m := range c.members {
		group.Go(func() error {
			first := m
			if i == 0 {
				first.source.Values = slices.Clone(m.source.Values)
				for k := range first.source.Values {
					first.source.Values[k] += typo
				}
			}
			code, err := d.submitOne(all, cl, first, 0)
			if err != nil {
				return fmt.Errorf("%s: %w", m.source.Name, err)
			}
			mu.Lock()
			if code == 0 {
				d.sent.Accepted++
			} else {
				d.sent.Rejected[code]++
			}
			mu.Unlock()
			progress.set(int(done.Add(1)))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		if !time.Now().Before(c.document.Window.Closes) {
			return fmt.Errorf("the window of %s closed before all members had sent: give them longer with --window (%w)", c.window(), err)
		}
		return err
	}
	if err := d.correctAndIntrude(ctx, cl); err != nil {
		return err
	}
	for code, n := range d.sent.Rejected {
		if code == dap.ErrorReportDropped {
			return fmt.Errorf("the window of %s closed before %d members had sent: give them longer with --window", d.coalition.window(), n)
		}
	}
	return nil
}

// newClient is the DAP Client for one task, with the configurations of the round document.
func (d *demo) newClient(doc *round.Document, task *round.Task) (*client.Client, error) {
	leaderHPKE, err := round.ParseHPKE(doc.Leader.HPKE)
	if err != nil {
		return nil, err
	}
	helperHPKE, err := round.ParseHPKE(doc.Helper.HPKE)
	if err != nil {
		return nil, err
	}
	return client.New(client.Config{
		Task: task, LeaderHPKE: leaderHPKE, HelperHPKE: helperHPKE,
		HTTP:   &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: uploads}},
		Logger: d.Log,
	})
}

// correctAndIntrude lets the first member correct its counts, and somebody who is not on the roster try to submit.
func (d *demo) correctAndIntrude(ctx context.Context, cl *client.Client) error {
	first := d.coalition.members[0]
	d.say("%s notices that it typed %d too much, and corrects it", first.source.Name, typo)
	switch code, err := d.submitOne(ctx, cl, first, 1); {
	case err != nil:
		return fmt.Errorf("%s: %w", first.source.Name, err)
	case code == 0:
		d.sent.Corrected++
	default:
		return fmt.Errorf("the correction of %s was refused: %w", first.source.Name, code)
	}
	return d.intrude(func(key *sign.PrivateKey) (dap.ReportError, error) {
		return d.submitOne(ctx, cl, participant{id: "stranger", key: key, source: first.source}, 0)
	})
}

// intrude lets somebody who is not on the roster submit, with a key of its own.
func (d *demo) intrude(submit func(*sign.PrivateKey) (dap.ReportError, error)) error {
	key, err := sign.GenerateKey(rand.Reader)
	if err != nil {
		return err
	}
	if d.sent.Stranger, err = submit(key); err != nil {
		return fmt.Errorf("a stranger: %w", err)
	}
	if d.sent.Stranger == 0 {
		return errors.New("the report of a stranger was accepted")
	}
	d.say("a stranger tries to submit, and is refused: %v", d.sent.Stranger)
	return nil
}

// submitOne is one member's submission. It returns the Leader's answer, 0 if the report was accepted. An upload that the Leader has already, because the answer to the
// first was lost, counts as accepted.
func (d *demo) submitOne(ctx context.Context, cl *client.Client, m participant, correction uint64) (dap.ReportError, error) {
	noised, err := d.coalition.noise.AddVector(m.source.Values)
	if err != nil {
		return 0, err
	}
	measurement := make([]uint64, len(noised))
	for i, v := range noised {
		measurement[i] = uint64(v + d.coalition.noise.Offset())
	}
	if d.Hooks.Measured != nil {
		d.Hooks.Measured(m.source.Name, measurement)
	}
	part := &d.coalition.document.Parts[0]
	contributes := make([]bool, len(part.Metrics()))
	for i := range contributes {
		contributes[i] = !m.source.Missing[i]
	}
	contribution := round.Contribution{Member: m.id, Correction: correction, Contributes: round.NewContributes(contributes)}
	return upload(ctx, cl, d.coalition.task, contribution, m.key, measurement)
}

// upload sends one report, signed by key, and returns the Leader's answer, 0 if it was accepted.
func upload(ctx context.Context, cl *client.Client, task *round.Task, c round.Contribution, key *sign.PrivateKey, measurement []uint64) (dap.ReportError, error) {
	public, err := c.Extension()
	if err != nil {
		return 0, err
	}
	_, err = cl.Submit(ctx, measurement, []dap.Extension{public}, func(s client.Share) ([]dap.Extension, error) {
		sig, err := round.SignReport(key, s.Recipient, task.ID, s.Metadata, s.PublicShare, nil, s.Payload)
		return []dap.Extension{sig}, err
	})
	if code, ok := errors.AsType[dap.ReportError](err); ok && !errors.Is(err, client.ErrPinnedOutdated) {
		return code, nil
	}
	return 0, err
}

// awaitClose waits until the window has closed: nothing is aggregated before.
func (d *demo) awaitClose(ctx context.Context) error {
	return d.awaitUntil(ctx, d.coalition.document.Window.Closes)
}

func (d *demo) awaitUntil(ctx context.Context, closes time.Time) error {
	wait := time.Until(closes)
	if wait <= 0 {
		return nil
	}
	d.say("%.0f s until the window closes; nothing is aggregated before", wait.Seconds())
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(wait):
		return nil
	}
}

func (c *coalition) window() time.Duration {
	return c.document.Window.Closes.Sub(c.document.Window.Opens)
}
