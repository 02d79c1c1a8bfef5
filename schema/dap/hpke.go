package dap

import (
	"errors"

	"golang.org/x/crypto/cryptobyte"
)

// A Role is the part that a party plays in the protocol.
//
//	enum {
//	  collector(0),
//	  client(1),
//	  leader(2),
//	  helper(3),
//	  (255)
//	} Role;
type Role uint8

const (
	Collector Role = 0
	Client    Role = 1
	Leader    Role = 2
	Helper    Role = 3
)

func (r Role) String() string {
	switch r {
	case Collector:
		return "collector"
	case Client:
		return "client"
	case Leader:
		return "leader"
	case Helper:
		return "helper"
	}
	return "unknown role"
}

// An HpkeConfigID names an HPKE configuration among those of one server.
//
//	uint8 HpkeConfigId;
type HpkeConfigID uint8

// An HpkeConfig is a public key with the suite it is for. Any suite and any key
// of at least one byte has an encoding; package seal knows which are usable.
//
//	struct {
//	  HpkeConfigId id;
//	  HpkeKemId kem_id;
//	  HpkeKdfId kdf_id;
//	  HpkeAeadId aead_id;
//	  HpkePublicKey public_key;
//	} HpkeConfig;
//
//	opaque HpkePublicKey<1..2^16-1>;
//	uint16 HpkeAeadId;
//	uint16 HpkeKemId;
//	uint16 HpkeKdfId;
type HpkeConfig struct {
	ID        HpkeConfigID
	KEM       uint16
	KDF       uint16
	AEAD      uint16
	PublicKey []byte
}

func (c HpkeConfig) marshal(b *cryptobyte.Builder) {
	b.AddUint8(uint8(c.ID))
	b.AddUint16(c.KEM)
	b.AddUint16(c.KDF)
	b.AddUint16(c.AEAD)
	addOpaque16(b, c.PublicKey, 1)
}

func (c *HpkeConfig) unmarshal(s *cryptobyte.String) bool {
	return s.ReadUint8((*uint8)(&c.ID)) &&
		s.ReadUint16(&c.KEM) &&
		s.ReadUint16(&c.KDF) &&
		s.ReadUint16(&c.AEAD) &&
		readOpaque16(s, &c.PublicKey, 1)
}

// An HpkeConfigList is what an Aggregator advertises, in its order of
// preference. It has at least one entry, and no two of the same ID.
//
//	HpkeConfig HpkeConfigList<10..2^16-1>;
type HpkeConfigList []HpkeConfig

func (l HpkeConfigList) marshal(b *cryptobyte.Builder) {
	if !l.wellFormed() {
		b.SetError(errors.New("HPKE configurations: none, or two of the same ID"))
		return
	}
	addVector16(b, l)
}

func (l *HpkeConfigList) unmarshal(s *cryptobyte.String) bool {
	return readVector16(s, (*[]HpkeConfig)(l)) && l.wellFormed()
}

func (l HpkeConfigList) wellFormed() bool {
	var seen [256]bool
	for _, c := range l {
		if seen[c.ID] {
			return false
		}
		seen[c.ID] = true
	}
	return len(l) > 0
}

// An HpkeCiphertext is a sealed message and what its recipient needs to open it.
//
//	struct {
//	  HpkeConfigId config_id;
//	  opaque enc<1..2^16-1>;
//	  opaque payload<1..2^32-1>;
//	} HpkeCiphertext;
type HpkeCiphertext struct {
	ConfigID HpkeConfigID
	Enc      []byte
	Payload  []byte
}

func (c HpkeCiphertext) marshal(b *cryptobyte.Builder) {
	b.AddUint8(uint8(c.ConfigID))
	addOpaque16(b, c.Enc, 1)
	addOpaque32(b, c.Payload, 1)
}

func (c *HpkeCiphertext) unmarshal(s *cryptobyte.String) bool {
	return s.ReadUint8((*uint8)(&c.ConfigID)) &&
		readOpaque16(s, &c.Enc, 1) &&
		readOpaque32(s, &c.Payload, 1)
}
