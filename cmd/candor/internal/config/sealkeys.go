package config

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"candor/aggregator/sealstore"
)

// A secretFile is a file of a server that holds a secret.
type secretFile struct{ kind, path string }

// secretFiles lists the secret files that the configuration and its plain tasks name, each once. TLS keys are not among them: they belong to what renews certificates.
func (a *Aggregator) secretFiles() (files []secretFile, err error) {
	seen := map[string]bool{}
	add := func(kind, path string) {
		if path != "" && !seen[path] {
			seen[path] = true
			files = append(files, secretFile{kind, path})
		}
	}
	add(kindIdentity, a.Identity)
	for _, k := range a.HPKE {
		add(kindHPKE, k.File)
	}
	add(kindPair, a.PairSecret)
	add(kindRelease, a.ReleaseKey)
	add(kindToken, a.PeerToken)
	add(kindToken, a.CollectorToken)
	tasks, err := TaskFiles(a.Tasks)
	if err != nil {
		return nil, err
	}
	for _, path := range tasks {
		var f TaskFile
		if err := Load(path, &f); err != nil {
			return nil, err
		}
		for _, k := range f.VerifyKeys {
			add(kindToken, resolve(path, k.File))
		}
		add(kindToken, resolve(path, f.PeerToken))
		add(kindToken, resolve(path, f.CollectorToken))
	}
	return files, nil
}

// checkSecret says whether a text is a secret of a kind.
func checkSecret(kind, path string, text []byte) (err error) {
	switch kind {
	case kindIdentity:
		_, err = parseIdentity(path, text)
	case kindHPKE:
		_, _, err = parseHPKE(path, text)
	case kindPair, kindRelease:
		_, err = parse32(path, text)
	default:
		_, err = parseToken(path, text)
	}
	return err
}

// Sealing says what SealKeys did, by paths of files.
type Sealing struct {
	Sealed    []string // were in the clear
	Rewrapped []string // were sealed under the store key before
	Unchanged []string // are sealed under the store key
}

// SealKeys seals every secret file that the configuration names under its store key, in their places. Files that are sealed under the key before are sealed under the
// present one; with rewrapOnly those in the clear are left so. Each file is replaced whole and only by what opens as it did; one that cannot be does not stop the others.
func (a *Aggregator) SealKeys(ctx context.Context, rewrapOnly bool) (s Sealing, err error) {
	keys, err := a.StoreKeys(ctx)
	if err != nil {
		return s, err
	}
	if len(keys) == 0 {
		return s, errors.New("store_key is none: there is no key to seal the key files under")
	}
	files, err := a.secretFiles()
	if err != nil {
		return s, err
	}
	var errs []error
	for _, f := range files {
		done, err := a.sealFile(ctx, f, keys[0], rewrapOnly)
		if err != nil {
			errs = append(errs, fmt.Errorf("sealing a key file: %w", err))
			continue
		}
		if list := map[string]*[]string{doneSealed: &s.Sealed, doneRewrapped: &s.Rewrapped, doneNothing: &s.Unchanged}[done]; list != nil {
			*list = append(*list, f.path)
		}
	}
	return s, errors.Join(errs...)
}

// What sealFile did; "" means that it left a file in the clear.
const (
	doneSealed    = "sealed"
	doneRewrapped = "rewrapped"
	doneNothing   = "nothing"
)

func (a *Aggregator) sealFile(ctx context.Context, f secretFile, key *sealstore.WrappingKey, rewrapOnly bool) (done string, err error) {
	text, err := readFile(f.path)
	if err != nil {
		return "", err
	}
	sealed := sealstore.IsKeyFile(text)
	if !sealed && rewrapOnly {
		return "", nil
	}
	secret, err := a.opener.read(ctx, f.kind, f.path)
	if err != nil {
		return "", err
	}
	if err := checkSecret(f.kind, f.path, secret); err != nil {
		return "", err
	}
	done = doneSealed
	if is, err := sealstore.ParseKeyFile(text); sealed && err == nil {
		if done = doneRewrapped; is.StoreKey == key.ID() {
			return doneNothing, nil
		}
	}
	name := filepath.Base(f.path)
	file, err := key.SealFile(f.kind, name, secret)
	if err != nil {
		return "", err
	}
	// What stands there is lost with the next step: read the new text as a server will.
	if again, err := sealstore.ParseKeyFile(file.Encode()); err != nil {
		return "", err
	} else if opened, err := key.OpenFile(again, f.kind, name); err != nil || !bytes.Equal(opened, secret) {
		return "", fmt.Errorf("%s: what was sealed does not open as it was: nothing was changed", f.path)
	}
	target, err := filepath.EvalSymlinks(f.path) // a link stays one
	if err != nil {
		return "", err
	}
	return done, replaceFile(target, file.Encode(), 0o600)
}

// UnsealKeys writes copies of all secret files in the clear to a directory, which is made if it is not there. It never overwrites. It returns the paths of the copies.
func (a *Aggregator) UnsealKeys(ctx context.Context, dir string) (copies []string, err error) {
	files, err := a.secretFiles()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for _, f := range files {
		secret, err := a.opener.read(ctx, f.kind, f.path)
		if err != nil {
			return copies, err
		}
		to := filepath.Join(dir, filepath.Base(f.path))
		if err := WriteSecret(to, secret); err != nil {
			return copies, fmt.Errorf("copying %s: %w", f.path, err)
		}
		copies = append(copies, to)
	}
	return copies, nil
}

// warnings says what of the server's secrets the thief of a disk could read.
func (a *Aggregator) warnings() (warnings []string, err error) {
	files, err := a.secretFiles()
	if err != nil {
		return nil, err
	}
	if a.StoreKey == NoStoreKey {
		return []string{"store_key is none: the store and the key files are in the clear, for whoever gets hold of the disk or of a backup"}, nil
	}
	key, keyIsFile := a.storeKeyFile()
	beside := ""
	for _, f := range append(files, secretFile{path: a.Store}) {
		if keyIsFile && beside == "" && !IsPostgres(f.path) && filepath.Dir(f.path) == filepath.Dir(key) {
			beside = f.path
		}
		if f.path == a.Store {
			continue
		}
		text, err := readFile(f.path)
		if err != nil {
			return nil, err
		}
		if !sealstore.IsKeyFile(text) {
			warnings = append(warnings, fmt.Sprintf("%s is in the clear, for whoever gets hold of the disk: candor keys seal --config %s", f.path, a.opener.config))
		}
	}
	if beside != "" {
		warnings = append(warnings, fmt.Sprintf("the store key %s lies beside %s, which it seals: who gets hold of this disk has both; keep it elsewhere, or use env: or exec:", key, beside))
	}
	return warnings, nil
}
