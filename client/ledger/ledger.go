// Package ledger is a member's privacy ledger: an append-only, hash-chained file that says what was told about the
// people behind its figures, keeps the noise it was told with, and refuses to tell more than the member's own policy
// allows (design, "Noise, caps and release rules").
//
// Floor 5. The order of things is the package's promise:
//
//	Charge  checks the policy, draws noise, and returns once both are on disk;
//	Send    notes the correction number, and returns once that is on disk;
//	        only then may the first byte of a report leave.
//
// So a crash at any moment leaves the ledger at or above what was told, never below. An unchanged vector gets the
// noise it had, without a charge; any change draws all of its part's noise anew, and is charged. There is no override.
//
// The file holds noisy counts and hashes of true ones. It is one JSON object per line, each with the hash of the line
// before; people and other programs can read it, and only this package writes it.
package ledger

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"candor/crypto/sign"
)

// ErrBroken says that a ledger's file is not what this package wrote: lines were changed, removed or added. Nothing can be
// sent from it. There is no repair; the member decides, with its backups and its counsel, what was told.
var ErrBroken = errors.New("the ledger is broken")

// ErrRolledBack says that a ledger is older than what is known from elsewhere: it was restored from a copy.
var ErrRolledBack = errors.New("the ledger is an old copy")

// ErrLocked says that another process has the ledger open.
var ErrLocked = errors.New("the ledger is in use by another process")

// A Config says where a ledger lies.
type Config struct {
	Path string // the file; created with mode 0600
	// Witness is a second file that holds the number and the hash of the last line; empty: none. Kept where backups of
	// the ledger are not (another disk, another machine), it shows a ledger that was restored from an old copy.
	Witness string
	Now     func() time.Time // nil: time.Now
}

// A Ledger is open for writing by this process alone. It is safe for concurrent use.
type Ledger struct {
	cfg Config

	mu    sync.Mutex // one writer: the state is that of the file's first size bytes
	file  *os.File   // nil once closed
	size  int64
	state *state
	fault error // set when a write failed and could not be undone; nothing is written after it
}

// Create makes a new ledger for a member, under a policy. It refuses a path that exists.
func Create(cfg Config, member string, policy []byte) (*Ledger, error) {
	if _, err := ParsePolicy(policy); err != nil {
		return nil, err
	}
	var id [16]byte
	if _, err := io.ReadFull(rand.Reader, id[:]); err != nil {
		return nil, fmt.Errorf("creating a ledger: %w", err)
	}
	if cfg.Witness != "" {
		if _, err := os.Lstat(cfg.Witness); err == nil {
			return nil, fmt.Errorf("creating a ledger: the witness %s belongs to another one", cfg.Witness)
		}
	}
	f, err := os.OpenFile(cfg.Path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("creating a ledger: %w", err)
	}
	l := &Ledger{cfg: cfg, file: f, state: newState()}
	if err := lock(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("creating ledger %s: %w", cfg.Path, err)
	}
	err = l.append(Entry{Opening: &Opening{Format: Format, ID: hex.EncodeToString(id[:]), Member: member, Policy: string(policy)}})
	if err == nil {
		err = syncDir(filepath.Dir(cfg.Path))
	}
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("creating ledger %s: %w", cfg.Path, err)
	}
	return l, nil
}

// Open opens a ledger, verifies all of it, and locks it. A last line that a crash cut short is dropped: it was never
// acknowledged. The errors are ErrBroken, ErrRolledBack, ErrLocked, or of the file system.
func Open(cfg Config) (*Ledger, error) {
	f, err := os.OpenFile(cfg.Path, os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("opening the ledger: %w", err)
	}
	l := &Ledger{cfg: cfg, file: f}
	if err := l.load(); err != nil {
		f.Close()
		return nil, fmt.Errorf("opening ledger %s: %w", cfg.Path, err)
	}
	return l, nil
}

