package sealstore

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A KeyFile is a secret file of a server, such as an HPKE key, sealed under the key of its store. It is a text that says what it is and which key opens it; kind and
// name are in the associated data, so that one file does not pass for another.
type KeyFile struct {
	Kind     string // what the secret is: up to 16 lower-case letters
	Name     string // of the file, without its directory: it opens under this name only
	StoreKey string // ID of the wrapping key

	sealed []byte // nonce, ciphertext, tag
}

// ErrNotKeyFile means that a text is not a whole sealed key file.
var ErrNotKeyFile = errors.New("it is not a whole sealed key file: it was cut off or edited; put its copy back")

// ErrKeyFileAltered means that a key file does not open as what it should be.
var ErrKeyFileAltered = errors.New("it does not open as what it is named: it was altered or cut off, or is another file under this name; put its copy back")

const keyFileComment = "# A secret of a Candor server, sealed under the key of its store. It opens under this name only.\n"

// The lines of a key file in their order. Lines that are empty or begin with # are skipped.
var keyFileLines = [4]string{"sealed_key: ", "name: ", "store_key: ", "ciphertext: "}

// IsKeyFile says whether a text claims to be a sealed key file.
func IsKeyFile(text []byte) bool {
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); len(line) > 0 && line[0] != '#' {
			return bytes.HasPrefix(line, []byte(keyFileLines[0]))
		}
	}
	return false
}

var keyFileKind = regexp.MustCompile(`^[a-z]{1,16}$`)

// ParseKeyFile reads a sealed key file. It opens nothing. The error is ErrNotKeyFile.
func ParseKeyFile(text []byte) (f KeyFile, err error) {
	var values []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		if len(values) == len(keyFileLines) {
			return f, ErrNotKeyFile
		}
		value, ok := strings.CutPrefix(line, keyFileLines[len(values)])
		if !ok {
			return f, ErrNotKeyFile
		}
		values = append(values, value)
	}
	if len(values) < len(keyFileLines) {
		return f, ErrNotKeyFile
	}
	f = KeyFile{Kind: values[0], Name: values[1], StoreKey: values[2]}
	id, idErr := hex.DecodeString(f.StoreKey)
	f.sealed, err = base64.RawURLEncoding.Strict().DecodeString(values[3])
	if err != nil || idErr != nil || len(id) != wrappingIDSize || strings.ToLower(f.StoreKey) != f.StoreKey || len(f.sealed) == 0 || !keyFileKind.MatchString(f.Kind) || !ValidKeyFileName(f.Name) {
		return KeyFile{}, ErrNotKeyFile
	}
	return f, nil
}

// ValidKeyFileName says whether a file may have this name, so that it stands in one line and means one file.
func ValidKeyFileName(name string) bool {
	return name != "" && len(name) <= 255 && utf8.ValidString(name) && strings.TrimSpace(name) == name &&
		!strings.ContainsFunc(name, func(r rune) bool { return r == '/' || r == '\\' || !unicode.IsPrint(r) })
}

// Encode returns the text of the file.
func (f KeyFile) Encode() []byte {
	var b bytes.Buffer
	b.WriteString(keyFileComment)
	for i, value := range []string{f.Kind, f.Name, f.StoreKey, base64.RawURLEncoding.EncodeToString(f.sealed)} {
		b.WriteString(keyFileLines[i] + value + "\n")
	}
	return b.Bytes()
}

// SealFile seals the content of a secret file.
func (k *WrappingKey) SealFile(kind, name string, secret []byte) (KeyFile, error) {
	if !keyFileKind.MatchString(kind) {
		panic("sealstore: internal error: no kind of key: " + kind)
	}
	if !ValidKeyFileName(name) {
		return KeyFile{}, fmt.Errorf("%q is no name for a sealed key file: use letters, digits and simple signs", name)
	}
	f := KeyFile{Kind: kind, Name: name, StoreKey: k.ID()}
	f.sealed = k.files().Seal(nil, nil, secret, f.associated())
	return f, nil
}

// OpenFile returns the content of a secret file of that kind and name. The error is ErrKeyFileAltered.
func (k *WrappingKey) OpenFile(f KeyFile, kind, name string) ([]byte, error) {
	f.Kind, f.Name = kind, name
	secret, err := k.files().Open(nil, nil, f.sealed, f.associated())
	if err != nil {
		return nil, ErrKeyFileAltered
	}
	return secret, nil
}

// associated is what a file is bound to, each part behind its length.
func (f KeyFile) associated() []byte {
	out := []byte("candor/1 sealed key file")
	for _, part := range []string{f.Kind, f.Name} {
		out = append(binary.BigEndian.AppendUint32(out, uint32(len(part))), part...)
	}
	return out
}
