package release_test

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"strings"
	"testing"
	"time"

	"candor/schema/release"

	"github.com/google/go-cmp/cmp"
)

func bundleFiles() release.Files {
	return release.Files{
		"figures.csv": []byte(sampleCSV), "figures.json": []byte(sampleJSON), "openings/leader.json": []byte("[\n]\n"),
		"empty.txt": {}, "a-b_c.1": bytes.Repeat([]byte("x"), 1000),
	}
}

func TestTar(t *testing.T) {
	b, err := release.EncodeTar(bundleFiles())
	if err != nil {
		t.Fatal(err)
	}
	again, err := release.EncodeTar(bundleFiles())
	if err != nil || !bytes.Equal(b, again) {
		t.Errorf("two encodings differ, %v", err)
	}
	sum := sha256.Sum256(b)
	if got, want := hex.EncodeToString(sum[:]), "3e9e61c2591a8257dd8363db8f1470b0d9942d9e7c88cd788474670d77848282"; got != want {
		t.Errorf("the archive's hash is %s, want %s", got, want)
	}
	files, err := release.ParseTar(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(bundleFiles(), files); diff != "" {
		t.Errorf("files differ:\n%s", diff)
	}
	// As any tar program sees it.
	r := tar.NewReader(bytes.NewReader(b))
	var names []string
	for {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, h.Name)
		if h.Mode != 0o644 || !h.ModTime.Equal(time.Unix(0, 0)) || h.Uid != 0 || h.Uname != "" || h.Format != tar.FormatUSTAR {
			t.Errorf("header of %s: %+v", h.Name, h)
		}
	}
	if diff := cmp.Diff(bundleFiles().Names(), names); diff != "" {
		t.Errorf("names differ:\n%s", diff)
	}
}

func TestTarRefuses(t *testing.T) {
	for _, name := range []string{"", "/etc/passwd", "../x", "a/../b", "a//b", "./a", "a/", "A.csv", "a b", "a\\b", "a\x00b", "é", strings.Repeat("a", 101), "..", "."} {
		if _, err := release.EncodeTar(release.Files{name: nil}); err == nil {
			t.Errorf("name %q was accepted", name)
		}
	}
	if _, err := release.EncodeTar(release.Files{"a": nil, "a/b/c": nil}); err == nil {
		t.Error("a file that is also a folder was accepted")
	}
	good, err := release.EncodeTar(bundleFiles())
	if err != nil {
		t.Fatal(err)
	}
	write := func(headers ...*tar.Header) []byte {
		var buf bytes.Buffer
		w := tar.NewWriter(&buf)
		for _, h := range headers {
			if err := w.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
			w.Write(make([]byte, h.Size))
		}
		w.Close()
		return buf.Bytes()
	}
	plain := func(name string) *tar.Header {
		return &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR}
	}
	executable, dated := plain("a"), plain("a")
	executable.Mode, dated.ModTime = 0o755, time.Unix(1, 0)
	for name, b := range map[string][]byte{
		"bytes after the end": append(bytes.Clone(good), make([]byte, 512)...),
		"cut short":           good[:len(good)-600],
		"nothing":             nil,
		"text":                []byte("not a tar"),
		"link":                write(&tar.Header{Typeflag: tar.TypeSymlink, Name: "a", Linkname: "/etc/passwd"}),
		"folder":              write(&tar.Header{Typeflag: tar.TypeDir, Name: "a/"}),
		"twice":               write(plain("a"), plain("a")),
		"order":               write(plain("b"), plain("a")),
		"mode":                write(executable),
		"time":                write(dated),
		"outside":             write(plain("../a")),
	} {
		if _, err := release.ParseTar(b); err == nil {
			t.Errorf("%s: parsed", name)
		}
	}
	if _, err := release.ParseTar(write(plain("a"))); err != nil {
		t.Errorf("the control was refused: %v", err)
	}
}

func FuzzParseTar(f *testing.F) {
	b, err := release.EncodeTar(bundleFiles())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(make([]byte, 1024))
	f.Fuzz(func(t *testing.T, b []byte) { checkStrict(t, b, release.ParseTar, release.EncodeTar) })
}
