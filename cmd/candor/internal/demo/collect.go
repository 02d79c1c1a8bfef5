package demo

import (
	"context"
	"net/http"
	"time"

	"candor/client/collect"
	"candor/schema/release"
	"candor/schema/round"
)

// collect asks for the one batch there is, the whole window, and for both aggregators' statements on it.
func (d *demo) collect(ctx context.Context) (err error) {
	d.batches, err = d.collectRound(ctx, d.coalition.parties, d.coalition.signed)
	return err
}

// collectRound collects all parts of a round.
func (d *demo) collectRound(ctx context.Context, p parties, signed *round.Signed) ([]release.Batch, error) {
	r, err := collect.New(collect.Config{
		Dir: d.dir("secretariat", "collected", signed.Document.ID), Signed: signed, Trust: p.trust,
		Identity: p.secretariat, HPKE: p.collectorHPKE, Key: p.collectorKey, Token: p.collectorToken,
		HTTP: &http.Client{Timeout: 30 * time.Second}, Logger: d.Log, PollInterval: 100 * time.Millisecond, MaxWait: time.Second,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	if err := r.Collect(ctx); err != nil {
		return nil, err
	}
	return r.Batches()
}
