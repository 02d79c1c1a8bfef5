package aggregator_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"candor/aggregator"
)

// Secrets print as REDACTED, alone and inside of others, with every verb, in JSON and in logs.
func TestSecretsDoNotShow(t *testing.T) {
	const token = "a-token-that-nobody-may-see"
	raw := bytes.Repeat([]byte{0xa7}, 32)
	key, err := aggregator.NewVerifyKey(raw)
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]any{"verify key": key, "token": aggregator.NewToken(token), "pair secret": aggregator.NewPairSecret([32]byte(raw)), "release key": aggregator.NewReleaseKey([32]byte(raw))}
	type nested struct {
		Exported any
		hidden   any
	}
	for name, secret := range secrets {
		for _, v := range []any{secret, &secret, nested{secret, secret}, &nested{secret, secret}, []any{secret}, map[string]any{"x": secret}} {
			var out strings.Builder
			for _, verb := range "vsqxXdTpbco" {
				for _, flag := range []string{"", "+", "#"} {
					fmt.Fprintf(&out, "%"+flag+string(verb)+" ", v)
				}
			}
			if b, err := json.Marshal(v); err == nil {
				out.Write(b)
			}
			slog.New(slog.NewTextHandler(&out, nil)).Info("x", "v", v)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("x", "v", v)
			text := out.String()
			for _, leak := range []string{token, fmt.Sprintf("%x", token), "a7a7", "A7A7", "167 167", "0xa7, 0xa7", string(raw[:4])} {
				if strings.Contains(text, leak) {
					t.Errorf("%s shows as %q", name, leak)
				}
			}
		}
	}
	if _, err := aggregator.NewVerifyKey(raw[1:]); err == nil {
		t.Error("a verify key of 31 bytes was accepted")
	}
	if !aggregator.NewToken("").Empty() || aggregator.NewToken("").Reveal() != "" {
		t.Error("the empty token is not empty")
	}
}

// Each covers all numbers once, with no more goroutines at work than the bound over all callers, and ends with its context.
func TestCPU(t *testing.T) {
	cpu := aggregator.NewCPU(3)
	var working, most, sum atomic.Int64
	done := make(chan error)
	for range 4 {
		go func() {
			done <- cpu.Each(t.Context(), 1000, 7, func(lo, hi int) {
				n := working.Add(1)
				for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
				}
				for i := lo; i < hi; i++ {
					sum.Add(int64(i))
				}
				working.Add(-1)
			})
		}()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if most.Load() > 3 || sum.Load() != 4*1000*999/2 {
		t.Errorf("%d at once, sum %d", most.Load(), sum.Load())
	}
	if err := cpu.Each(t.Context(), 0, 7, func(int, int) { t.Error("called for nothing") }); err != nil {
		t.Error(err)
	}
	synctest.Test(t, func(t *testing.T) {
		cpu := aggregator.NewCPU(1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		release := make(chan struct{})
		go cpu.Each(context.Background(), 1, 1, func(int, int) { <-release })
		synctest.Wait()
		if err := cpu.Each(ctx, 10, 1, func(int, int) { t.Error("worked beyond the bound") }); err == nil {
			t.Error("no error although the context ended")
		}
		close(release)
	})
}
