package testvectors

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"candor/crypto/vectors"
)

// The seed and the number of files of each variant from which this directory was written.
const (
	seed  = "candor"
	count = 8
)

// TestOurs verifies the committed files, and requires that they are what the generator writes today.
func TestOurs(t *testing.T) {
	names, err := filepath.Glob("*.json")
	if err != nil {
		t.Fatal(err)
	}
	want, err := vectors.Generate([]byte(seed), count)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != len(want) {
		t.Errorf("%d files, the generator writes %d", len(names), len(want))
	}
	for _, f := range want {
		content, err := os.ReadFile(f.Name)
		if err != nil {
			t.Fatal(err)
		}
		if err := vectors.Verify(f.Name, content); err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
		if !bytes.Equal(content, f.Content) {
			t.Errorf("%s is not what the generator writes", f.Name)
		}
	}
}
