package dap_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"candor/schema/dap"

	"github.com/google/go-cmp/cmp"
)

var problemTypes = []dap.ProblemType{
	"invalidMessage", "unrecognizedTask", "unrecognizedAggregationJob", "batchInvalid", "invalidBatchSize",
	"invalidAggregationParameter", "batchMismatch", "stepMismatch", "batchOverlap", "unsupportedExtension", "invalidExtension",
}

func problems() (all []*dap.Problem) {
	for _, t := range problemTypes {
		all = append(all, dap.NewProblem(t, "what happened"))
	}
	withTask := dap.NewProblem(dap.BatchOverlap, "")
	withTask.TaskID = &taskID
	return append(all,
		withTask,
		dap.NewUnsupportedExtension("", []uint16{1, 0xff44}),
		dap.NewStatusProblem(429, "too many requests"),
		&dap.Problem{Type: "tag:candor,2026:paused", Title: "Paused", Status: 503})
}

func TestProblemDocuments(t *testing.T) {
	withTask := dap.NewProblem(dap.BatchOverlap, "collected before")
	withTask.TaskID = &taskID
	tests := []struct {
		problem *dap.Problem
		want    string
	}{
		{
			withTask,
			`{"type":"urn:ietf:params:ppm:dap:error:batchOverlap",` +
				`"title":"The query includes reports that were collected before.","status":400,"detail":"collected before",` +
				`"taskid":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}`,
		},
		{
			dap.NewUnsupportedExtension("", []uint16{1, 0xff44}),
			`{"type":"urn:ietf:params:ppm:dap:error:unsupportedExtension",` +
				`"title":"The extensions include an unknown one.","status":400,"unsupported_extensions":[1,65348]}`,
		},
		{dap.NewStatusProblem(404, ""), `{"type":"about:blank","status":404}`},
		{&dap.Problem{Status: 500}, `{"type":"about:blank","status":500}`},
	}
	for _, test := range tests {
		got, err := json.Marshal(test.problem)
		if err != nil || string(got) != test.want {
			t.Errorf("problem document\n got %s, error %v\nwant %s", got, err, test.want)
		}
	}
	for _, p := range problems() {
		b, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		got, err := dap.ParseProblem(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", b, diff)
		}
		if p.Status < 400 || p.Status > 599 {
			t.Errorf("%s has status %d", p.Type, p.Status)
		}
	}
}

// TestProblemNames checks that no name but the registered ones is ever put into
// the namespace of DAP.
func TestProblemNames(t *testing.T) {
	for _, invented := range []dap.ProblemType{
		"tooManyCooks", "invalidmessage", "urn:ietf:params:ppm:dap:error:tooManyCooks",
		"urn:ietf:params:ppm:dap:error:invalidMessage", "URN:IETF:params:ppm:dap:error:tooManyCooks", "urn:ietf:params:ppm:dap:x",
	} {
		p := &dap.Problem{Type: invented, Status: 400}
		if b, err := json.Marshal(p); err == nil {
			t.Errorf("%q is sent as %s", invented, b)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("NewProblem accepts a type that is not registered")
		}
	}()
	dap.NewProblem("tooManyCooks", "")
}

func TestParseProblem(t *testing.T) {
	const urn = `"urn:ietf:params:ppm:dap:error:`
	tests := []struct {
		content string
		want    dap.Problem
	}{
		{`{}`, dap.Problem{Type: dap.AboutBlank}},
		{`{"type":` + urn + `stepMismatch","status":400,"foo":{"bar":[]}}`, dap.Problem{Type: dap.StepMismatch, Status: 400}},
		{`{"type":` + urn + `invented"}`, dap.Problem{Type: "urn:ietf:params:ppm:dap:error:invented"}},
		{`{"type":"invalidMessage"}`, dap.Problem{Type: dap.AboutBlank}},
		{`{"type":7,"status":"400","title":null,"taskid":"short","unsupported_extensions":[65536],"detail":"d"}`,
			dap.Problem{Type: dap.AboutBlank, Detail: "d"}},
		{`{"taskid":null}`, dap.Problem{Type: dap.AboutBlank}},
		{`{"taskid":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}`, dap.Problem{Type: dap.AboutBlank, TaskID: &taskID}},
	}
	for _, test := range tests {
		got, err := dap.ParseProblem([]byte(test.content))
		if err != nil {
			t.Errorf("%s: %v", test.content, err)
			continue
		}
		if diff := cmp.Diff(&test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.content, diff)
		}
	}
	for _, bad := range []string{"", "null", "[]", `"x"`, "{", "<html>", `{} {}`} {
		if p, err := dap.ParseProblem([]byte(bad)); !errors.Is(err, dap.ErrMalformed) || p != nil {
			t.Errorf("ParseProblem(%q) = %v, error %v", bad, p, err)
		}
	}
}

func TestProblemError(t *testing.T) {
	tests := map[string]*dap.Problem{
		"batchInvalid: no such batch": dap.NewProblem(dap.BatchInvalid, "no such batch"),
		"batchInvalid":                dap.NewProblem(dap.BatchInvalid, ""),
		"status 503: try later":       dap.NewStatusProblem(503, "try later"),
	}
	for want, p := range tests {
		if got := p.Error(); got != want {
			t.Errorf("error %q, want %q", got, want)
		}
	}
	if titles := strings.Join(func() (all []string) {
		for _, t := range problemTypes {
			all = append(all, dap.NewProblem(t, "").Title)
		}
		return all
	}(), "\n"); strings.Contains(titles, "\n\n") {
		t.Errorf("a problem type has no title:\n%s", titles)
	}
}
