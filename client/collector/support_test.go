package collector_test

import (
	"crypto/rand"
	"encoding/binary"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"candor/client/collector"
	"candor/crypto/seal"
	"candor/schema/dap"
	"candor/schema/round"
)

var testID = dap.TaskID{5, 6, 7}

const collectionJobs = "/dap/tasks/BQYHAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA/collection_jobs"

// A leader plays the Leader's collection jobs: one job at a time, ready after a number of polls. It seals both
// aggregate shares itself, as the draft describes, byte by byte.
type leader struct {
	t      *testing.T
	task   *round.Task
	config dap.HpkeConfig
	key    *seal.PrivateKey

	mu       sync.Mutex
	pending  int // answers without a body before the result
	location string
	header   http.Header                  // added to deferred answers
	answer   http.HandlerFunc             // if set, replaces all of this
	mutate   func(*dap.CollectionJobResp) // the result before it is sent
	roles    [2]dap.Role                  // that seal; Leader and Helper, unless a test swaps them
	sums     []uint64
	count    uint64

	requests []string // METHOD path
	created  [][]byte // bodies of creation requests
	headers  []http.Header
	times    []time.Time
	result   []byte
	deleted  bool
}

func newLeader(t *testing.T, mutate ...func(*dap.TaskConfiguration)) *leader {
	public, private, err := seal.GenerateKey(seal.X25519, nil)
	if err != nil {
		t.Fatal(err)
	}
	l := &leader{
		t:        t,
		task:     newTask(t, mutate...),
		config:   dap.HpkeConfig{ID: 42, KEM: seal.X25519.KEM, KDF: seal.X25519.KDF, AEAD: seal.X25519.AEAD, PublicKey: public},
		key:      private,
		location: collectionJobs + "/job-1",
		roles:    [2]dap.Role{dap.Leader, dap.Helper},
		sums:     []uint64{3, 0, 4096},
		count:    12,
	}
	return l
}

func newTask(t *testing.T, mutate ...func(*dap.TaskConfiguration)) *round.Task {
	t.Helper()
	config := dap.TaskConfiguration{
		TaskInfo:       []byte("task"),
		LeaderEndpoint: "https://leader.test/dap/",
		HelperEndpoint: "https://helper.test/",
		TimePrecision:  3600,
		MinBatchSize:   10,
		BatchMode:      dap.TimeInterval,
		VDAF:           dap.VDAFConfig{Type: dap.VDAFSumVec, Length: 3, MaxMeasurement: 4096, ChunkLength: 10},
	}
	for _, m := range mutate {
		m(&config)
	}
	encoded, err := dap.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	task, err := round.NewTask(testID, encoded)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

func leaderSelected(c *dap.TaskConfiguration) { c.BatchMode = dap.LeaderSelected }

var query = dap.NewTimeIntervalQuery(dap.Interval{Start: 480000, Duration: 24})

func (l *leader) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests = append(l.requests, r.Method+" "+r.URL.RequestURI())
	l.headers = append(l.headers, r.Header)
	l.times = append(l.times, time.Now())
	body, err := io.ReadAll(r.Body)
	if err != nil {
		l.t.Error(err)
	}
	if r.Method == "POST" {
		l.created = append(l.created, body)
		l.deleted = false
	}
	if l.answer != nil {
		l.answer(w, r)
		return
	}
	if r.Method == "DELETE" {
		l.deleted = true
		return
	}
	if r.Method == "POST" && l.location != "" {
		w.Header().Set("Location", l.location)
	}
	if l.pending > 0 {
		l.pending--
		maps.Copy(w.Header(), l.header)
		return
	}
	if l.result == nil {
		l.result = l.respond(l.created[len(l.created)-1])
	}
	w.Header().Set("Content-Type", dap.MediaTypeCollectionJobResp)
	w.Write(l.result)
}

// respond seals the result for a creation request.
func (l *leader) respond(request []byte) []byte {
	v := l.task.VDAF
	random := make([]byte, v.OutputShareSize())
	rand.Read(random)
	for i := 15; i < len(random); i += 16 {
		random[i] &= 0x7f // below the modulus
	}
	// The Helper's share is what is missing to the sums, found by sharding them: share0 + share1 = sums.
	helper := l.subtract(l.sums, random)
	aad := append([]byte(nil), testID[:]...)
	aad = append(aad, l.task.Encoded...)
	aad = append(aad, request...)
	resp := dap.CollectionJobResp{ReportCount: l.count, Interval: dap.Interval{Start: 480001, Duration: 3}}
	for i, share := range [][]byte{random, helper} {
		info := append([]byte("dap-18 aggregate share"), byte(l.roles[i]), 0)
		enc, ciphertext, err := seal.Seal(seal.X25519, l.config.PublicKey, info, aad, share, nil)
		if err != nil {
			l.t.Fatal(err)
		}
		*[]*dap.HpkeCiphertext{&resp.Leader, &resp.Helper}[i] = dap.HpkeCiphertext{ConfigID: 42, Enc: enc, Payload: ciphertext}
	}
	if l.mutate != nil {
		l.mutate(&resp)
	}
	out, err := dap.Marshal(resp)
	if err != nil {
		l.t.Fatal(err)
	}
	return out
}

// subtract returns sums - share in Field128, p = 2^128 - 7·2^66 + 1, on little-endian elements.
func (l *leader) subtract(sums []uint64, share []byte) []byte {
	out := make([]byte, len(share))
	for i, sum := range sums {
		a := [2]uint64{sum, 0}
		b := [2]uint64{binary.LittleEndian.Uint64(share[16*i:]), binary.LittleEndian.Uint64(share[16*i+8:])}
		p := [2]uint64{1, ^uint64(0) - 28 + 1} // 2^128 - 7·2^66 + 1 = (2^64 - 28)·2^64 + 1
		lo := a[0] - b[0]
		borrow := uint64(0)
		if a[0] < b[0] {
			borrow = 1
		}
		hi := a[1] - b[1] - borrow
		if a[1] < b[1] || a[1] == b[1] && borrow == 1 { // below zero: add p
			carry := uint64(0)
			if lo+p[0] < lo {
				carry = 1
			}
			lo, hi = lo+p[0], hi+p[1]+carry
		}
		binary.LittleEndian.PutUint64(out[16*i:], lo)
		binary.LittleEndian.PutUint64(out[16*i+8:], hi)
	}
	return out
}

type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	d.handler.ServeHTTP(w, r)
	resp := w.Result()
	resp.Request = r
	return resp, r.Context().Err()
}

func (l *leader) collector(mutate ...func(*collector.Config)) *collector.Collector {
	l.t.Helper()
	cfg := collector.Config{Task: l.task, HPKE: l.config, Key: l.key, Token: "secret-token", HTTP: &http.Client{Transport: direct{l}}}
	for _, m := range mutate {
		m(&cfg)
	}
	c, err := collector.New(cfg)
	if err != nil {
		l.t.Fatal(err)
	}
	return c
}

// The fixture's own arithmetic: what it calls two shares of the sums is that for the VDAF.
func TestFixtureShares(t *testing.T) {
	l := newLeader(t)
	for range 20 {
		share := make([]byte, l.task.VDAF.OutputShareSize())
		rand.Read(share)
		for i := 15; i < len(share); i += 16 {
			share[i] &= 0x7f
		}
		sum, err := l.task.VDAF.Unshard([][]byte{share, l.subtract(l.sums, share)}, 12)
		if err != nil {
			t.Fatal(err)
		}
		for i, x := range sum {
			if x.Uint64() != l.sums[i] {
				t.Fatalf("%v, want %v", sum, l.sums)
			}
		}
	}
}
