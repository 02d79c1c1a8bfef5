package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"candor/client"
	"candor/schema/dap"
	"candor/schema/round"
)

// uploads at once: a coalition's members do not wait for each other, one machine plays them all.
const uploads = 16

// submissions counts what became of the members' reports.
type submissions struct {
	Accepted int
	Rejected map[dap.ReportError]int
}

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
	leaderHPKE, err := round.ParseHPKE(c.document.Leader.HPKE)
	if err != nil {
		return err
	}
	helperHPKE, err := round.ParseHPKE(c.document.Helper.HPKE)
	if err != nil {
		return err
	}
	cl, err := client.New(client.Config{
		Task: c.task, LeaderHPKE: leaderHPKE, HelperHPKE: helperHPKE,
		HTTP:   &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: uploads}},
		Logger: d.Log,
	})
	if err != nil {
		return err
	}
	var mu sync.Mutex // guards d.sent
	d.sent.Rejected = map[dap.ReportError]int{}
	var done atomic.Int64
	progress := newProgress(d.Talk, len(c.members), "reports sent")
	defer progress.finish()
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(uploads)
	for _, m := range c.members {
		group.Go(func() error {
			code, err := d.submitOne(ctx, cl, m)
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
		return err
	}
	for code, n := range d.sent.Rejected {
		if code == dap.ErrorReportDropped {
			return fmt.Errorf("the window of %s closed before %d members had sent: give them longer with --window", d.coalition.window(), n)
		}
	}
	return nil
}

// submitOne is one member's submission. It returns the Leader's answer, 0 if the report was accepted. An upload that the Leader has already, because the answer to the
// first was lost, counts as accepted.
func (d *demo) submitOne(ctx context.Context, cl *client.Client, m member) (dap.ReportError, error) {
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
	public, private, err := d.coalition.sign(m, 0)
	if err != nil {
		return 0, err
	}
	_, err = cl.Submit(ctx, measurement, public, private)
	if code, ok := errors.AsType[dap.ReportError](err); ok && !errors.Is(err, client.ErrPinnedOutdated) {
		return code, nil
	}
	return 0, err
}

// sign says whose report this is and how its shares are signed.
func (c *coalition) sign(m member, correction uint64) ([]dap.Extension, client.Private, error) {
	part := &c.document.Parts[0]
	contributes := make([]bool, len(part.Metrics()))
	for i := range contributes {
		contributes[i] = !m.source.Missing[i]
	}
	ext, err := round.Contribution{Member: m.id, Correction: correction, Contributes: round.NewContributes(contributes)}.Extension()
	if err != nil {
		return nil, nil, err
	}
	private := func(s client.Share) ([]dap.Extension, error) {
		sig, err := round.SignReport(m.key, s.Recipient, c.task.ID, s.Metadata, s.PublicShare, nil, s.Payload)
		return []dap.Extension{sig}, err
	}
	return []dap.Extension{ext}, private, nil
}

// awaitClose waits until the window has closed: nothing is aggregated before.
func (d *demo) awaitClose(ctx context.Context) error {
	wait := time.Until(d.coalition.document.Window.Closes)
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
