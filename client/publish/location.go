package publish

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"candor/schema/release"
)

// Dir is the location of a release in a directory.
func Dir(dir string) Location {
	return Location{
		Read: func(name string) ([]byte, error) {
			f, err := os.Open(filepath.Join(dir, filepath.FromSlash(name)))
			if err != nil {
				return nil, err
			}
			defer f.Close()
			return ReadBounded(f, name)
		},
		List: func() (names []string, err error) {
			err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
				if err != nil || e.IsDir() {
					return err
				}
				name, err := filepath.Rel(dir, path)
				names = append(names, filepath.ToSlash(name))
				return err
			})
			return names, err
		},
	}
}

// ReadBounded reads a file of a release, as long as it is no larger than one can be.
func ReadBounded(r io.Reader, name string) ([]byte, error) {
	text, err := io.ReadAll(io.LimitReader(r, 2*release.MaxBundle+1))
	if err == nil && len(text) > 2*release.MaxBundle {
		err = fmt.Errorf("%s is larger than any file of a release", name)
	}
	return text, err
}

// VerifyAt verifies the release at a location: rendered pages with the bundle below data/, or a bundle alone. The
// error says that no release could be read there; all else is in the checks.
func VerifyAt(at Location, trust *Trust, earlier ...*Earlier) (Verification, error) {
	files, err := at.bundle(dataDir)
	if err == nil {
		return Verify(files, &at, trust, earlier...), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return Verification{}, err
	}
	if files, err = at.bundle(""); err != nil {
		return Verification{}, err
	}
	return Verify(files, nil, trust, earlier...), nil
}

// ReadRelease reads the bundle of a release, with pages or without.
func ReadRelease(at Location) (release.Bundle, release.Files, error) {
	files, err := at.bundle(dataDir)
	if errors.Is(err, fs.ErrNotExist) {
		files, err = at.bundle("")
	}
	if err != nil {
		return release.Bundle{}, nil, err
	}
	b, err := release.ParseBundle(files)
	return b, files, err
}

// bundle reads the files of a bundle below prefix: all that are there, or, where that cannot be known, those that
// the descriptor lists. The archive beside them is none of them.
func (at Location) bundle(prefix string) (release.Files, error) {
	descriptor, err := at.Read(prefix + release.DataPackageName)
	if err != nil {
		return nil, err
	}
	var names []string
	if at.List != nil {
		all, err := at.List()
		if err != nil {
			return nil, err
		}
		for _, name := range all {
			if name, ok := strings.CutPrefix(name, prefix); ok && name != archive {
				names = append(names, name)
			}
		}
	} else {
		var d struct {
			Resources []struct {
				Path string `json:"path"`
			} `json:"resources"`
		}
		if err := json.Unmarshal(descriptor, &d); err != nil {
			return nil, fmt.Errorf("%s: %w", release.DataPackageName, err)
		}
		for _, r := range d.Resources {
			names = append(names, r.Path)
		}
		names = append(names, release.SignaturesName)
	}
	files := release.Files{release.DataPackageName: descriptor}
	for _, name := range names {
		if err := (release.Files{name: nil}).Check(); err != nil { // before the name becomes a path
			return nil, err
		}
		data, err := at.Read(prefix + name)
		if errors.Is(err, fs.ErrNotExist) {
			continue // its absence is for the verifier to say
		}
		if err != nil {
			return nil, err
		}
		files[name] = data
	}
	return files, files.Check()
}
