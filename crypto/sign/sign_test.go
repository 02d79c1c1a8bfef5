package sign_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"candor/crypto/sign"

	circl "github.com/cloudflare/circl/sign/ed25519"
)

// TestKnownKeys takes the test vectors of RFC 8032, section "Test Vectors for
// Ed25519". Their messages are not statements: they show that the keys are
// Ed25519 keys, which with TestStatements settles what is signed.
func TestKnownKeys(t *testing.T) {
	tests := []struct{ private, public, message, signature string }{
		{
			"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
			"d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
			"",
			"e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
		},
		{
			"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
			"3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
			"72",
			"92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
		},
		{
			"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
			"fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
			"af82",
			"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
		},
	}
	for _, test := range tests {
		k, err := sign.ParsePrivateKey(unhex(test.private))
		if err != nil {
			t.Fatal(err)
		}
		public := k.PublicKey()
		if got := hex.EncodeToString(public[:]); got != test.public {
			t.Errorf("public key %s, want %s", got, test.public)
		}
		if !ed25519.Verify(public[:], unhex(test.message), unhex(test.signature)) {
			t.Errorf("%v: the known signature is invalid", public)
		}
		if _, err := sign.NewPublicKey(unhex(test.public)); err != nil {
			t.Error(err)
		}
		// The same key signs statements as any Ed25519 would.
		want := ed25519.Sign(ed25519.NewKeyFromSeed(unhex(test.private)), sign.Statement("label", []byte("part")))
		if got := k.Sign("label", []byte("part")); !bytes.Equal(got, want) {
			t.Errorf("signature %x, want %x", got, want)
		}
	}
}

func TestStatements(t *testing.T) {
	const head = "00000008" + "63616e646f722f31" // candor/1
	tests := []struct {
		got  []byte
		want string
	}{
		{sign.Statement("round"), head + "00000005" + "726f756e64"},
		{sign.Statement("round", nil), head + "00000005" + "726f756e64" + "00000000"},
		{sign.Statement("a", []byte("bc"), []byte("d")), head + "00000001" + "61" + "00000002" + "6263" + "00000001" + "64"},
		{sign.Statement("a", []byte("b"), []byte("cd")), head + "00000001" + "61" + "00000001" + "62" + "00000002" + "6364"},
	}
	for _, test := range tests {
		if hex.EncodeToString(test.got) != test.want {
			t.Errorf("statement %x, want %s", test.got, test.want)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a statement needs no label")
		}
	}()
	sign.Statement("")
}

func TestVerify(t *testing.T) {
	k := newKey(t, 1)
	a, b := []byte("first"), []byte("second")
	signature := k.Sign("label", a, b)
	if err := k.PublicKey().Verify(signature, "label", a, b); err != nil {
		t.Fatal(err)
	}
	if !circl.Verify(circl.PublicKey(func() []byte { p := k.PublicKey(); return p[:] }()), sign.Statement("label", a, b), signature) {
		t.Error("another implementation calls the signature invalid")
	}
	if !bytes.Equal(signature, k.Sign("label", a, b)) {
		t.Error("signing twice makes two signatures")
	}

	refuse := func(name string, p sign.PublicKey, signature []byte, label string, parts ...[]byte) {
		t.Helper()
		if err := p.Verify(signature, label, parts...); err != sign.ErrInvalid {
			t.Errorf("%s: error %v, want ErrInvalid", name, err)
		}
	}
	p := k.PublicKey()
	refuse("another key", newKey(t, 2).PublicKey(), signature, "label", a, b)
	refuse("another label", p, signature, "labels", a, b)
	refuse("another part", p, signature, "label", a, a)
	refuse("parts exchanged", p, signature, "label", b, a)
	refuse("parts joined", p, signature, "label", []byte("firstsecond"))
	refuse("parts divided elsewhere", p, signature, "label", []byte("firsts"), []byte("econd"))
	refuse("a part of the label", p, signature, "labelfirst", b)
	refuse("a part less", p, signature, "label", a)
	refuse("an empty part more", p, signature, "label", a, b, nil)
	refuse("no signature", p, nil, "label", a, b)
	refuse("a short signature", p, signature[:63], "label", a, b)
	refuse("a long signature", p, append(signature[:64:64], 0), "label", a, b)
	for i := range signature {
		changed := bytes.Clone(signature)
		changed[i] ^= 1
		refuse(fmt.Sprintf("byte %d of the signature", i), p, changed, "label", a, b)
	}
	// S + L is the same number modulo the order, but no second signature.
	refuse("S not reduced", p, append(signature[:32:32], addOrder(signature[32:])...), "label", a, b)
}

