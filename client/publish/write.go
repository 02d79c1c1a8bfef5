package publish

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// generator marks pages of ours, so that a directory of ours can be told from anybody else's.
const generator = `<meta name="generator" content="candor">`

// Write renders r and makes dir hold exactly its files: figures.csv, figures.json and index.html. The files
// are complete and durable before dir changes, and dir changes by renaming: a reader sees the old release or the
// new one, never a mixture, and after a crash between the two renames the old one lies beside, under a name that
// begins with a dot. A directory that holds anything else than an earlier release is refused and left as it is.
func Write(dir string, r Release) error {
	files, err := Render(r)
	if err != nil {
		return err
	}
	return writeDir(dir, files)
}

// writeDir replaces dir by one that holds files, by slash-separated path.
func writeDir(dir string, files map[string][]byte) (err error) {
	dir = filepath.Clean(dir)
	replaces, err := replaceable(dir)
	if err != nil {
		return err
	}
	parent, base := filepath.Split(dir)
	if parent == "" {
		parent = "."
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return fmt.Errorf("writing release: %w", err)
	}
	staged, err := os.MkdirTemp(parent, "."+base+".new-")
	if err != nil {
		return fmt.Errorf("writing release: %w", err)
	}
	defer os.RemoveAll(staged) // gone already when all went well
	if err := os.Chmod(staged, 0o755); err != nil {
		return fmt.Errorf("writing release: %w", err)
	}
	for name, data := range files {
		if err := writeFile(filepath.Join(staged, filepath.FromSlash(name)), data); err != nil {
			return fmt.Errorf("writing release: %w", err)
		}
	}
	if err := syncDir(staged); err != nil {
		return fmt.Errorf("writing release: %w", err)
	}
	old := staged + ".old"
	if replaces {
		if err := os.Rename(dir, old); err != nil {
			return fmt.Errorf("writing release: %w", err)
		}
	}
	if err := os.Rename(staged, dir); err != nil {
		if replaces {
			err = errors.Join(err, os.Rename(old, dir))
		}
		return fmt.Errorf("writing release: %w", err)
	}
	if err := os.RemoveAll(old); err != nil {
		return fmt.Errorf("writing release: removing the previous one: %w", err)
	}
	if err := syncDir(parent); err != nil {
		return fmt.Errorf("writing release: %w", err)
	}
	return nil
}

// replaceable reports whether dir exists; it is an error if dir may not be replaced.
func replaceable(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("writing release: %w", err)
	}
	if len(entries) == 0 {
		return true, nil
	}
	index, err := os.ReadFile(filepath.Join(dir, "index.html"))
	if err != nil || !bytes.Contains(index, []byte(generator)) {
		return false, fmt.Errorf("writing release: %s holds files that are not an earlier release: name another directory or empty it", dir)
	}
	return true, nil
}

func writeFile(path string, data []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Sync()
}

// syncDir makes the renames and files inside dir durable, where the system offers it.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, errors.ErrUnsupported) && !errors.Is(err, fs.ErrInvalid) {
		return err
	}
	return nil
}
