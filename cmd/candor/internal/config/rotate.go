package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"candor/schema/dap"
	"candor/schema/round"
)

// A Rotation is what RotateHPKE did, and what is still to be done.
type Rotation struct {
	File      string         // the new key's, as the configuration names it
	Config    dap.HpkeConfig // the new key's
	Withdrawn []WithdrawnKey // all that are advertised no longer
	Card      string         // path of the operator's card that now names the new key; "" if there was none
}

// A WithdrawnKey is a key that is advertised no longer and still opens reports.
type WithdrawnKey struct {
	File   string
	ID     dap.HpkeConfigID
	Keep   time.Duration // from its withdrawal, at least
	Rounds []string      // approved rounds whose reports are sealed to it: kept until all of them are collected and released
}

// RotateHPKE makes a new HPKE key of a suite, sealed if there is a store key, and names it first in the configuration at path; the keys named until now are withdrawn. Comments and all else in the file are
// untouched. A running server takes the change up by itself. Rounds that were approved go on with the key that they name; the operator's card beside the
// configuration, if it is there, is written anew for the rounds to come.
func RotateHPKE(ctx context.Context, path, suite string) (*Rotation, error) {
	a, err := LoadAggregator(path)
	if err != nil {
		return nil, err
	}
	if _, err := a.Keyring(ctx); err != nil {
		return nil, err
	}
	r := new(Rotation)
	keep := max(2*orDefault(time.Duration(a.CacheLifetime), 24*time.Hour), orDefault(time.Duration(a.Retention), 30*24*time.Hour))
	used := make(map[dap.HpkeConfigID]bool)
	rounds, err := a.Approved()
	if err != nil {
		return nil, err
	}
	for _, k := range a.HPKE {
		config, _, err := a.opener.hpke(ctx, k.File)
		if err != nil {
			return nil, err
		}
		used[config.ID] = true
		w := WithdrawnKey{File: k.File, ID: config.ID, Keep: keep}
		text, err := round.EncodeHPKE(config)
		if err != nil {
			return nil, err
		}
		for _, s := range rounds {
			if s.Document.Leader.HPKE == text || s.Document.Helper.HPKE == text {
				w.Rounds = append(w.Rounds, s.Document.ID)
			}
		}
		r.Withdrawn = append(r.Withdrawn, w)
	}
	id, ok := freeID(used)
	if !ok {
		return nil, errors.New("rotating HPKE keys: all 256 IDs are in use: remove keys that no round needs from the configuration")
	}
	secret, config, err := GenerateHPKE(suite, uint8(id))
	if err != nil {
		return nil, err
	}
	r.Config = config
	if r.File, err = a.writeNewKey(ctx, filepath.Dir(path), int(id), secret); err != nil {
		return nil, err
	}
	if err := renameKeys(path, a, r.File); err != nil {
		// Nothing names the key, and nothing was sealed to it.
		return nil, errors.Join(err, os.Remove(filepath.Join(filepath.Dir(path), r.File)))
	}
	r.Card, err = a.renewCard(ctx, filepath.Dir(path), config)
	return r, err
}

func orDefault(d, def time.Duration) time.Duration {
	if d == 0 {
		return def
	}
	return d
}

// freeID returns the ID after the greatest in use, or the least free one.
func freeID(used map[dap.HpkeConfigID]bool) (dap.HpkeConfigID, bool) {
	next := 0
	for id := range used {
		next = max(next, int(id)+1)
	}
	for i := range 256 {
		if id := dap.HpkeConfigID(next + i); !used[id] {
			return id, true
		}
	}
	return 0, false
}

// writeNewKey writes hpke-ID.key, or the first name like it that is free, and returns the name.
func (a *Aggregator) writeNewKey(ctx context.Context, dir string, id int, secret []byte) (string, error) {
	for n := 0; ; n++ {
		name := "hpke-" + strconv.Itoa(id) + ".key"
		if n > 0 {
			name = fmt.Sprintf("hpke-%d-%d.key", id, n)
		}
		err := a.WriteSecret(ctx, kindHPKE, filepath.Join(dir, name), secret)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		return name, err
	}
}

var hpkeEntry = regexp.MustCompile(`^( *)- +file: *\S`)

// renameKeys edits the list of HPKE keys in a configuration: the new key first, the others withdrawn. What it wrote is read again before it counts.
func renameKeys(path string, before *Aggregator, name string) error {
	text, err := readFile(path)
	if err != nil {
		return err
	}
	var out []string
	inside, withdrawn := false, false
	lines := slices.Collect(strings.Lines(string(text)))
	for i, line := range lines {
		if inside && strings.TrimSpace(line) != "" && !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "-") && !strings.HasPrefix(line, "#") {
			inside = false
		}
		if strings.TrimRight(line, " \r\n") == "hpke:" {
			inside, withdrawn = true, false
			out = append(out, line)
			continue
		}
		entry := hpkeEntry.FindStringSubmatch(line)
		if !inside || entry == nil {
			out = append(out, line)
			continue
		}
		if !withdrawn { // the first entry: the new one has its indentation
			out = append(out, entry[1]+"- file: "+name+"\n")
			withdrawn = true
		}
		out = append(out, strings.TrimRight(line, "\r\n")+"\n")
		indent := entry[1] + "  "
		if i+1 >= len(lines) || !strings.HasPrefix(lines[i+1], indent+"withdrawn: true") {
			out = append(out, indent+"withdrawn: true\n")
		}
	}
	edited := []byte(strings.Join(out, ""))
	want := []HPKEKey{{File: resolve(path, name)}}
	for _, k := range before.HPKE {
		want = append(want, HPKEKey{File: k.File, Withdrawn: true})
	}
	after, err := ParseAggregator(path, edited)
	if err != nil || !slices.Equal(after.HPKE, want) {
		return fmt.Errorf("rotating HPKE keys: the list under hpke: in %s is not written as one `- file: NAME` a line; nothing was changed", path)
	}
	return replaceFile(path, edited, 0o600)
}

// renewCard writes the operator's card with a new HPKE configuration, signed with the server's identity.
func (a *Aggregator) renewCard(ctx context.Context, dir string, config dap.HpkeConfig) (string, error) {
	for _, role := range []string{round.ByLeader, round.ByHelper} {
		path := filepath.Join(dir, role+".card")
		text, err := readFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		card, err := round.ParseCard(text)
		if err != nil {
			return "", fmt.Errorf("renewing %s: %w", path, err)
		}
		key, err := a.LoadIdentity(ctx)
		if err != nil {
			return "", err
		}
		if card.HPKE, err = round.EncodeHPKE(config); err != nil {
			return "", err
		}
		line, err := round.NewCard(role, card.Aggregator, key).Line()
		if err != nil {
			return "", err
		}
		return path, replaceFile(path, []byte(line+"\n"), 0o644)
	}
	return "", nil
}

// holdsHPKE refuses a round whose members would seal to a key that this server, the aggregator "by" of the round, does not have: nobody could open their reports.
func (a *Aggregator) holdsHPKE(ctx context.Context, d *round.Document, by string) error {
	named := d.Leader.HPKE
	if by == round.ByHelper {
		named = d.Helper.HPKE
	}
	for _, k := range a.HPKE {
		config, _, err := a.opener.hpke(ctx, k.File)
		if err != nil {
			return err
		}
		if text, err := round.EncodeHPKE(config); err == nil && text == named {
			return nil
		}
	}
	return fmt.Errorf("round %s has members seal to an HPKE key that this server does not have: put the key back, or give the secretariat your present card for a new round", d.ID)
}
