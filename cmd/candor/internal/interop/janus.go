package interop

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"

	"golang.org/x/crypto/cryptobyte"

	"candor/aggregator"
	"candor/schema/dap"
)

// A Profile is the form in which a peer speaks DAP.
type Profile string

const (
	// Draft18 is draft-ietf-ppm-dap-18, the default.
	Draft18 Profile = ""
	// Janus202608 is what the main branch of Janus spoke in August 2026 (commit 4ab28a36), which is draft-18 but for this: aggregation jobs, aggregate shares
	// and collection jobs are created with PUT, under an identifier that the caller chooses; the messages of aggregation jobs have the framing of earlier
	// drafts; and the report error outdated_config does not exist. All of that is in this file, as a translation between the wire and the strict parties.
	Janus202608 Profile = "janus-2026-08"
)

// Peers says in what form each peer of an Aggregator or a Collector speaks.
type Peers struct {
	Aggregator Profile // the other Aggregator; for a Collector, the Leader
	Collector  Profile
	Client     Profile
}

// maxTranslated bounds a message that is translated, in bytes.
const maxTranslated = 64 << 20

// Names of collections of resources that have another form there.
const (
	aggregationJobs = "aggregation_jobs"
	aggregateShares = "aggregate_shares"
	collectionJobs  = "collection_jobs"
	reports         = "reports"
)

// resourcePath splits the path of a task's resource, or of their collection, into what is before the identifier, the name and the identifier.
var resourcePath = regexp.MustCompile(`^(.*/tasks/[A-Za-z0-9_-]{43}/([a-z_]+))(?:/([A-Za-z0-9_-]{22}))?$`)

// --- The messages. Each function takes what is well-formed or returns dap.ErrMalformed; what is inside the lists it leaves to the strict parties.

// strictInit translates an AggregationJobInitReq to draft-18: the partial batch selector becomes an extension, and the list loses its length.
func strictInit(janus []byte) ([]byte, error) {
	s := cryptobyte.String(janus)
	var keyID, mode uint8
	var parameter, inits []byte
	var selector cryptobyte.String
	if !s.ReadUint8(&keyID) || !read32(&s, &parameter) || !s.ReadUint8(&mode) || !s.ReadUint16LengthPrefixed(&selector) || !read32(&s, &inits) || !s.Empty() {
		return nil, dap.ErrMalformed
	}
	var extensions []byte
	switch mode := dap.BatchMode(mode); {
	case mode == dap.TimeInterval && len(selector) == 0:
	case mode == dap.LeaderSelected && len(selector) == len(dap.BatchID{}):
		var err error
		if extensions, err = dap.Marshal(dap.NewBatchIDExtension(dap.BatchID(selector))); err != nil {
			return nil, err
		}
	default:
		return nil, dap.ErrMalformed
	}
	b := cryptobyte.NewBuilder(make([]byte, 0, len(janus)+8))
	b.AddUint8(keyID)
	add32(b, parameter)
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(extensions) })
	b.AddBytes(inits)
	return b.Bytes()
}

// janusInit is the inverse of strictInit.
func janusInit(strict []byte) ([]byte, error) {
	req, err := dap.Parse[dap.AggregationJobInitReq](strict)
	if err != nil {
		return nil, err
	}
	mode, selector := dap.TimeInterval, []byte(nil)
	if data, there := dap.FindExtension(req.Extensions, dap.JobExtensionLeaderSelectedBatchID); there {
		mode, selector = dap.LeaderSelected, data
	}
	if len(req.Extensions) > 1 || len(req.Extensions) == 1 && mode == dap.TimeInterval {
		return nil, errors.New("the peer knows none of the aggregation job's extensions")
	}
	// What comes before the list in draft-18 is of known length.
	head := 1 + 4 + len(req.AggregationParameter) + 2
	if mode == dap.LeaderSelected {
		head += 4 + len(selector)
	}
	b := cryptobyte.NewBuilder(make([]byte, 0, len(strict)+8))
	b.AddUint8(req.VerificationKeyID)
	add32(b, req.AggregationParameter)
	b.AddUint8(uint8(mode))
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(selector) })
	add32(b, strict[head:])
	return b.Bytes()
}

