package seal_test

import (
	"crypto/hpke"
	"testing"

	"candor/crypto/seal"
)

// The sizes are those of a Prio3Count report's Helper share and its AAD.
func BenchmarkSeal(b *testing.B) {
	for name, s := range map[string]seal.Suite{"XWing": seal.XWing, "X25519": seal.X25519} {
		publicKey, _, err := seal.GenerateKey(s, nil)
		if err != nil {
			b.Fatal(err)
		}
		aad, plaintext := make([]byte, 141), make([]byte, 38)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := seal.Seal(s, publicKey, info, aad, plaintext, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/std", func(b *testing.B) {
			kem, _ := hpke.NewKEM(s.KEM)
			b.ReportAllocs()
			for b.Loop() {
				pk, err := kem.NewPublicKey(publicKey)
				if err != nil {
					b.Fatal(err)
				}
				_, sender, err := hpke.NewSender(pk, hpke.HKDFSHA256(), hpke.AES128GCM(), info)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := sender.Seal(aad, plaintext); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOpen(b *testing.B) {
	for name, s := range map[string]seal.Suite{"XWing": seal.XWing, "X25519": seal.X25519} {
		publicKey, k, err := seal.GenerateKey(s, nil)
		if err != nil {
			b.Fatal(err)
		}
		aad, plaintext := make([]byte, 141), make([]byte, 38)
		enc, ciphertext, err := seal.Seal(s, publicKey, info, aad, plaintext, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := k.Open(enc, info, aad, ciphertext); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/std", func(b *testing.B) {
			kem, _ := hpke.NewKEM(s.KEM)
			sk, err := kem.NewPrivateKey(k.Bytes())
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				recipient, err := hpke.NewRecipient(enc, sk, hpke.HKDFSHA256(), hpke.AES128GCM(), info)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := recipient.Open(aad, ciphertext); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
