package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"candor/client"
	"candor/crypto/seal"
	"candor/schema/dap"
)

func TestNewRefuses(t *testing.T) {
	s := newServer(t)
	pin := func(suite seal.Suite) dap.HpkeConfig { c, _ := newConfig(t, suite, 1); return c }
	x, w := pin(seal.X25519), pin(seal.XWing)
	cut := w
	cut.PublicKey = w.PublicKey[1:]
	ofRound := newServer(t, func(c *dap.TaskConfiguration) {
		c.Extensions = []dap.Extension{dap.NewTaskIntervalExtension(dap.Interval{Start: 480000, Duration: 1}), dap.NewRoundHashExtension([32]byte{1})}
	})
	for _, c := range []struct {
		name string
		cfg  client.Config
		ok   bool
	}{
		{"no task", client.Config{}, false},
		{"plain task, nothing pinned", client.Config{Task: s.task}, true},
		{"plain task, X25519 pinned", client.Config{Task: s.task, LeaderHPKE: x, HelperHPKE: x}, true},
		{"one pinned", client.Config{Task: s.task, LeaderHPKE: x}, false},
		{"malformed key pinned", client.Config{Task: s.task, LeaderHPKE: cut, HelperHPKE: w}, false},
		{"round without pins", client.Config{Task: ofRound.task}, false},
		{"round with X25519", client.Config{Task: ofRound.task, LeaderHPKE: w, HelperHPKE: x}, false},
		{"round with X-Wing", client.Config{Task: ofRound.task, LeaderHPKE: w, HelperHPKE: w}, true},
	} {
		if _, err := client.New(c.cfg); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	for _, endpoint := range []string{"ftp://x/", "https://", "leader", "https://x/?a=b", "https://x/#f", "https://u:p@x/"} {
		bad := newServer(t, func(c *dap.TaskConfiguration) { c.LeaderEndpoint = endpoint })
		if _, err := client.New(client.Config{Task: bad.task, LeaderHPKE: x, HelperHPKE: x}); err == nil {
			t.Errorf("the endpoint %q is accepted", endpoint)
		}
	}
}

// Pinned configurations are used without asking anybody, and outdated_config does not make the Client ask.
func TestPinnedConfigurations(t *testing.T) {
	s := newServer(t)
	s.suite = seal.XWing
	leader, helper := s.rotate(dap.Leader, 30), s.rotate(dap.Helper, 31)
	s.rotate(dap.Leader, 32) // what a fetch would bring
	s.rotate(dap.Helper, 33)
	c := s.client(func(cfg *client.Config) { cfg.LeaderHPKE, cfg.HelperHPKE = leader, helper })
	report, err := c.Submit(context.Background(), measurement, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if report.Leader.ConfigID != 30 || report.Helper.ConfigID != 31 {
		t.Errorf("sealed to %d and %d", report.Leader.ConfigID, report.Helper.ConfigID)
	}
	if _, err := s.aggregate(report); err != nil {
		t.Error(err)
	}
	s.upload = refuse(dap.ErrorOutdatedConfig)
	uploads := len(s.uploads)
	if _, err := c.Submit(context.Background(), measurement, nil, nil); !errors.Is(err, client.ErrPinnedOutdated) || !errors.Is(err, dap.ErrorOutdatedConfig) {
		t.Errorf("error %v", err)
	}
	if len(s.uploads) != uploads+1 || s.fetches[dap.Leader]+s.fetches[dap.Helper] != 0 {
		t.Errorf("%d uploads, fetches %v: the Client fell back", len(s.uploads)-uploads, s.fetches)
	}
}

func TestPrepareRefusesTimesOutsideTheTask(t *testing.T) {
	s := newServer(t, func(c *dap.TaskConfiguration) {
		c.Extensions = []dap.Extension{dap.NewTaskIntervalExtension(dap.Interval{Start: 480000, Duration: 2})}
	})
	for at, ok := range map[int64]bool{480000*precision - 1: false, 480000 * precision: true, 480002*precision - 1: true, 480002 * precision: false} {
		c := s.client(func(cfg *client.Config) { cfg.Now = func() time.Time { return time.Unix(at, 0) } })
		if _, err := c.Prepare(context.Background(), measurement, nil, nil); (err == nil) != ok {
			t.Errorf("at %d: %v", at, err)
		} else if err != nil && !strings.Contains(err.Error(), "2024-10-04T00:00:00Z until 2024-10-04T02:00:00Z") {
			t.Errorf("the error does not say when the task takes reports: %v", err)
		}
	}
}

// What the Leader answers about reports is believed only as far as it makes sense.
func TestUploadErrors(t *testing.T) {
	s := newServer(t)
	c := s.client()
	a, b, d := mustPrepare(t, c, measurement), mustPrepare(t, c, measurement), mustPrepare(t, c, measurement)
	status := func(r dap.Report, e byte) []byte { return append(r.Metadata.ReportID[:len(r.Metadata.ReportID):16], e) }
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	stranger := status(dap.Report{}, 8)
	for _, tc := range []struct {
		name        string
		contentType string
		body        []byte
		want        string // "error" or the refusals
	}{
		{"all accepted", "", nil, "[]"},
		{"one", dap.MediaTypeUploadErrors, status(b, 8), "[b8]"},
		{"in our order", dap.MediaTypeUploadErrors, join(status(d, 3), status(a, 2)), "[a2 d3]"},
		{"unknown code", dap.MediaTypeUploadErrors, status(b, 200), "[b200]"},
		{"code 0", dap.MediaTypeUploadErrors, status(b, 0), "error"},
		{"twice", dap.MediaTypeUploadErrors, join(status(b, 8), status(b, 8)), "error"},
		{"another's report", dap.MediaTypeUploadErrors, stranger, "error"},
		{"truncated", dap.MediaTypeUploadErrors, status(b, 8)[:16], "error"},
		{"too long", dap.MediaTypeUploadErrors, bytes.Repeat(status(b, 8), 4), "error"},
		{"wrong media type", dap.MediaTypeUploadReq, status(b, 8), "error"},
		{"no media type", "text/plain", status(b, 8), "error"},
	} {
		s.upload = func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", tc.contentType)
			w.Write(tc.body)
		}
		refused, err := c.Upload(context.Background(), a, b, d)
		got := []string{}
		for _, r := range refused {
			name := map[dap.ReportID]string{a.Metadata.ReportID: "a", b.Metadata.ReportID: "b", d.Metadata.ReportID: "d"}[r.ReportID]
			got = append(got, fmt.Sprint(name, uint8(r.Error)))
		}
		if text := fmt.Sprint(got); err != nil && tc.want != "error" || err == nil && text != tc.want {
			t.Errorf("%s: %s, %v, want %s", tc.name, text, err, tc.want)
		}
	}
}

// report_replayed on a repetition says that the first attempt had arrived; on a first attempt it is a refusal.
func TestReplayedAfterLostAnswer(t *testing.T) {
	for _, c := range []struct {
		name  string
		first func(w http.ResponseWriter)
		ok    bool
	}{
		{"answer lost", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, true},
		{"status 500 after storing", func(w http.ResponseWriter) { w.WriteHeader(500) }, true},
		{"turned away unread", func(w http.ResponseWriter) { w.WriteHeader(429) }, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newServer(t)
			attempts := 0
			s.upload = func(w http.ResponseWriter, r *http.Request) {
				if attempts++; attempts == 1 {
					c.first(w)
					return
				}
				refuse(dap.ErrorReportReplayed)(w, r)
			}
			cl := s.client(func(cfg *client.Config) { cfg.HTTP.Transport = lossy{direct{s}} })
			_, err := cl.Submit(t.Context(), measurement, nil, nil)
			if (err == nil) != c.ok || attempts != 2 {
				t.Errorf("%s: %v after %d attempts", c.name, err, attempts)
			}
		})
	}
}

