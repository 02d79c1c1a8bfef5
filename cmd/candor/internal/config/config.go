// Package config reads the files that operators write: the YAML configuration of each role, key files, and the directories of
// rounds and tasks that a server runs.
//
// Floor 6: it reads files and turns them into the types of the roles; it starts nothing. Parsing is strict: unknown and
// repeated keys are errors, which quote the file with a mark at the value. Secrets are paths of files, never values.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goccy/go-yaml"
)

// maxFile bounds every file that this package reads.
const maxFile = 16 << 20

// readFile reads a file of at most maxFile bytes.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("%s has %d bytes; files here have at most %d", path, info.Size(), maxFile)
	}
	return os.ReadFile(path)
}

// parse reads YAML text strictly into v. path is for errors only.
func parse(path string, text []byte, v any) error {
	dec := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict(), yaml.DisallowUnknownField())
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("reading %s:\n%s", path, yaml.FormatError(err, false, true))
	}
	return nil
}

// A problems collects what is wrong with a file's values, each with the place in the file.
type problems struct {
	path string
	text []byte
	errs []error
}

// at notes a problem with the value at a YAML path such as "$.listen".
func (p *problems) at(yamlPath, format string, args ...any) {
	msg := fmt.Sprintf(format, args...)
	if path, err := yaml.PathString(yamlPath); err == nil {
		if source, err := path.AnnotateSource(p.text, false); err == nil {
			p.errs = append(p.errs, fmt.Errorf("%s: %s: %s\n%s", p.path, yamlPath[2:], msg, source))
			return
		}
	}
	p.errs = append(p.errs, fmt.Errorf("%s: %s: %s", p.path, yamlPath[2:], msg))
}

func (p *problems) err() error { return errors.Join(p.errs...) }

// resolve makes a path relative to the file that names it.
func resolve(file, path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(file), path)
}

// WriteSecret writes a new file that only its owner can read. It never overwrites: a key that is gone cannot be made again.
func WriteSecret(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Load reads a YAML file strictly into v: for files that hold no keys and belong to one command alone.
func Load(path string, v any) error {
	text, err := readFile(path)
	if err != nil {
		return err
	}
	return parse(path, text, v)
}
