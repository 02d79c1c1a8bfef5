package config

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"candor/aggregator"
	"candor/crypto/sign"
	"candor/schema/round"
)

// A Runner turns the rounds that a server was given into the tasks it runs.
type Runner struct {
	Trust     round.Trust
	Secret    *aggregator.PairSecret
	Identity  *sign.PrivateKey
	Key       *aggregator.ReleaseKey
	Software  string // named in statements
	Peer      aggregator.Token
	Collector aggregator.Token // empty at the Helper

	opener  *opener                    // of the secret files that plain tasks name
	running map[string]*round.Document // by id
}

// NewRunner reads what a server's configuration says about rounds.
func (a *Aggregator) NewRunner(ctx context.Context, software string) (*Runner, error) {
	r := &Runner{Trust: a.Trust, Software: software, opener: a.opener}
	var err error
	if r.Secret, err = a.LoadPairSecret(ctx); err != nil {
		return nil, err
	}
	if r.Identity, err = a.LoadIdentity(ctx); err != nil {
		return nil, err
	}
	if r.Key, err = a.LoadReleaseKey(ctx); err != nil {
		return nil, err
	}
	if r.Peer, err = a.opener.token(ctx, a.PeerToken); err != nil {
		return nil, err
	}
	r.Collector, err = a.opener.token(ctx, a.CollectorToken)
	return r, err
}

// RoundTasks is Tasks for the text of a round's file, with the amendments that lie beside it.
func (r *Runner) RoundTasks(path string, text []byte) ([]*aggregator.Task, error) {
	amendments, err := ReadAmendments(path)
	if err != nil {
		return nil, err
	}
	return r.Tasks(text, amendments...)
}

// Tasks derives the tasks of a signed round as amended. A round, or an amendment, that does not bear all three signatures of the pinned keys is refused, and so is a
// round that contradicts itself or covers part of another's period.
func (r *Runner) Tasks(text []byte, amendments ...*round.SignedAmendment) ([]*aggregator.Task, error) {
	signed, err := round.ParseSigned(text)
	if err != nil {
		return nil, err
	}
	if err := signed.Verify(r.Trust); err != nil {
		return nil, err
	}
	if problems := signed.Document.Check(); len(problems) > 0 {
		return nil, fmt.Errorf("round %s contradicts itself: %s", signed.Document.ID, strings.Join(problems, "; "))
	}
	if err := r.refuseOverlap(signed.Document); err != nil {
		return nil, err
	}
	for _, a := range amendments {
		if err := a.Verify(signed); err != nil {
			return nil, err
		}
	}
	collector, err := round.ParseHPKE(signed.Document.Collector)
	if err != nil {
		return nil, err
	}
	derived, err := signed.Tasks()
	if err != nil {
		return nil, err
	}
	tasks := make([]*aggregator.Task, len(derived))
	for i, t := range derived {
		key, err := r.Secret.VerifyKey(t.ID)
		if err != nil {
			return nil, err
		}
		rules, err := aggregator.NewRound(signed.Document, i, r.Identity, r.Key, r.Software)
		if err != nil {
			return nil, err
		}
		tasks[i] = &aggregator.Task{
			Task: t, Round: rules, VerifyKeys: map[uint8]aggregator.VerifyKey{0: key}, Collector: collector,
			PeerToken: r.Peer, CollectorToken: r.Collector,
		}
		for _, a := range amendments {
			if err := amend(tasks[i], a); err != nil {
				return nil, err
			}
		}
	}
	return tasks, nil
}

// Code returns the configuration code of a round: over each task's configuration, Collector and verify key. Both operators read it to each other before the window opens; it
// is the same only if both servers derive the same, the pair secret included.
func (r *Runner) Code(text []byte) (sign.Fingerprint, error) {
	tasks, err := r.Tasks(text)
	if err != nil {
		return "", err
	}
	digests := make([][]byte, len(tasks))
	for i, t := range tasks {
		if err := t.Check(); err != nil {
			return "", err
		}
		d := t.Digest()
		digests[i] = d[:]
	}
	return sign.FingerprintOf("configuration code", digests...), nil
}

// refuseOverlap refuses a round over part of the period of another that this server runs, and remembers the others.
func (r *Runner) refuseOverlap(d *round.Document) error {
	for _, other := range r.running {
		both, err := d.Overlaps(other)
		if err != nil {
			return err
		}
		if len(both) > 0 {
			return fmt.Errorf("round %s covers part of the period of round %s, which runs here, with %s", d.ID, other.ID, strings.Join(both, ", "))
		}
	}
	if r.running == nil {
		r.running = map[string]*round.Document{}
	}
	r.running[d.ID] = d
	return nil
}

// RoundFiles lists the files of rounds in a directory, by name. Names that begin with a dot are being written and left out.
func RoundFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("listing the rounds: %w", err)
	}
	var files []string
	for _, e := range entries {
		if name := e.Name(); !e.IsDir() && filepath.Ext(name) == ".json" && !strings.HasPrefix(name, ".") {
			files = append(files, filepath.Join(dir, name))
		}
	}
	slices.Sort(files)
	return files, nil
}

// ReadRound reads the file of a signed round, and when it or one of its amendments was last modified.
func ReadRound(path string) (text []byte, modified time.Time, err error) {
	paths, err := amendmentFiles(path)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("reading a round: %w", err)
	}
	for _, p := range append(paths, path) {
		info, err := os.Stat(p)
		if err != nil {
			return nil, modified, fmt.Errorf("reading a round: %w", err)
		}
		if info.ModTime().After(modified) {
			modified = info.ModTime()
		}
	}
	if text, err = readFile(path); err != nil {
		return nil, modified, fmt.Errorf("reading a round: %w", err)
	}
	return text, modified, nil
}
