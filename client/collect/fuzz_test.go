package collect_test

import (
	"testing"

	"candor/client/collect"
)

// What is parsed and written is parsed to the same again.
func fuzz(f *testing.F, parse func([]byte) ([]byte, error), seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		once, err := parse(text)
		if err != nil {
			return
		}
		twice, err := parse(once)
		if err != nil || string(twice) != string(once) {
			t.Fatalf("%q is written as %q, and that as %q, %v", text, once, twice, err)
		}
	})
}

func FuzzKept(f *testing.F) {
	fuzz(f, collect.ParseKept, `{"task":"PgJVGgNmZDuNZ14QmO-6d6Cl_MTe_8B_YvH6Bolgk4I","job":{"id":1},"answers":[{"statement":{}},null],"counted":["m1"]}`,
		`{"task":"PgJVGgNmZDuNZ14QmO-6d6Cl_MTe_8B_YvH6Bolgk4I","answers":[null,null],"refused":"too few","sent":9}`)
}

func FuzzAnswer(f *testing.F) {
	fuzz(f, collect.ParseAnswer, `{"statement":{"role":"leader"},"salts":"AAEC"}`, `{"statement":null,"salts":""}`)
}
