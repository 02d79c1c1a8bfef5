package round_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"slices"
	"testing"

	"candor/crypto/sign"
	"candor/schema/dap"
	"candor/schema/round"
)

func TestContributionRoundTrip(t *testing.T) {
	flags := []bool{true, false, true, true, false, false, false, false, true}
	in := round.Contribution{Member: "m1", Correction: 3, Contributes: round.NewContributes(flags)}
	ext, err := in.Extension()
	if err != nil {
		t.Fatal(err)
	}
	out, err := round.ParseContribution(ext.Data)
	if err != nil || out.Member != "m1" || out.Correction != 3 {
		t.Fatalf("parsed as %+v, %v", out, err)
	}
	got, err := out.Flags(len(flags))
	if err != nil || !slices.Equal(got, flags) {
		t.Errorf("flags are %v, %v, want %v", got, err, flags)
	}
	for _, n := range []int{8, 17} {
		if _, err := out.Flags(n); !errors.Is(err, dap.ErrMalformed) {
			t.Errorf("the bits of 9 metrics were read as those of %d: %v", n, err)
		}
	}
	out.Contributes[1] |= 0x80
	if _, err := out.Flags(len(flags)); !errors.Is(err, dap.ErrMalformed) {
		t.Errorf("a bit past the last metric was accepted: %v", err)
	}
	for _, id := range []string{"", "12345678901234567890123456789012345678901"} {
		if _, err := (round.Contribution{Member: id}).Extension(); err == nil {
			t.Errorf("member id %q was encoded", id)
		}
	}
}

func FuzzParseContribution(f *testing.F) {
	ext, err := round.Contribution{Member: "m1", Correction: 1, Contributes: []byte{5}}.Extension()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(ext.Data)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := round.ParseContribution(data)
		if err != nil {
			return
		}
		again, err := c.Extension()
		if err != nil || !bytes.Equal(again.Data, data) {
			t.Fatalf("%x re-encodes to %x, %v", data, again.Data, err)
		}
	})
}

// Every input of the signature is changed once: each change must be refused.
func TestReportSignature(t *testing.T) {
	key, err := sign.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := sign.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	task, metadata, public, payload := dap.TaskID{1}, []byte("metadata"), []byte("public"), []byte("payload")
	other := dap.Extension{Type: 7, Data: []byte("other")}
	ext, err := round.SignReport(key, dap.Leader, task, metadata, public, []dap.Extension{other}, payload)
	if err != nil {
		t.Fatal(err)
	}
	private := []dap.Extension{other, ext}
	if err := round.VerifyReport(key.PublicKey(), dap.Leader, task, metadata, public, private, payload); err != nil {
		t.Fatalf("the true report is refused: %v", err)
	}
	for name, err := range map[string]error{
		"another key":       round.VerifyReport(stranger.PublicKey(), dap.Leader, task, metadata, public, private, payload),
		"another role":      round.VerifyReport(key.PublicKey(), dap.Helper, task, metadata, public, private, payload),
		"another task":      round.VerifyReport(key.PublicKey(), dap.Leader, dap.TaskID{2}, metadata, public, private, payload),
		"other metadata":    round.VerifyReport(key.PublicKey(), dap.Leader, task, []byte("Metadata"), public, private, payload),
		"moved boundary":    round.VerifyReport(key.PublicKey(), dap.Leader, task, []byte("metadatap"), []byte("ublic"), private, payload),
		"another share":     round.VerifyReport(key.PublicKey(), dap.Leader, task, metadata, public, private, []byte("Payload")),
		"extension dropped": round.VerifyReport(key.PublicKey(), dap.Leader, task, metadata, public, []dap.Extension{ext}, payload),
		"no signature":      round.VerifyReport(key.PublicKey(), dap.Leader, task, metadata, public, []dap.Extension{other}, payload),
	} {
		if !errors.Is(err, round.ErrSignature) {
			t.Errorf("%s: %v, want ErrSignature", name, err)
		}
	}
}
