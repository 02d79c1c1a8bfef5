package client_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"candor/client"
	"candor/crypto/prio3"
	"candor/crypto/seal"
	"candor/schema/dap"
	"candor/schema/round"
)

// precision is the time precision of the tests' tasks, in seconds.
const precision = 3600

// epoch is the clock of the tests: 20 minutes into unit 480000.
var epoch = time.Unix(480000*precision+1200, 0).UTC()

var testID = dap.TaskID{1, 2, 3}

// A server plays both Aggregators on one origin, under the paths /leader/ and /helper/, as plainly as the draft allows.
type server struct {
	t     *testing.T
	url   string
	task  *round.Task
	suite seal.Suite

	mu     sync.Mutex
	keys   map[dap.Role]map[dap.HpkeConfigID]*seal.PrivateKey
	lists  map[dap.Role]dap.HpkeConfigList
	header http.Header // added to HPKE configuration responses
	// upload, if set, answers uploads in place of the default, which accepts everything.
	upload  http.HandlerFunc
	fetches map[dap.Role]int
	uploads []*http.Request // their bodies read into bodies
	bodies  [][]byte
}

func newServer(t *testing.T, mutate ...func(*dap.TaskConfiguration)) *server {
	s := &server{
		t:       t,
		url:     "https://aggregators.test",
		suite:   seal.X25519,
		keys:    map[dap.Role]map[dap.HpkeConfigID]*seal.PrivateKey{dap.Leader: {}, dap.Helper: {}},
		lists:   map[dap.Role]dap.HpkeConfigList{},
		header:  http.Header{"Cache-Control": {"max-age=86400"}},
		fetches: map[dap.Role]int{},
	}
	s.rotate(dap.Leader, 7)
	s.rotate(dap.Helper, 8)
	s.setTask(mutate...)
	return s
}

func (s *server) setTask(mutate ...func(*dap.TaskConfiguration)) {
	config := dap.TaskConfiguration{
		TaskInfo:       []byte("task"),
		LeaderEndpoint: s.url + "/leader/",
		HelperEndpoint: s.url + "/helper",
		TimePrecision:  precision,
		MinBatchSize:   1,
		BatchMode:      dap.TimeInterval,
		VDAF:           dap.VDAFConfig{Type: dap.VDAFSumVec, Length: 4, MaxMeasurement: 4096, ChunkLength: 18},
	}
	for _, m := range mutate {
		m(&config)
	}
	encoded, err := dap.Marshal(config)
	if err != nil {
		s.t.Fatal(err)
	}
	if s.task, err = round.NewTask(testID, encoded); err != nil {
		s.t.Fatal(err)
	}
}

// rotate gives an Aggregator a new key, advertised alone; old ones still open.
func (s *server) rotate(role dap.Role, id dap.HpkeConfigID) dap.HpkeConfig {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, key := newConfig(s.t, s.suite, id)
	s.keys[role][id] = key
	s.lists[role] = dap.HpkeConfigList{c}
	return c
}

func newConfig(t *testing.T, suite seal.Suite, id dap.HpkeConfigID) (dap.HpkeConfig, *seal.PrivateKey) {
	t.Helper()
	public, private, err := seal.GenerateKey(suite, nil)
	if err != nil {
		t.Fatal(err)
	}
	return dap.HpkeConfig{ID: id, KEM: suite.KEM, KDF: suite.KDF, AEAD: suite.AEAD, PublicKey: public}, private
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch path := r.URL.Path; {
	case r.Method == "GET" && (path == "/leader/hpke_config" || path == "/helper/hpke_config"):
		role := dap.Leader
		if strings.HasPrefix(path, "/helper") {
			role = dap.Helper
		}
		s.mu.Lock()
		s.fetches[role]++
		list := s.lists[role]
		maps.Copy(w.Header(), s.header)
		s.mu.Unlock()
		body, err := dap.Marshal(list)
		if err != nil {
			s.t.Errorf("encoding the list: %v", err)
		}
		w.Header().Set("Content-Type", dap.MediaTypeHpkeConfigList)
		w.Write(body)
	case path == "/leader/tasks/"+testID.String()+"/reports":
		body, err := io.ReadAll(r.Body)
		if err != nil {
			s.t.Errorf("reading an upload: %v", err)
		}
		s.mu.Lock()
		s.uploads = append(s.uploads, r)
		s.bodies = append(s.bodies, body)
		upload := s.upload
		s.mu.Unlock()
		if upload != nil {
			r.Body = io.NopCloser(bytes.NewReader(body))
			upload(w, r)
		}
	default:
		s.t.Errorf("unexpected request %s %s", r.Method, r.URL)
		w.WriteHeader(http.StatusNotFound)
	}
}

