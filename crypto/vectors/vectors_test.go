package vectors_test

import (
	"os"
	"path/filepath"
	"testing"

	"candor/crypto/prio3"
	"candor/crypto/vectors"
)

// TestPublished runs the vectors published with the draft, on every path.
func TestPublished(t *testing.T) {
	files, _ := filepath.Glob("../../../shared/vectors/vdaf/*.json")
	if len(files) == 0 {
		t.Skip("the published vectors are not beside this checkout")
	}
	if len(files) != 26 {
		t.Errorf("%d files, want 26", len(files))
	}
	for _, path := range prio3.Paths() {
		for _, file := range files {
			t.Run(path+"/"+filepath.Base(file), func(t *testing.T) {
				defer prio3.SetPath(path)()
				content, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				if err := vectors.Verify(file, content); err != nil {
					t.Error(err)
				}
			})
		}
	}
}
