package demo_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"candor/client/figures"
	"candor/cmd/candor/internal/config"
	"candor/cmd/candor/internal/demo"
	"candor/crypto/prio3"
	"candor/crypto/seal"
	"candor/crypto/xof"
	"candor/schema/dap"
	"candor/schema/round"
)

// A secret is one number that no server may learn, in all the forms in which it could turn up.
type secret struct {
	name  string
	forms [][]byte
}

// secretsOf returns the forms of a 40-bit count and of what is submitted for it. A count of 40 bits does not fit 4 bytes; its 5 bytes alone are part of each wider form
// of the same order, and stand for them.
func secretsOf(name string, value, submitted uint64, bits int) []secret {
	var secrets []secret
	for what, v := range map[string]uint64{"true value": value, "value with noise and offset": submitted} {
		s := secret{name: name + ", " + what}
		be := binary.BigEndian.AppendUint64(nil, v)[3:]
		le := binary.LittleEndian.AppendUint64(nil, v)[:5]
		s.forms = append(s.forms, []byte(strconv.FormatUint(v, 10)), []byte(thousands(v)), []byte(hex.EncodeToString(be)), be, le, montgomery(v))
		secrets = append(secrets, s)
	}
	// The bits that are proved, as field elements, as bytes and as text; those are of what is submitted.
	s := secret{name: name + ", bits of the submission", forms: [][]byte{encodeBits(submitted, bits)}}
	var asBytes, asText []byte
	for _, b := range bitsOf(submitted, bits) {
		asBytes, asText = append(asBytes, b), append(asText, '0'+b)
	}
	s.forms = append(s.forms, asBytes, asText)
	return append(secrets, s)
}

func thousands(v uint64) string {
	text := strconv.FormatUint(v, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// field128 is 2^128 - 28·2^64 + 1.
var field128 = new(big.Int).Add(new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 128), new(big.Int).Lsh(big.NewInt(28), 64)), big.NewInt(1))

// montgomery returns v·2^128 mod p, little-endian: how arithmetic could hold it.
func montgomery(v uint64) []byte {
	x := new(big.Int).Lsh(new(big.Int).SetUint64(v), 128)
	b := x.Mod(x, field128).FillBytes(make([]byte, 16))
	for i := range 8 {
		b[i], b[15-i] = b[15-i], b[i]
	}
	return b
}

// bitsOf encodes v as Prio3SumVec does, up to the maximum of the demo's task (VDAF, Prio3Sum): the plain bits while they reach it.
func bitsOf(v uint64, bits int) []byte {
	const maximum = 1<<40 + 128
	rest := uint64(1)<<(bits-1) - 1
	last := byte(0)
	if v > rest {
		v -= maximum - rest
		last = 1
	}
	out := make([]byte, bits)
	for i := range bits - 1 {
		out[i] = byte(v >> i & 1)
	}
	out[bits-1] = last
	return out
}

// encodeBits is the plain encoding of a measurement of one cell: what the shares add up to.
func encodeBits(v uint64, bits int) []byte {
	out := make([]byte, 16*bits)
	for i, b := range bitsOf(v, bits) {
		out[16*i] = b
	}
	return out
}

// find returns the secrets that occur in text.
func find(secrets []secret, text []byte) []string {
	var found []string
	for _, s := range secrets {
		for i, form := range s.forms {
			if bytes.Contains(text, form) {
				found = append(found, fmt.Sprintf("%s (form %d)", s.name, i))
			}
		}
	}
	return found
}

// A recorder is a proxy before a server that keeps every body in both directions.
type recorder struct {
	mu     sync.Mutex // guards bodies
	bodies []recorded
}

type recorded struct {
	path        string
	contentType string
	body        []byte
}

func (r *recorder) endpoint(t *testing.T, address string) string {
	proxy := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
	proxy.ModifyResponse = func(resp *http.Response) error {
		body, err := io.ReadAll(resp.Body)
		r.keep(resp.Request.URL.Path, resp.Header.Get("Content-Type"), body)
		resp.Body = io.NopCloser(bytes.NewReader(body))
		return err
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			t.Error(err)
		}
		r.keep(req.URL.Path, req.Header.Get("Content-Type"), body)
		req.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(w, req)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/"
}

func (r *recorder) keep(path, contentType string, body []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.bodies = append(r.bodies, recorded{path, contentType, body})
}

// Each server is given everything it has or hears: its directory with store, keys and log, every HTTP body to and from it, and whatever its own key opens in them. None of it contains a
// member's count in any form.
func TestNoServerLearnsACount(t *testing.T) {
	t.Parallel()
	const members, bits = 15, 41
	table := &figures.Tidy{Period: "2024", Metrics: []string{"items"}}
	values := map[string]uint64{}
	for i := range members {
		name := fmt.Sprintf("organisation %d", i)
		v := uint64(1)<<39 + rand.Uint64N(1<<39)
		values[name] = v
		table.Organisations = append(table.Organisations, figures.Organisation{Name: name, Values: []int64{int64(v)}, Missing: []bool{false}})
	}
	o := options(t, table)
	o.Window = 8 * time.Second
	recorders := map[string]*recorder{"leader": {}, "helper": {}}
	o.Hooks.Endpoint = func(role, address string) string { return recorders[role].endpoint(t, address) }
	var mu sync.Mutex
	var secrets []secret
	o.Hooks.Measured = func(organisation string, measurement []uint64) {
		mu.Lock()
		defer mu.Unlock()
		secrets = append(secrets, secretsOf(organisation, values[organisation], measurement[0], bits)...)
	}
	summary, err := demo.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	// One member submits twice, and a stranger tries.
	if summary.Counted != members || len(secrets) != 3*(members+2) {
		t.Fatalf("%d reports counted, %d secrets known: the search would be of nothing", summary.Counted, len(secrets))
	}
	task := taskOf(t, filepath.Join(o.Out, "secretariat"))
	for role, r := range recorders {
		view, opened := everything(t, o.Out, role, task, r)
		if want := map[string]int{"leader": members + 2, "helper": members}[role]; opened != want {
			t.Errorf("the %s's key opened %d shares, want %d: the search would miss them", role, opened, want)
		}
		t.Logf("%s: searched %d bytes in %d pieces", role, size(view), len(view))
		for _, piece := range view {
			if found := find(secrets, piece.body); len(found) > 0 {
				t.Errorf("the %s has %s: %s", role, piece.path, strings.Join(found, "; "))
			}
		}
	}
	control(t, task, secrets, bits)
}

