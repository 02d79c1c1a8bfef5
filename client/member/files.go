package member

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// The member's directory, beside key, configuration and ledger:
//
//	rounds/ID.json            each round that was taken part in, as signed
//	sent/ID.json              what was sealed for it: see outbox
//	receipts/ID/*.json        the aggregators' receipts
//	figures/ID.csv            the figures that were submitted, with reasons: true values
//	approvals/ID/*.json       second persons' signatures

func (m *Member) path(parts ...string) string {
	return filepath.Join(append([]string{m.cfg.Dir}, parts...)...)
}

// maxFile bounds what is read from the directory.
const maxFile = 64 << 20

func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxFile {
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("the file is too large")}
	}
	return os.ReadFile(path)
}

// writeFile writes a file that only its owner can read, so that, whenever the machine stops, either the old text or the new one is there; it
// returns once that is on disk.
func writeFile(path string, text []byte) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "."+filepath.Base(path)+"-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
