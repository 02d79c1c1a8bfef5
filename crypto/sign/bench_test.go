package sign_test

import (
	"crypto/ed25519"
	"testing"

	"candor/crypto/sign"

	circl "github.com/cloudflare/circl/sign/ed25519"
)

// BenchmarkVerifyLibraries is what the choice of the library rests on.
func BenchmarkVerifyLibraries(b *testing.B) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		b.Fatal(err)
	}
	message := make([]byte, 200)
	signature := ed25519.Sign(private, message)
	b.Run("std", func(b *testing.B) {
		for b.Loop() {
			if !ed25519.Verify(public, message, signature) {
				b.Fatal("invalid")
			}
		}
	})
	b.Run("circl", func(b *testing.B) {
		key := circl.PublicKey(public)
		for b.Loop() {
			if !circl.Verify(key, message, signature) {
				b.Fatal("invalid")
			}
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	k := newKey(b, 1)
	part := make([]byte, 32)
	signature := k.Sign("label", part, part, part, part)
	b.ReportAllocs()
	for b.Loop() {
		if err := k.PublicKey().Verify(signature, "label", part, part, part, part); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSign(b *testing.B) {
	k := newKey(b, 1)
	part := make([]byte, 32)
	b.ReportAllocs()
	for b.Loop() {
		k.Sign("label", part, part, part, part)
	}
}

func BenchmarkNewPublicKey(b *testing.B) {
	p := newKey(b, 1).PublicKey()
	for b.Loop() {
		if _, err := sign.NewPublicKey(p[:]); err != nil {
			b.Fatal(err)
		}
	}
}
