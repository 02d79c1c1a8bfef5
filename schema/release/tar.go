package release

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
)

// MaxBundle bounds the bytes of a bundle, so that a file from the net cannot fill a reader's memory.
const MaxBundle = 256 << 20

// Files are a bundle's files by name. Names are relative, slash-separated, of lower-case ASCII letters, digits,
// '-', '_' and '.', with no empty, "." or ".." element.
type Files map[string][]byte

// Names returns the names in order.
func (f Files) Names() []string { return slices.Sorted(maps.Keys(f)) }

// Check reports unusable names, files that are also folders, and a bundle beyond MaxBundle, all at once.
func (f Files) Check() error {
	var errs []error
	size := 0
	for _, name := range f.Names() {
		size += len(f[name])
		if err := checkPath(name); err != nil {
			errs = append(errs, err)
			continue // its folders are no better
		}
		for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
			if _, ok := f[dir]; ok {
				errs = append(errs, fmt.Errorf("bundle file %q is also the folder of %q", dir, name))
			}
		}
	}
	if size > MaxBundle {
		errs = append(errs, fmt.Errorf("the bundle has %d bytes and may have %d", size, MaxBundle))
	}
	return errors.Join(errs...)
}

func checkPath(name string) error {
	clean := name != "" && len(name) <= 100 && path.Clean(name) == name && !strings.HasPrefix(name, "/")
	for _, r := range name {
		clean = clean && (r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./", r))
	}
	for element := range strings.SplitSeq(name, "/") {
		clean = clean && element != "." && element != ".."
	}
	if !clean {
		return fmt.Errorf("bundle file %q: a name has at most 100 lower-case letters, digits, '-', '_', '.' and '/'", name)
	}
	return nil
}

// EncodeTar returns the files as a tar archive whose bytes depend on nothing but names and contents: POSIX ustar
// headers, names in order, mode 0644, no owner, the time 0.
func EncodeTar(files Files) ([]byte, error) {
	if err := files.Check(); err != nil {
		return nil, fmt.Errorf("encoding bundle: %w", err)
	}
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	for _, name := range files.Names() {
		h := &tar.Header{
			Typeflag: tar.TypeReg, Name: name, Size: int64(len(files[name])), Mode: 0o644, ModTime: time.Unix(0, 0), Format: tar.FormatUSTAR,
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, fmt.Errorf("encoding bundle: %w", err)
		}
		if _, err := w.Write(files[name]); err != nil {
			return nil, fmt.Errorf("encoding bundle: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encoding bundle: %w", err)
	}
	return buf.Bytes(), nil
}

// ParseTar parses what EncodeTar wrote and nothing else. Contents do not alias b.
func ParseTar(b []byte) (Files, error) {
	if len(b) > 2*MaxBundle {
		return nil, fmt.Errorf("parsing bundle: %d bytes are more than a bundle has", len(b))
	}
	files := Files{}
	r := tar.NewReader(bytes.NewReader(b))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("parsing bundle: %w", err)
		}
		if h.Typeflag != tar.TypeReg {
			return nil, fmt.Errorf("parsing bundle: %q is no plain file", h.Name)
		}
		if _, ok := files[h.Name]; ok {
			return nil, fmt.Errorf("parsing bundle: %q appears twice", h.Name)
		}
		// No file of a bundle is longer than the archive; a sparse one could claim to be.
		data, err := io.ReadAll(io.LimitReader(r, int64(len(b))+1))
		if err != nil || len(data) > len(b) {
			return nil, fmt.Errorf("parsing bundle: reading %q: %w", h.Name, errors.Join(err, errors.New("unusable size")))
		}
		files[h.Name] = data
	}
	again, err := EncodeTar(files)
	if err != nil {
		return nil, fmt.Errorf("parsing bundle: %w", err)
	}
	if !bytes.Equal(again, b) {
		return nil, errors.New("parsing bundle: not in the one form in which a bundle is written: unpack and verify the folder instead")
	}
	return files, nil
}