func (l *Ledger) load() error {
	if err := lock(l.file); err != nil {
		return err
	}
	text, err := io.ReadAll(l.file)
	if err != nil {
		return err
	}
	whole := text[:bytes.LastIndexByte(text, '\n')+1]
	if l.state, err = read(whole); err != nil {
		return err
	}
	l.size = int64(len(whole))
	if err := l.checkWitness(); err != nil {
		return err
	}
	if len(whole) < len(text) {
		if err := l.cut(); err != nil {
			return err
		}
	}
	return l.saveWitness()
}

// Verify reads a ledger without locking or changing it, and returns its entries. The error is ErrBroken, also for a
// last line that is cut short, or of the file system.
func Verify(path string) ([]Entry, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("verifying the ledger: %w", err)
	}
	s, err := read(text)
	if err != nil {
		return nil, fmt.Errorf("verifying ledger %s: %w", path, err)
	}
	return s.entries, nil
}

// Close releases the ledger.
func (l *Ledger) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	err := l.file.Close() // and with it the lock
	l.file = nil
	return err
}

// Member returns the id of the member whose ledger it is.
func (l *Ledger) Member() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.entries[0].Opening.Member
}

// Entries returns all entries, the oldest first. They must not be changed.
func (l *Ledger) Entries() []Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.entries[:len(l.state.entries):len(l.state.entries)]
}

// append numbers, chains and writes entries, and returns once they are on disk. The state follows only then. l.mu is
// held, or l not yet shared.
func (l *Ledger) append(entries ...Entry) error {
	if l.fault != nil {
		return l.fault
	}
	if l.file == nil {
		return os.ErrClosed
	}
	next := l.state.clone()
	var lines []byte
	now := l.now()
	for i := range entries {
		e := entries[i]
		e.Seq, e.Prev, e.Time = uint64(len(next.entries))+1, next.head, now
		line, err := e.encode()
		if err != nil {
			return err
		}
		if err := next.apply(e, line); err != nil {
			return fmt.Errorf("writing to the ledger: %w", err) // it would not be read back
		}
		lines = append(append(lines, line...), '\n')
	}
	_, err := l.file.WriteAt(lines, l.size)
	if err == nil {
		err = l.file.Sync()
	}
	if err != nil {
		// What is on disk now is unknown. Take it back, or stop.
		if cutErr := l.cut(); cutErr != nil {
			l.fault = fmt.Errorf("writing to the ledger failed before, and could not be undone: open it anew: %w", cutErr)
		}
		return fmt.Errorf("writing to the ledger: %w", err)
	}
	l.size += int64(len(lines))
	l.state = next
	return l.saveWitness()
}

// cut removes what lies behind the acknowledged lines.
func (l *Ledger) cut() error {
	if err := l.file.Truncate(l.size); err != nil {
		return err
	}
	return l.file.Sync()
}

func (l *Ledger) now() time.Time {
	now := time.Now
	if l.cfg.Now != nil {
		now = l.cfg.Now
	}
	return now().UTC().Truncate(time.Second)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Policy returns the policy in force.
func (l *Ledger) Policy() Policy {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.state.policy
}

// An Approval is a signature on a change of policy, made with SignPolicy.
type Approval struct {
	Key       sign.PublicKey `json:"key"`
	Signature []byte         `json:"signature"`
}

const policyLabel = "ledger policy"

// SignPolicy approves that this ledger's policy, as it is now, is replaced by another one.
func (l *Ledger) SignPolicy(key *sign.PrivateKey, policy []byte) Approval {
	l.mu.Lock()
	defer l.mu.Unlock()
	return Approval{Key: key.PublicKey(), Signature: key.Sign(policyLabel, l.state.policyStatement(policy)...)}
}

// AdoptPolicy replaces the policy. If the one in force names signers, as many of them as it asks for must have signed
// the change. What was told so far counts under the new policy as well.
func (l *Ledger) AdoptPolicy(policy []byte, approvals ...Approval) error {
	if _, err := ParsePolicy(policy); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.append(Entry{Adoption: &Adoption{Policy: string(policy), Approvals: approvals}})
}
