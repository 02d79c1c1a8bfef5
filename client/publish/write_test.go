package publish_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"candor/client/publish"

	"github.com/google/go-cmp/cmp"
)

// tree reads all files below dir.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func rendered(t *testing.T, r publish.Release) map[string]string {
	t.Helper()
	files := map[string]string{}
	for name, b := range render(t, r) {
		files[name] = string(b)
	}
	return files
}

func TestWrite(t *testing.T) {
	parent := t.TempDir()
	dir := filepath.Join(parent, "deep", "release")
	for _, r := range []publish.Release{one(), twenty(), withheld()} {
		if err := publish.Write(dir, r); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(rendered(t, r), tree(t, dir)); diff != "" {
			t.Errorf("the directory differs:\n%s", diff)
		}
		entries, err := os.ReadDir(filepath.Dir(dir))
		if err != nil || len(entries) != 1 {
			t.Errorf("beside the release lies %v, %v", entries, err)
		}
	}
	for _, path := range []string{dir, filepath.Join(dir, "index.html")} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm()&0o044 != 0o044 {
			t.Errorf("%s has mode %v: a web server could not read it", path, info.Mode())
		}
	}
}

// TestWriteLeavesOthersAlone: a directory that is not a release is never replaced.
func TestWriteLeavesOthersAlone(t *testing.T) {
	for _, name := range []string{"thesis.tex", "index.html"} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte("mine"), 0o644); err != nil {
			t.Fatal(err)
		}
		err := publish.Write(dir, one())
		if err == nil || !strings.Contains(err.Error(), "not an earlier release") {
			t.Errorf("Write: %v", err)
		}
		if diff := cmp.Diff(map[string]string{name: "mine"}, tree(t, dir)); diff != "" {
			t.Errorf("the directory changed:\n%s", diff)
		}
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := publish.Write(file, one()); err == nil {
		t.Error("Write replaced a file")
	}
}

// TestWriteEmptyAndRelative: an empty directory is taken, and so is a path without a parent.
func TestWriteEmptyAndRelative(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("out", 0o755); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := publish.Write("out", one()); err != nil {
			t.Fatal(err)
		}
	}
	if len(tree(t, "out")) != 3 {
		t.Errorf("files: %v", tree(t, "out"))
	}
}
