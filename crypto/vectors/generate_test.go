package vectors_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"candor/crypto/vectors"
)

func generate(t testing.TB, seed string, n int) []vectors.File {
	t.Helper()
	files, err := vectors.Generate([]byte(seed), n)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestGenerate: what is generated verifies, is the same for the same seed, and differs for another.
func TestGenerate(t *testing.T) {
	files, again, other := generate(t, "seed", 8), generate(t, "seed", 8), generate(t, "seee", 8)
	if len(files) != 5*8+1 {
		t.Errorf("%d files", len(files))
	}
	for i, f := range files {
		if err := vectors.Verify(f.Name, f.Content); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		if again[i].Name != f.Name || !bytes.Equal(again[i].Content, f.Content) {
			t.Errorf("%s is not the same the second time", f.Name)
		}
		if bytes.Equal(other[i].Content, f.Content) != (i == len(files)-1) {
			t.Errorf("%s does not depend on the seed, or the last file does", f.Name)
		}
	}
}

// TestVerifyFails changes generated files in every way that must be noticed.
func TestVerifyFails(t *testing.T) {
	files := generate(t, "fails", 4)
	find := func(prefix string) vectors.File {
		for _, f := range files {
			if strings.HasPrefix(f.Name, prefix) {
				return f
			}
		}
		t.Fatalf("no file %s", prefix)
		panic("unreachable")
	}
	good, bad := find("Prio3SumVec_0"), find("Prio3SumVec_3")
	replace := func(f vectors.File, old, new string) []byte {
		if !bytes.Contains(f.Content, []byte(old)) {
			t.Fatalf("%s does not contain %s", f.Name, old)
		}
		return bytes.Replace(f.Content, []byte(old), []byte(new), 1)
	}
	tests := []struct {
		what, name string
		content    []byte
	}{
		{"unknown kind", "Prio3Mean_0.json", good.Content},
		{"another kind", "Prio3Histogram_0.json", good.Content},
		{"another kind with the same parameters", "Prio3SumVecWithMultiproof_0.json", good.Content},
		{"kind without parameters", "Prio3Count_0.json", good.Content},
		{"unknown field", good.Name, replace(good, `"shares": 2`, `"shares": 2, "extra": 1`)},
		{"unknown field of a report", good.Name, replace(good, `"nonce":`, `"extra": 1, "nonce":`)},
		{"unknown operation", good.Name, replace(good, `"operation": "shard"`, `"operation": "split"`)},
		{"unknown argument", good.Name, replace(good, `"operation": "shard"`, `"extra": 1, "operation": "shard"`)},
		{"missing argument", good.Name, replace(good, `"report_index": 0,`, ``)},
		{"report that is not there", good.Name, replace(good, `"report_index": 0,`, `"report_index": 9,`)},
		{"aggregator that is not there", good.Name, replace(good, `"aggregator_id": 0,`, `"aggregator_id": 2,`)},
		{"another round", good.Name, replace(good, `"round": 0,`, `"round": 1,`)},
		{"more aggregators", good.Name, replace(good, `"shares": 2`, `"shares": 3`)},
		{"no aggregators", good.Name, replace(good, `"shares": 2`, `"shares": 0`)},
		{"failure expected", good.Name, replace(good, `"success": true`, `"success": false`)},
		{"success expected", bad.Name, replace(bad, `"success": false`, `"success": true`)},
		{"aggregation parameter", good.Name, replace(good, `"agg_param": ""`, `"agg_param": "00"`)},
		{"two values", good.Name, append(bytes.Clone(good.Content), "{}"...)},
		{"cut short", good.Name, good.Content[:len(good.Content)/2]},
		{"not hexadecimal", good.Name, replace(good, `"ctx": "`, `"ctx": "x`)},
		{"nothing", good.Name, nil},
		{"parameters beyond the file", good.Name, replace(good, `"length": `, `"length": 1000`)},
	}
	for _, tt := range tests {
		if err := vectors.Verify(tt.name, tt.content); err == nil {
			t.Errorf("%s: passes", tt.what)
		}
	}
	// Every operation: without it a value stays unchecked, or the next has nothing to work on.
	var doc map[string]any
	if err := json.Unmarshal(good.Content, &doc); err != nil {
		t.Fatal(err)
	}
	operations := doc["operations"].([]any)
	for i := range operations {
		doc["operations"] = slices.Delete(slices.Clone(operations), i, i+1)
		content, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if err := vectors.Verify(good.Name, content); err == nil {
			t.Errorf("passes without operation %d, %v", i, operations[i])
		}
	}
	// Every value: one digit of each string of hexadecimal digits changed.
	for _, f := range []vectors.File{good, find("Prio3Count_0"), find("Prio3MultihotCountVec_0")} {
		for i := 0; i+1 < len(f.Content); i++ {
			c := f.Content[i]
			if f.Content[i+1] != '"' || !strings.ContainsRune("0123456789abcdef", rune(c)) || f.Content[i-1] == '"' {
				continue
			}
			if word := f.Content[bytes.LastIndexByte(f.Content[:i], '"')+1 : i+1]; len(word)%2 == 1 || bytes.ContainsAny(word, "ghijklmnopqrstuvwxyz_") {
				continue // a name
			}
			changed := bytes.Clone(f.Content)
			if changed[i]++; c == '9' || c == 'f' {
				changed[i] = '0'
			}
			if err := vectors.Verify(f.Name, changed); err == nil {
				t.Errorf("%s: a change at byte %d passes: %s", f.Name, i, f.Content[max(0, i-200):i+2])
			}
		}
	}
}

// FuzzVerify: no file makes the runner panic, or use more memory than its size suggests.
func FuzzVerify(f *testing.F) {
	for _, file := range generate(f, "fuzz", 8) {
		if len(file.Content) < 8<<10 {
			f.Add(file.Name, file.Content)
		}
	}
	f.Add("XofTurboShake128.json", []byte(`{"binder":"00","derived_seed":"","dst":"","expanded_vec_field128":"","length":1,"seed":""}`))
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		_ = vectors.Verify(name, content)
	})
}