// strictContinue translates an AggregationJobContinueReq to draft-18: the list loses its length. A Prio3 job is never continued, so nothing makes the inverse.
func strictContinue(janus []byte) ([]byte, error) {
	s := cryptobyte.String(janus)
	var step, continues []byte
	if !s.ReadBytes(&step, 2) || !read32(&s, &continues) || !s.Empty() {
		return nil, dap.ErrMalformed
	}
	return slices.Concat(step, continues), nil
}

// strictResponse translates an AggregationJobResp to draft-18: the list loses its length. No content stays none: it means "not ready yet" in both.
func strictResponse(janus []byte) ([]byte, error) {
	s := cryptobyte.String(janus)
	var list []byte
	if len(janus) > 0 && (!read32(&s, &list) || !s.Empty()) {
		return nil, dap.ErrMalformed
	}
	return list, nil
}

// janusResponse is the inverse of strictResponse.
func janusResponse(strict []byte) ([]byte, error) {
	if len(strict) == 0 {
		return nil, nil
	}
	b := cryptobyte.NewBuilder(make([]byte, 0, len(strict)+4))
	add32(b, strict)
	return b.Bytes()
}

// janusUploadErrors replaces the report error that the peer cannot parse by the one that it has for the same.
func janusUploadErrors(strict []byte) ([]byte, error) {
	statuses, err := dap.Parse[dap.UploadErrors](strict)
	if err != nil {
		return nil, err
	}
	for i := range statuses {
		if statuses[i].Error == dap.ErrorOutdatedConfig {
			statuses[i].Error = dap.ErrorHpkeUnknownConfigID
		}
	}
	return dap.Marshal(statuses)
}

func read32(s *cryptobyte.String, out *[]byte) bool {
	var n uint32
	return s.ReadUint32(&n) && uint64(n) <= uint64(len(*s)) && s.ReadBytes(out, int(n))
}

func add32(b *cryptobyte.Builder, content []byte) {
	b.AddUint32LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(content) })
}

// --- Requests of peers, to a server of ours.

// serve returns a handler that lets peers of Janus's form speak with next, which speaks draft-18. Draft-18's own creations, with POST, go on beside.
func (p Peers) serve(next http.Handler) http.Handler {
	if p == (Peers{}) {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := resourcePath.FindStringSubmatch(r.URL.Path)
		if path == nil {
			next.ServeHTTP(w, r)
			return
		}
		base, name, id := path[1], path[2], path[3]
		peer := map[string]Profile{aggregationJobs: p.Aggregator, aggregateShares: p.Aggregator, collectionJobs: p.Collector, reports: p.Client}[name]
		if peer != Janus202608 {
			next.ServeHTTP(w, r)
			return
		}
		request, response := func(b []byte) ([]byte, error) { return b, nil }, func(b []byte) ([]byte, error) { return b, nil }
		switch {
		case name == aggregationJobs && r.Method == http.MethodPut:
			request, response = strictInit, janusResponse
		case name == aggregationJobs && r.Method == http.MethodPost && id != "":
			request, response = strictContinue, janusResponse
		case name == aggregationJobs && r.Method == http.MethodGet:
			response = janusResponse
		case name == reports:
			response = janusUploadErrors
		case r.Method != http.MethodPut:
			next.ServeHTTP(w, r)
			return
		}
		content, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxTranslated))
		if err == nil {
			content, err = request(content)
		}
		if err != nil {
			writeProblem(w, dap.NewProblem(dap.InvalidMessage, "the content is not well-formed in the form of "+string(Janus202608)))
			return
		}
		ctx := r.Context()
		created := r.Method == http.MethodPut && id != ""
		strict := r.Clone(ctx)
		if created {
			var chosen [16]byte
			if n, err := base64.RawURLEncoding.Strict().Decode(chosen[:], []byte(id)); err != nil || n != len(chosen) {
				writeProblem(w, dap.NewStatusProblem(http.StatusBadRequest, "the identifier in the path is not one"))
				return
			}
			strict = r.Clone(aggregator.WithChosenID(ctx, chosen))
			strict.Method, strict.URL.Path, strict.URL.RawPath = http.MethodPost, base, ""
		}
		strict.Body, strict.ContentLength = io.NopCloser(bytes.NewReader(content)), int64(len(content))
		rec := &recorder{header: make(http.Header), status: http.StatusOK}
		next.ServeHTTP(rec, strict)
		rec.copy(w, response, created, name)
	})
}