// addOrder returns s plus the order of the base point, both little-endian.
func addOrder(s []byte) []byte {
	order := unhex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010")
	sum := make([]byte, 32)
	carry := 0
	for i := range sum {
		carry += int(s[i]) + int(order[i])
		sum[i] = byte(carry)
		carry >>= 8
	}
	return sum
}

func TestPrivateKeys(t *testing.T) {
	k, err := sign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	other, err := sign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	if k.PublicKey() == other.PublicKey() {
		t.Error("two generated keys are the same")
	}
	again, err := sign.ParsePrivateKey(k.Bytes())
	if err != nil || again.PublicKey() != k.PublicKey() || !bytes.Equal(again.Sign("l"), k.Sign("l")) {
		t.Errorf("parsed key is another, error %v", err)
	}
	for _, n := range []int{0, 31, 33, 64} {
		if _, err := sign.ParsePrivateKey(make([]byte, n)); err == nil {
			t.Errorf("a private key of %d bytes parses", n)
		}
	}
	failing := errors.New("no entropy")
	if _, err := sign.GenerateKey(errorReader{failing}); !errors.Is(err, failing) {
		t.Errorf("GenerateKey without entropy: error %v", err)
	}
}

// TestRedacted prints keys in every way and looks for their bytes.
func TestRedacted(t *testing.T) {
	k := newKey(t, 3)
	type nested struct {
		Exported   *sign.PrivateKey
		ByValue    sign.PrivateKey
		unexported *sign.PrivateKey
		byValue    sign.PrivateKey
		list       []*sign.PrivateKey
		table      map[string]sign.PrivateKey
		any        any
	}
	n := nested{k, *k, k, *k, []*sign.PrivateKey{k}, map[string]sign.PrivateKey{"k": *k}, *k}

	printed := make(map[string]bool) // most forms are the same
	var out strings.Builder
	for _, value := range []any{k, *k, &n, n, []sign.PrivateKey{*k}, map[string]*sign.PrivateKey{"k": k}} {
		for _, verb := range "vsdqxXtbcoOUeEfFgGpTw" {
			for _, flags := range []string{"", "+", "#", "-", " ", "0", "+#", "20.10"} {
				printed[fmt.Sprintf("%"+flags+string(verb)+"\n", value)] = true
			}
		}
		fmt.Fprintln(&out, value)
		if b, err := json.Marshal(value); err == nil {
			out.Write(b)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("key", "value", value)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("key", "value", value)
	}
	for text := range printed {
		out.WriteString(text)
	}
	expanded := sha512Half(k.Bytes())
	for name, secret := range map[string][]byte{"seed": k.Bytes(), "scalar": expanded} {
		leaks(t, name, out.String(), secret)
	}
	if got := fmt.Sprint(k, *k); got != "REDACTED REDACTED" {
		t.Errorf("a key prints as %s", got)
	}
	if b, err := json.Marshal([]any{k, *k}); err != nil || string(b) != `["REDACTED","REDACTED"]` {
		t.Errorf("a key as JSON is %s, error %v", b, err)
	}
}

// leaks fails if out has a run of 4 bytes of secret, in any usual notation.
func leaks(t *testing.T, name, out string, secret []byte) {
	t.Helper()
	lower := strings.ToLower(out)
	for i := 0; i+4 <= len(secret); i++ {
		part := secret[i : i+4]
		if strings.Contains(out, string(part)) {
			t.Fatalf("bytes %d to %d of the %s are printed", i, i+4, name)
		}
		goSyntax := fmt.Sprintf("%#v", part)
		for _, notation := range []string{
			fmt.Sprintf("%x", part),
			fmt.Sprintf("% x", part),
			strings.Trim(fmt.Sprint(part), "[]"),
			goSyntax[len("[]byte{") : len(goSyntax)-1],
		} {
			if strings.Contains(lower, notation) {
				t.Fatalf("bytes %d to %d of the %s are printed, as %q", i, i+4, name, notation)
			}
		}
	}
}

func newKey(t testing.TB, seed byte) *sign.PrivateKey {
	t.Helper()
	digest := sha256.Sum256([]byte{seed})
	k, err := sign.GenerateKey(bytes.NewReader(digest[:]))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}
