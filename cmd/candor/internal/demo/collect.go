package demo

import (
	"context"
	"net/http"
	"time"

	"candor/client/collect"
)

// collect asks for the one batch there is, the whole window, and for both aggregators' statements on it.
func (d *demo) collect(ctx context.Context) error {
	c := d.coalition
	r, err := collect.New(collect.Config{
		Dir: d.dir("secretariat", "collected", c.document.ID), Signed: c.signed, Trust: c.trust,
		Identity: c.secretariat, HPKE: c.collectorHPKE, Key: c.collectorKey, Token: c.collectorToken,
		HTTP: &http.Client{Timeout: 30 * time.Second}, Logger: d.Log, PollInterval: 100 * time.Millisecond, MaxWait: time.Second,
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if err := r.Collect(ctx); err != nil {
		return err
	}
	d.batches, err = r.Batches()
	return err
}
