package ledger

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// The witness holds "SEQ HASH\n" of a line that was on disk. It is written after the ledger, so that it may lag behind
// by what was written last, and is never ahead of a ledger that is the newest.

// checkWitness returns ErrRolledBack unless the ledger contains the line that the witness saw.
func (l *Ledger) checkWitness() error {
	if l.cfg.Witness == "" {
		return nil
	}
	text, err := os.ReadFile(l.cfg.Witness)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w, or its witness is lost: there is no %s", ErrRolledBack, l.cfg.Witness)
	}
	if err != nil {
		return fmt.Errorf("reading the witness: %w", err)
	}
	seq, hash, err := parseWitness(text)
	if err != nil {
		return fmt.Errorf("reading the witness %s: %w", l.cfg.Witness, err)
	}
	n := uint64(len(l.state.entries))
	if seq > n {
		return fmt.Errorf("%w: it has %d entries, and had %d once; find the newest copy", ErrRolledBack, n, seq)
	}
	line, err := l.state.entries[seq-1].encode()
	if err != nil {
		return err
	}
	if hashLine(line) != hash {
		return fmt.Errorf("%w: its entry %d is another one than was written once; find the newest copy", ErrRolledBack, seq)
	}
	return nil
}

// saveWitness notes the last line, in place of the one before.
func (l *Ledger) saveWitness() error {
	if l.cfg.Witness == "" {
		return nil
	}
	text := fmt.Sprintf("%d %s\n", len(l.state.entries), l.state.head)
	f, err := os.CreateTemp(filepath.Dir(l.cfg.Witness), ".witness-*")
	if err != nil {
		return fmt.Errorf("writing the witness: %w", err)
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), l.cfg.Witness)
	}
	if err == nil {
		err = syncDir(filepath.Dir(l.cfg.Witness))
	}
	if err != nil {
		return fmt.Errorf("writing the witness: %w", err)
	}
	return nil
}

// parseWitness reads what saveWitness wrote.
func parseWitness(text []byte) (seq uint64, hash string, err error) {
	if _, err := fmt.Sscanf(string(text), "%d %64s\n", &seq, &hash); err != nil || seq == 0 || string(text) != fmt.Sprintf("%d %s\n", seq, hash) || len(hash) != 64 {
		return 0, "", errors.New("it does not hold a number and a hash")
	}
	return seq, hash, nil
}