// lossy turns a handler's panic into a broken connection.
type lossy struct{ http.RoundTripper }

func (l lossy) RoundTrip(r *http.Request) (resp *http.Response, err error) {
	defer func() {
		if recover() != nil {
			resp, err = nil, io.ErrUnexpectedEOF
		}
	}()
	return l.RoundTripper.RoundTrip(r)
}

// Retries end: after the last attempt, and as soon as the context does.
func TestRetriesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		s.upload = func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }
		c := s.client()
		report := mustPrepare(t, c, measurement)
		start := time.Now()
		if _, err := c.Upload(t.Context(), report); err == nil || len(s.uploads) != 6 {
			t.Errorf("%v after %d attempts", err, len(s.uploads))
		}
		if d := time.Since(start); d < 7*time.Second || d > 16*time.Second { // ½+1+2+4+8 s, each between half and all
			t.Errorf("the pauses take %v", d)
		}
		s.uploads = nil
		s.upload = func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(503)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		start = time.Now()
		if _, err := c.Upload(ctx, report); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if d := time.Since(start); d != 90*time.Second || len(s.uploads) != 2 {
			t.Errorf("%d attempts in %v", len(s.uploads), d)
		}
	})
}

// A server that accepts a connection and says nothing does not hold a client for ever.
func TestSilentServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t)
		c := s.client(func(cfg *client.Config) {
			cfg.HTTP.Transport = silent{}
			cfg.Attempts = 2
		})
		start := time.Now()
		if _, err := c.Prepare(t.Context(), measurement, nil, nil); err == nil {
			t.Error("no error")
		}
		if d := time.Since(start); d > 5*time.Minute {
			t.Errorf("it took %v", d)
		}
	})
}

