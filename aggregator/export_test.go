package aggregator

import (
	"candor/aggregator/store"
	"candor/crypto/field"
	"candor/crypto/xof"
	"candor/schema/dap"
)

// ListDigest is the digest of the list of reports in a statement.
var ListDigest = listDigest

// ReleaseStream returns the seed of a release, the salts of its leaves, and the n elements that blanked cells are taken from.
func ReleaseStream(key *ReleaseKey, role dap.Role, task dap.TaskID, counted []store.Submission, n int) (seed [32]byte, salts [][32]byte, blank []byte) {
	s := key.streams(role, task, listDigest(counted))
	blank = make([]byte, n*elementSize)
	for _, leaf := range (*Round)(nil).leaves(s, blank) {
		salts = append(salts, leaf.Salt)
	}
	xof.Expand(field.F128{}, s.of("blank"), blank)
	return s.seed, salts, blank
}

// VerifyKeyBytes returns the key itself.
func VerifyKeyBytes(k VerifyKey) []byte { b := k.bytes(); return b[:] }