// copy sends what was recorded, translated, to a peer. The Collector wants a creation answered with 201 and looks at nothing else; an aggregation job that is
// answered at once has 201 too.
func (rec *recorder) copy(w http.ResponseWriter, translate func([]byte) ([]byte, error), created bool, name string) {
	status, body := rec.status, rec.body.Bytes()
	if status/100 == 2 {
		if len(body) > 0 {
			var err error
			if body, err = translate(body); err != nil {
				writeProblem(w, dap.NewStatusProblem(http.StatusInternalServerError, "the answer cannot be translated"))
				return
			}
		}
		if created && (name == collectionJobs || name == aggregationJobs && len(body) > 0) {
			status = http.StatusCreated
		}
	}
	maps.Copy(w.Header(), rec.header)
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a peer that is gone asks again
}

func writeProblem(w http.ResponseWriter, p *dap.Problem) {
	text, _ := json.Marshal(p) // a problem always has a text
	w.Header().Set("Content-Type", dap.MediaTypeProblem)
	w.WriteHeader(p.Status)
	_, _ = w.Write(text)
}

// A recorder keeps a response.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (rec *recorder) Header() http.Header         { return rec.header }
func (rec *recorder) WriteHeader(status int)      { rec.status = status }
func (rec *recorder) Write(b []byte) (int, error) { return rec.body.Write(b) }

// --- Requests of ours, to a peer's server.

// A janusTransport lets a party that speaks draft-18 speak with a server of Janus's form.
type janusTransport struct{ next http.RoundTripper }

func (t janusTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	path := resourcePath.FindStringSubmatch(r.URL.Path)
	if path == nil || path[2] == reports {
		return t.next.RoundTrip(r)
	}
	name, id := path[2], path[3]
	out := r.Clone(r.Context())
	location := ""
	if r.Method == http.MethodPost && id == "" && r.Body != nil {
		content, err := io.ReadAll(r.Body)
		if err = errors.Join(err, r.Body.Close()); err != nil {
			return nil, err
		}
		chosen := chooseID(r, content)
		if name == aggregationJobs {
			if content, err = janusInit(content); err != nil {
				return nil, fmt.Errorf("translating an aggregation job for %s: %w", Janus202608, err)
			}
		}
		out.Method = http.MethodPut
		out.URL = r.URL.JoinPath(base64.RawURLEncoding.EncodeToString(chosen[:]))
		out.Body, out.ContentLength = io.NopCloser(bytes.NewReader(content)), int64(len(content))
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
		location = out.URL.String()
	}
	resp, err := t.next.RoundTrip(out)
	if err != nil || resp.StatusCode/100 != 2 {
		return resp, err
	}
	if location != "" {
		resp.Header.Set("Location", location)
	} else {
		resp.Header.Del("Location") // without the path of the base URL: the job is where it was asked for
	}
	if name != aggregationJobs {
		return resp, nil
	}
	content, err := io.ReadAll(io.LimitReader(resp.Body, maxTranslated))
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return nil, err
	}
	if content, err = strictResponse(content); err != nil {
		return nil, fmt.Errorf("translating an answer from %s: %w", Janus202608, err)
	}
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(content)), int64(len(content))
	resp.Header.Set("Content-Length", strconv.Itoa(len(content)))
	return resp, nil
}

// attemptKey is the context key of an attempt.
type attemptKey struct{}

// withAttempt returns a context whose creations are not those of another attempt with the same content.
func withAttempt(ctx context.Context, attempt [16]byte) context.Context {
	return context.WithValue(ctx, attemptKey{}, attempt)
}

// chooseID returns the identifier of what a request creates: the same for a repetition of the same bytes in the same attempt.
func chooseID(r *http.Request, content []byte) [16]byte {
	attempt, _ := r.Context().Value(attemptKey{}).([16]byte)
	sum := sha256.Sum256(slices.Concat([]byte("candor/1 chosen id"), attempt[:], []byte(r.URL.String()), content))
	return [16]byte(sum[:16])
}