// control makes the mistake that the test looks for: the Leader's share is the plain encoding.
func control(t *testing.T, task *round.Task, secrets []secret, bits int) {
	t.Helper()
	const submitted = 1<<39 + 123456789
	planted := secretsOf("control", submitted, submitted, bits)
	_, shares, err := task.VDAF.Shard(task.Context, [16]byte{1}, make([]byte, task.VDAF.RandSize()), []uint64{submitted})
	if err != nil {
		t.Fatal(err)
	}
	if found := find(append(planted, secrets...), shares[prio3.Leader]); len(found) > 0 {
		t.Errorf("a real share holds %s", found)
	}
	copy(shares[prio3.Leader], encodeBits(submitted, bits))
	if len(find(planted, shares[prio3.Leader])) == 0 {
		t.Error("the search does not find a share that is the plain encoding")
	}
	for _, plain := range [][]byte{
		[]byte("count=" + strconv.Itoa(submitted)), binary.BigEndian.AppendUint64(nil, submitted), binary.LittleEndian.AppendUint64(nil, submitted), montgomery(submitted),
	} {
		if len(find(planted, append([]byte("around it "), plain...))) == 0 {
			t.Errorf("the search does not find %x", plain)
		}
	}
}

func size(view []recorded) (n int) {
	for _, p := range view {
		n += len(p.body)
	}
	return n
}

func taskOf(t *testing.T, dir string) *round.Task {
	t.Helper()
	files, err := config.RoundFiles(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("rounds in %s: %v, %v", dir, files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	signed, err := round.ParseSigned(text)
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := signed.Document.Tasks()
	if err != nil {
		t.Fatal(err)
	}
	return tasks[0]
}

// everything returns all that a server has, hears and can open, and how many shares its key opened.
func everything(t *testing.T, out, role string, task *round.Task, r *recorder) (view []recorded, opened int) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(out, role), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		view = append(view, recorded{path: "the file " + e.Name(), body: text})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	key := hpkeKeyOf(t, out, role)
	me := map[string]dap.Role{"leader": dap.Leader, "helper": dap.Helper}[role]
	open := func(metadata dap.ReportMetadata, publicShare []byte, ct dap.HpkeCiphertext) {
		encoded, err := dap.Marshal(metadata)
		if err != nil {
			t.Fatal(err)
		}
		if plaintext, err := openShare(key, task, me, encoded, publicShare, ct); err == nil {
			opened++
			view = append(view, recorded{path: "an opened share", body: plaintext}, recorded{path: "an expanded share", body: expand(t, task, me, metadata, plaintext)})
		}
	}
	for _, b := range r.bodies {
		view = append(view, recorded{path: "a body of " + b.path, body: b.body})
		switch message, _ := dap.MediaTypeMessage(b.contentType); message {
		case dap.MessageUploadReq:
			reports, err := dap.Parse[dap.UploadRequest](b.body)
			if err != nil {
				t.Fatal(err)
			}
			for _, report := range reports {
				open(report.Metadata, report.PublicShare, report.Leader)
			}
		case dap.MessageAggregationJobInitReq:
			job, err := dap.Parse[dap.AggregationJobInitReq](b.body)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range job.VerifyInits {
				open(v.ReportShare.Metadata, v.ReportShare.PublicShare, v.ReportShare.Ciphertext)
			}
		}
	}
	return view, opened
}

// hpkeKeyOf returns a server's HPKE key, which is sealed.
func hpkeKeyOf(t *testing.T, out, role string) *seal.PrivateKey {
	t.Helper()
	cfg, err := config.LoadAggregator(filepath.Join(out, role, role+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if _, err := cfg.UnsealKeys(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	_, key, err := config.LoadHPKE(filepath.Join(dir, "hpke.key"))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func openShare(key *seal.PrivateKey, task *round.Task, me dap.Role, metadata, publicShare []byte, ct dap.HpkeCiphertext) ([]byte, error) {
	return key.Open(ct.Enc, dap.InputShareInfo(me), dap.InputShareAAD(task.ID, task.Encoded, metadata, publicShare), ct.Payload)
}

// expand returns the measurement share that an opened share stands for: the Leader's as it is, the Helper's from its seed (VDAF, Prio3, usage 1).
func expand(t *testing.T, task *round.Task, me dap.Role, metadata dap.ReportMetadata, plaintext []byte) []byte {
	t.Helper()
	share, err := dap.Parse[dap.PlaintextInputShare](plaintext)
	if err != nil {
		t.Fatalf("report %s: %v", metadata.ReportID, err)
	}
	if me == dap.Leader {
		return share.Payload
	}
	dst := append([]byte{prio3.Version, 0, 0, 0, 0, byte(prio3.SumVec), 0, 1}, task.Context...)
	stream, err := xof.New(dst, share.Payload[:32], []byte{prio3.Helper})
	if err != nil {
		t.Fatal(err)
	}
	out := make([]byte, 16*41)
	stream.Read(out)
	return out
}