// direct is a transport that hands requests to a handler without a network, so that tests can run on a fake clock.
type direct struct{ handler http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	d.handler.ServeHTTP(w, r)
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

func (s *server) config() client.Config {
	return client.Config{
		Task: s.task,
		HTTP: &http.Client{Transport: direct{s}},
		Now:  func() time.Time { return epoch },
	}
}

func (s *server) client(mutate ...func(*client.Config)) *client.Client {
	s.t.Helper()
	cfg := s.config()
	for _, m := range mutate {
		m(&cfg)
	}
	c, err := client.New(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// open decrypts one Aggregator's share of a report in the way that the draft describes.
func (s *server) open(report dap.Report, role dap.Role) (dap.PlaintextInputShare, error) {
	s.t.Helper()
	encoded, err := dap.Marshal(report.Metadata)
	if err != nil {
		s.t.Fatal(err)
	}
	aad := append([]byte(nil), testID[:]...)
	aad = append(aad, s.task.Encoded...)
	aad = append(aad, encoded...)
	aad = append(aad, byte(len(report.PublicShare)>>24), byte(len(report.PublicShare)>>16), byte(len(report.PublicShare)>>8), byte(len(report.PublicShare)))
	aad = append(aad, report.PublicShare...)
	info := append([]byte("dap-18 input share\x01"), byte(role))
	ciphertext := report.Leader
	if role == dap.Helper {
		ciphertext = report.Helper
	}
	s.mu.Lock()
	key := s.keys[role][ciphertext.ConfigID]
	s.mu.Unlock()
	if key == nil {
		return dap.PlaintextInputShare{}, fmt.Errorf("no key %d", ciphertext.ConfigID)
	}
	plaintext, err := key.Open(ciphertext.Enc, info, aad, ciphertext.Payload)
	if err != nil {
		return dap.PlaintextInputShare{}, err
	}
	return dap.Parse[dap.PlaintextInputShare](plaintext)
}

// aggregate verifies a report as both Aggregators together and returns the sum of its output shares.
func (s *server) aggregate(report dap.Report) ([]uint64, error) {
	s.t.Helper()
	leader, err := s.open(report, dap.Leader)
	if err != nil {
		return nil, err
	}
	helper, err := s.open(report, dap.Helper)
	if err != nil {
		return nil, err
	}
	v, ctx := s.task.VDAF, append([]byte("dap-18"), testID[:]...)
	key := [prio3.VerifyKeySize]byte{9}
	in := prio3.Report{Nonce: report.Metadata.ReportID, PublicShare: report.PublicShare, InputShare: leader.Payload}
	w0 := v.NewVerifier(prio3.Leader, key, ctx)
	l := w0.LeaderInit([]prio3.Report{in})[0]
	if l.Err != nil {
		return nil, l.Err
	}
	in.InputShare, in.Inbound = helper.Payload, l.Outbound
	h := v.NewVerifier(prio3.Helper, key, ctx).HelperInit([]prio3.Report{in})[0]
	if h.Err != nil {
		return nil, h.Err
	}
	out, err := w0.LeaderContinued(l.State, h.Outbound)
	if err != nil {
		return nil, err
	}
	sum, err := v.Unshard([][]byte{out, h.OutShare}, 1)
	if err != nil {
		return nil, err
	}
	values := make([]uint64, len(sum))
	for i := range sum {
		values[i] = sum[i].Uint64()
	}
	return values, nil
}

// refuse answers uploads with an upload-errors message that gives e for every report.
func refuse(e dap.ReportError) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		req, err := dap.Parse[dap.UploadRequest](body)
		if err != nil {
			panic(err)
		}
		var statuses dap.UploadErrors
		for _, report := range req {
			statuses = append(statuses, dap.ReportUploadStatus{ReportID: report.Metadata.ReportID, Error: e})
		}
		out, err := dap.Marshal(statuses)
		if err != nil {
			panic(err)
		}
		w.Header().Set("Content-Type", dap.MediaTypeUploadErrors)
		w.Write(out)
	}
}

func mustPrepare(t *testing.T, c *client.Client, m []uint64) dap.Report {
	t.Helper()
	r, err := c.Prepare(context.Background(), m, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// countingReader is crypto/rand, remembering what it gave.
type countingReader struct {
	mu    sync.Mutex
	reads [][]byte
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := rand.Read(p)
	c.mu.Lock()
	c.reads = append(c.reads, bytes.Clone(p))
	c.mu.Unlock()
	return n, err
}
