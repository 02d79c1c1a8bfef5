package config

import (
	"math"
	"time"

	"candor/aggregator/httpapi"
)

// Limits bound what callers can make a server do at once. Zero is the default of each. A request that is too large is answered 413; one that comes too often
// or when too many run, 429 with the time after which to come again.
type Limits struct {
	// UploadBytes is the largest upload of a member, in bytes. Leader only; default: 16777216.
	UploadBytes int64 `yaml:"upload_bytes,omitempty"`
	// JobBytes is the largest aggregation job, in bytes. Helper only; default: 67108864. The Leader makes smaller jobs when one is refused.
	JobBytes int64 `yaml:"job_bytes,omitempty"`
	// Concurrency is how many requests are handled at once, counted apart with and without credentials. Default: 64.
	Concurrency int `yaml:"concurrency,omitempty"`
	// Rate is how many requests without credentials may begin per second, over all callers. Default: no limit.
	Rate float64 `yaml:"rate,omitempty"`
	// Burst is how many of those may come in one moment. Default: the rate, rounded up.
	Burst int `yaml:"burst,omitempty"`
	// MemoryBytes is how many bytes of requests are held at once. Default: 268435456.
	MemoryBytes int64 `yaml:"memory_bytes,omitempty"`
	// BodyTimeout is how long the content of a request may take to arrive. Default: 30s.
	BodyTimeout Duration `yaml:"body_timeout,omitempty"`
}

const (
	leastRequest = 64 << 10 // bytes: less would refuse ordinary messages
	mostRequest  = 1 << 30
)

func (l *Limits) check(p *problems) {
	sizes := []struct {
		name  string
		value int64
	}{{"upload_bytes", l.UploadBytes}, {"job_bytes", l.JobBytes}, {"memory_bytes", l.MemoryBytes}}
	for i, s := range sizes {
		if s.value == 0 {
			continue
		}
		if s.value < leastRequest || s.value > mostRequest && i < 2 {
			p.at("$.limits."+s.name, "is %d, must be from %d to %d bytes", s.value, leastRequest, mostRequest)
		}
		if i < 2 && l.MemoryBytes > 0 && s.value > l.MemoryBytes {
			p.at("$.limits."+s.name, "is more than memory_bytes: no such request could ever be read")
		}
	}
	if l.Concurrency < 0 || l.Concurrency > 100_000 {
		p.at("$.limits.concurrency", "is %d, must be from 1 to 100000", l.Concurrency)
	}
	if l.Rate < 0 || math.IsNaN(l.Rate) || math.IsInf(l.Rate, 0) {
		p.at("$.limits.rate", "is not a number of requests per second")
	}
	if l.Burst < 0 {
		p.at("$.limits.burst", "is negative")
	}
	if l.Burst > 0 && l.Rate == 0 {
		p.at("$.limits.burst", "says nothing without a rate")
	}
}

// API returns the limits as the roles take them, and requires a certificate of those who present a token where the configuration names an authority for them.
func (a *Aggregator) API() httpapi.Config {
	c := httpapi.Config{
		Concurrency: a.Limits.Concurrency, Rate: a.Limits.Rate, Burst: a.Limits.Burst, Memory: a.Limits.MemoryBytes,
		BodyTimeout: time.Duration(a.Limits.BodyTimeout),
	}
	if a.TLS != nil && a.TLS.ClientCA != "" {
		c.Certified = []httpapi.Auth{httpapi.Leader, httpapi.Collector}
	}
	return c
}
