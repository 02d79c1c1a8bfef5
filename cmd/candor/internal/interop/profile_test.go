package interop_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"candor/cmd/candor/internal/interop"
	"candor/crypto/seal"
	"candor/schema/dap"
	"candor/schema/round"
)

const (
	taskID = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
	idA    = "AAAAAAAAAAAAAAAAAAAAAA"
	idB    = "AAAAAAAAAAAAAAAAAAAAAQ"
)

// A peerServer is an Aggregator under test, and a task of Prio3Count in it.
type peerServer struct{ handler http.Handler }

func newPeerServer(t *testing.T, role string, peers interop.Peers) peerServer {
	t.Helper()
	a, err := interop.NewAggregator(t.TempDir(), peers, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	public, _, err := seal.GenerateKey(seal.X25519, nil)
	if err != nil {
		t.Fatal(err)
	}
	collector, err := round.EncodeHPKE(dap.HpkeConfig{ID: 1, KEM: seal.X25519.KEM, KDF: seal.X25519.KDF, AEAD: seal.X25519.AEAD, PublicKey: public})
	if err != nil {
		t.Fatal(err)
	}
	request, err := json.Marshal(map[string]any{"task_id": taskID, "leader": "http://127.0.0.1:1/", "helper": "http://127.0.0.1:1/", "vdaf": map[string]string{"type": "Prio3Count"},
		"batch_mode": 1, "min_batch_size": 1, "time_precision": 3600, "role": role, "leader_authentication_token": "leader", "collector_authentication_token": "collector",
		"vdaf_verify_key": taskID, "collector_hpke_config": collector})
	if err != nil {
		t.Fatal(err)
	}
	s := peerServer{a.Handler()}
	if _, answer := s.do(t, http.MethodPost, "/internal/test/add_task", "", "", request); string(answer) != `{"status":"success"}` {
		t.Fatalf("add_task answers %s", answer)
	}
	return s
}

// do makes a request and returns status and content.
func (s peerServer) do(t *testing.T, method, path, token, mediaType string, body []byte) (int, []byte) {
	t.Helper()
	r := httptest.NewRequest(method, path, bytes.NewReader(body))
	r.Header.Set("DAP-Auth-Token", token)
	r.Header.Set("Content-Type", mediaType)
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	content, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return w.Code, content
}

// A Helper whose Leader speaks Janus's form answers a repeated creation as the first one, refuses another one with the same identifier, and knows the job by it.
func TestJanusAggregationJob(t *testing.T) {
	s := newPeerServer(t, "helper", interop.Peers{Aggregator: interop.Janus202608})
	jobs := "/tasks/" + taskID + "/aggregation_jobs/"
	init := unhex(t, "00"+"00000000"+"010000"+"000000a4"+verifyInit)
	put := func(id string, body []byte) (int, []byte) {
		return s.do(t, http.MethodPut, jobs+id, "leader", dap.MediaTypeAggregationJobInitReq, body)
	}
	status, first := put(idA, init)
	if want := unhex(t, "00000012"+reportID+"02"+"05"); status != http.StatusCreated || !bytes.Equal(first, want) {
		t.Fatalf("status %d, %x, want 201 with %x", status, first, want)
	}
	if status, again := put(idA, init); status != http.StatusCreated || !bytes.Equal(again, first) {
		t.Errorf("repeated: status %d, %x", status, again)
	}
	other := slices.Clone(init)
	other[20] ^= 1 // of the report ID
	if status, text := put(idA, other); status != http.StatusConflict {
		t.Errorf("another job with the same identifier: status %d, %s", status, text)
	}
	if status, _ := put(idB, other); status != http.StatusCreated {
		t.Errorf("another job: status %d", status)
	}
	if status, got := s.do(t, http.MethodGet, jobs+idA+"?step=0", "leader", "", nil); status != http.StatusOK || !bytes.Equal(got, first) {
		t.Errorf("GET: status %d, %x", status, got)
	}
	if status, text := put(idB[:21]+"B", other); status != http.StatusBadRequest {
		t.Errorf("an identifier with bits beyond its end: status %d, %s", status, text)
	}
	if status, text := put(idA, init[:len(init)-1]); status != http.StatusBadRequest || !strings.Contains(string(text), "invalidMessage") {
		t.Errorf("half a message: status %d, %s", status, text)
	}
	if status, text := s.do(t, http.MethodPost, jobs+idA, "leader", dap.MediaTypeAggregationJobContinueReq, unhex(t, "0001"+"00000019"+reportID+"00000005"+"0200000000")); status != http.StatusBadRequest || !strings.Contains(string(text), "waits for a continuation") {
		t.Errorf("continuation: status %d, %s", status, text)
	}
	if status, _ := s.do(t, http.MethodDelete, jobs+idA, "leader", "", nil); status/100 != 2 {
		t.Errorf("DELETE: status %d", status)
	}
	if status, text := s.do(t, http.MethodGet, jobs+idA+"?step=0", "leader", "", nil); status/100 != 4 {
		t.Errorf("GET after DELETE: status %d, %s", status, text)
	}
}

// A Leader whose Collector speaks Janus's form creates a job for each identifier, also for equal requests.
func TestJanusCollectionJob(t *testing.T) {
	s := newPeerServer(t, "leader", interop.Peers{Collector: interop.Janus202608})
	jobs := "/tasks/" + taskID + "/collection_jobs/"
	query := unhex(t, "01001000000000000753000000000000000002000000000000")
	put := func(id string, body []byte) (int, []byte) {
		return s.do(t, http.MethodPut, jobs+id, "collector", dap.MediaTypeCollectionJobReq, body)
	}
	for _, id := range []string{idA, idA, idB} {
		if status, text := put(id, query); status != http.StatusCreated || len(text) > 0 {
			t.Errorf("%s: status %d, %s", id, status, text)
		}
	}
	other := slices.Clone(query)
	other[10]++
	if status, text := put(idA, other); status != http.StatusConflict {
		t.Errorf("another query with the same identifier: status %d, %s", status, text)
	}
	if status, text := s.do(t, http.MethodGet, jobs+idB, "collector", "", nil); status != http.StatusOK || len(text) > 0 {
		t.Errorf("GET: status %d, %s", status, text)
	}
}

// Without the profile there is no creation with PUT.
func TestProfileIsOff(t *testing.T) {
	s := newPeerServer(t, "helper", interop.Peers{Collector: interop.Janus202608})
	init := unhex(t, "00"+"00000000"+"010000"+"000000a4"+verifyInit)
	if status, _ := s.do(t, http.MethodPut, "/tasks/"+taskID+"/aggregation_jobs/"+idA, "leader", dap.MediaTypeAggregationJobInitReq, init); status != http.StatusMethodNotAllowed {
		t.Errorf("status %d", status)
	}
}