type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// Large uploads are split, in order, and each report is sent once.
func TestLargeUploadsAreSplit(t *testing.T) {
	s := newServer(t)
	c := s.client()
	report := mustPrepare(t, c, measurement)
	report.Helper.Payload = make([]byte, 3<<20/2) // as if it were a large share
	var reports []dap.Report
	for i := range byte(5) {
		r := report
		r.Metadata.ReportID[0] = i
		reports = append(reports, r)
	}
	s.upload = refuse(dap.ErrorInvalidMessage)
	refused, err := c.Upload(context.Background(), reports...)
	if err != nil || len(refused) != 5 || len(s.uploads) != 3 {
		t.Fatalf("%d refusals in %d requests, %v", len(refused), len(s.uploads), err)
	}
	for i, r := range refused {
		if r.ReportID[0] != byte(i) {
			t.Errorf("refusal %d is of report %d", i, r.ReportID[0])
		}
	}
}

// Many callers share one fetch, and one Client.
func TestConcurrentUse(t *testing.T) {
	s := newServer(t)
	c := s.client()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := c.Submit(context.Background(), measurement, nil, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if s.fetches[dap.Leader] != 1 || s.fetches[dap.Helper] != 1 || len(s.uploads) != 8 {
		t.Errorf("fetches %v, %d uploads", s.fetches, len(s.uploads))
	}
}

// The token goes to the Leader's reports resource and nowhere else; neither it nor a measurement is printed or logged.
func TestNothingLeaks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const token = "tok-8f3a91"
		secret := []uint64{4091, 3, 7, 11}
		s := newServer(t)
		var tokens []string
		s.upload = func(w http.ResponseWriter, r *http.Request) {
			tokens = append(tokens, r.Header.Get("Authorization"))
			if len(tokens) == 1 {
				w.WriteHeader(503)
				return
			}
			refuse(dap.ErrorInvalidMessage)(w, r)
		}
		var log bytes.Buffer
		var paths []string
		c := s.client(func(cfg *client.Config) {
			cfg.Token = token
			cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			cfg.HTTP.Transport = spy{cfg.HTTP.Transport, func(r *http.Request) {
				if r.Header.Get("Authorization") != "" {
					paths = append(paths, r.URL.Path)
				}
			}}
		})
		_, err := c.Submit(t.Context(), secret, nil, nil)
		if !errors.Is(err, dap.ErrorInvalidMessage) {
			t.Fatal(err)
		}
		if len(tokens) != 2 || tokens[1] != "Bearer "+token {
			t.Errorf("authorization %q", tokens)
		}
		for _, p := range paths {
			if !strings.HasSuffix(p, "/reports") {
				t.Errorf("the token went to %s", p)
			}
		}
		_, tooBig := c.Prepare(t.Context(), []uint64{4097, 0, 0, 0}, nil, nil)
		if tooBig == nil {
			t.Error("a measurement out of range is accepted")
		}
		all := log.String() + err.Error() + fmt.Sprint(tooBig) + fmt.Sprintf("%v %+v %#v", c, c, c)
		for _, word := range []string{token, "4091", "4097"} {
			if strings.Contains(all, word) {
				t.Errorf("%q is in errors, logs or the printed Client", word)
			}
		}
		if !strings.Contains(log.String(), "request is repeated") {
			t.Errorf("the repetition is not logged:\n%s", log.String())
		}
	})
}

type spy struct {
	http.RoundTripper
	see func(*http.Request)
}

func (s spy) RoundTrip(r *http.Request) (*http.Response, error) {
	s.see(r)
	return s.RoundTripper.RoundTrip(r)
}

func TestPrivateExtensionErrors(t *testing.T) {
	s := newServer(t)
	cause := errors.New("no key")
	_, err := s.client().Prepare(context.Background(), measurement, nil, func(client.Share) ([]dap.Extension, error) { return nil, cause })
	if !errors.Is(err, cause) {
		t.Errorf("error %v", err)
	}
}

// What a Share shows is what is sealed: a signature over it can be checked by the recipient.
func TestShareIsWhatIsSealed(t *testing.T) {
	s := newServer(t)
	shares := map[dap.Role]client.Share{}
	report, err := s.client().Prepare(context.Background(), measurement, []dap.Extension{{Type: 2}}, func(share client.Share) ([]dap.Extension, error) {
		share.Metadata, share.Payload = bytes.Clone(share.Metadata), bytes.Clone(share.Payload)
		shares[share.Recipient] = share
		return nil, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	metadata, err := dap.Marshal(report.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range []dap.Role{dap.Leader, dap.Helper} {
		plain, err := s.open(report, role)
		if err != nil {
			t.Fatal(err)
		}
		if got := shares[role]; !bytes.Equal(got.Metadata, metadata) || !bytes.Equal(got.Payload, plain.Payload) || !bytes.Equal(got.PublicShare, report.PublicShare) {
			t.Errorf("the %v's share is not what was shown", role)
		}
	}
}
