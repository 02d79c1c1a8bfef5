package interop_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"candor/cmd/candor/internal/interop"
	"candor/schema/dap"
)

const (
	reportID = "000102030405060708090a0b0c0d0e0f"
	// A VerifyInit of Prio3Count with ciphertexts that stand for others.
	verifyInit = reportID + "0000000000075300" + "0000" + "00000000" + // metadata, public share
		"07" + "0020" + "eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee" + "00000036" + sealed +
		"00000025" + "0000000020" + "ebcfcd910a7e5d7df1a5abe293d25ad4dbbd7f9d2006ee03d6300844cd9f3dd3"
	sealed  = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
	batchID = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The framing of both forms, byte for byte. The digests were computed by another implementation of the two.
func TestJanusFraming(t *testing.T) {
	for name, c := range map[string]struct {
		strict, janus             string
		strictDigest, janusDigest string
		toStrict, toJanus         func([]byte) ([]byte, error)
	}{
		"init, time interval": {"00" + "00000000" + "0000" + verifyInit, "00" + "00000000" + "010000" + "000000a4" + verifyInit,
			"3b8630cbb930cf32122808ac6e8cf131d2279cf5eec861df3e35221cce1121c6", "a9905e1c5cf38db0aa4c3b8598467e0e7bb68765f348777403e19d2492954fef",
			interop.StrictInit, interop.JanusInit},
		"init, leader selected": {"00" + "00000000" + "0024" + "00010020" + batchID + verifyInit, "00" + "00000000" + "020020" + batchID + "000000a4" + verifyInit,
			"cf862645aab08cda05499630b59d479ab8d12490c3dc4bd598c1062cf4310418", "20cfa2ce194fab74698ce693caa8b59408a7831da8d6438180564e2d6898e6a9",
			interop.StrictInit, interop.JanusInit},
		"response": {reportID + "00" + "00000005" + "0200000000", "0000001a" + reportID + "00" + "00000005" + "0200000000", "", "",
			interop.StrictResponse, interop.JanusResponse},
		"continue": {"0001" + reportID + "00000005" + "0200000000", "0001" + "00000019" + reportID + "00000005" + "0200000000", "", "",
			interop.StrictContinue, nil},
		"not ready": {"", "", "", "", interop.StrictResponse, interop.JanusResponse},
	} {
		strict, janus := unhex(t, c.strict), unhex(t, c.janus)
		for want, b := range map[string][]byte{c.strictDigest: strict, c.janusDigest: janus} {
			if sum := sha256.Sum256(b); want != "" && hex.EncodeToString(sum[:]) != want {
				t.Errorf("%s: SHA-256 %x, want %s", name, sum, want)
			}
		}
		if got, err := c.toStrict(janus); err != nil || !bytes.Equal(got, strict) {
			t.Errorf("%s: in draft-18 %x, %v, want %x", name, got, err, strict)
		}
		if c.toJanus != nil {
			if got, err := c.toJanus(strict); err != nil || !bytes.Equal(got, janus) {
				t.Errorf("%s: in Janus's form %x, %v, want %x", name, got, err, janus)
			}
		}
		for n := range len(janus) {
			if n == 0 && name == "response" {
				continue // "not ready"
			}
			if _, err := c.toStrict(janus[:n]); !errors.Is(err, dap.ErrMalformed) {
				t.Errorf("%s: the first %d of %d bytes: %v", name, n, len(janus), err)
			}
		}
		if _, err := c.toStrict(append(slices.Clone(janus), 0)); !errors.Is(err, dap.ErrMalformed) {
			t.Errorf("%s: a byte more: %v", name, err)
		}
	}
}

// Batch selectors that are none, and extensions for which the other form has no place, are refused.
func TestJanusInitRefuses(t *testing.T) {
	for name, message := range map[string]string{
		"interval with batch ID": "00" + "00000000" + "010020" + batchID + "000000a4" + verifyInit,
		"a short batch ID":       "00" + "00000000" + "02001f" + batchID[2:] + "000000a4" + verifyInit,
		"no batch ID":            "00" + "00000000" + "020000" + "000000a4" + verifyInit,
		"a third mode":           "00" + "00000000" + "030000" + "000000a4" + verifyInit,
	} {
		if _, err := interop.StrictInit(unhex(t, message)); !errors.Is(err, dap.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, extensions := range map[string]string{"unknown": "000400050000", "another besides": "0028" + "00010020" + batchID + "00020000"} {
		if b, err := interop.JanusInit(unhex(t, "00"+"00000000"+extensions+verifyInit)); err == nil {
			t.Errorf("%s extension: %x", name, b)
		}
	}
}

// A Client of Janus's form is never told the report error that it cannot parse.
func TestJanusUploadErrors(t *testing.T) {
	strict, err := dap.Marshal(dap.UploadErrors{{Error: dap.ErrorOutdatedConfig}, {ReportID: dap.ReportID{1}, Error: dap.ErrorReportReplayed}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := interop.JanusUploadErrors(strict)
	if err != nil {
		t.Fatal(err)
	}
	got, err := dap.Parse[dap.UploadErrors](b)
	if err != nil || len(got) != 2 || got[0].Error != dap.ErrorHpkeUnknownConfigID || got[1].Error != dap.ErrorReportReplayed || got[1].ReportID != (dap.ReportID{1}) {
		t.Errorf("got %v, %v", got, err)
	}
}

// What parses in Janus's form translates there and back to the same bytes.
func FuzzJanusMessages(f *testing.F) {
	for _, seed := range []string{"00" + "00000000" + "010000" + "000000a4" + verifyInit, "00" + "00000000" + "020020" + batchID + "000000a4" + verifyInit,
		"0000001a" + reportID + "00" + "00000005" + "0200000000", "0001" + "00000019" + reportID + "00000005" + "0200000000", ""} {
		f.Add(unhex(f, seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if strict, err := interop.StrictInit(b); err == nil {
			// What is inside the list is left to the strict parser; if that refuses it, nothing can come back.
			if back, err := interop.JanusInit(strict); err == nil && !bytes.Equal(back, b) {
				t.Errorf("init %x became %x", b, back)
			}
		}
		if strict, err := interop.StrictResponse(b); err == nil && len(strict) > 0 {
			if back, err := interop.JanusResponse(strict); err != nil || !bytes.Equal(back, b) {
				t.Errorf("response %x became %x, %v", b, back, err)
			}
		}
		if strict, err := interop.StrictContinue(b); err == nil && len(strict)+4 != len(b) {
			t.Errorf("continue %x became %x", b, strict)
		}
		if strict, err := interop.JanusUploadErrors(b); err == nil && len(strict) != len(b) {
			t.Errorf("upload errors %x became %x", b, strict)
		}
	})
}

// Whatever a runner sends gets an answer in JSON with a status, and ends no server.
func FuzzCalls(f *testing.F) {
	a, err := interop.NewAggregator(f.TempDir(), interop.Peers{}, slog.New(slog.DiscardHandler))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { a.Close() })
	task := `"task_id":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","leader":"http://127.0.0.1:1/","helper":"http://127.0.0.1:1/","vdaf":{"type":"Prio3Sum","max_measurement":"255"},
		"batch_mode":1,"min_batch_size":1,"time_precision":3600,"task_start":0,"task_end":7200`
	f.Add("upload", `{`+task+`,"measurement":"1","time":3600}`)
	f.Add("upload", `{`+strings.Replace(task, `"Prio3Sum","max_measurement":"255"`, `"Prio3Histogram","length":"4","chunk_length":"2"`, 1)+`,"measurement":["1"],"time":3600}`)
	f.Add("add_task", `{`+task+`,"role":"helper","leader_authentication_token":"t","vdaf_verify_key":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","collector_hpke_config":""}`)
	f.Add("add_task", `{`+task+`,"collector_authentication_token":"t"}`)
	f.Add("collection_start", `{"task_id":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8","agg_param":"","query":{"type":1,"batch_interval_start":0,"batch_interval_duration":3600}}`)
	f.Add("collection_poll", `{"handle":"x"}`)
	f.Add("endpoint_for_task", `{"task_id":"","role":"leader","hostname":"x"}`)
	f.Add("ready", ``)
	f.Fuzz(func(t *testing.T, name, request string) {
		// No call here asks another party anything: the Collector has no task yet, and the Aggregator does not run.
		for _, h := range []http.Handler{a.Handler(), interop.NewCollector(interop.Peers{}, slog.New(slog.DiscardHandler))} {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(request))
			r.URL.Path = "/internal/test/" + name
			h.ServeHTTP(w, r)
			body, _ := io.ReadAll(w.Body)
			if w.Header().Get("Content-Type") != "application/json" || len(body) == 0 || body[0] != '{' {
				t.Errorf("%s answers %d, %s", name, w.Code, body)
			}
		}
		_, _ = interop.ParseUpload([]byte(request)) // returns
	})
}
