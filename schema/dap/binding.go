package dap

import (
	"crypto/sha256"
	"crypto/subtle"

	"golang.org/x/crypto/cryptobyte"
)

// VDAFContext returns the application context of all VDAF operations of a task.
func VDAFContext(id TaskID) []byte {
	return append([]byte(Version), id[:]...)
}

// InputShareInfo returns the HPKE info string of input shares sealed for
// recipient, which is Leader or Helper.
func InputShareInfo(recipient Role) []byte {
	return append([]byte(Version+" input share"), byte(Client), byte(recipient))
}

// AggregateShareInfo returns the HPKE info string of aggregate shares sealed by
// sender, which is Leader or Helper.
func AggregateShareInfo(sender Role) []byte {
	return append([]byte(Version+" aggregate share"), byte(sender), byte(Collector))
}

// InputShareAAD returns the associated data of both input shares of a report.
// taskConfiguration and metadata are encodings, as they were first made or
// received (see [SplitMetadata]); publicShare is the VDAF's, without length.
//
//	struct {
//	  TaskID task_id;
//	  TaskConfiguration task_configuration;
//	  ReportMetadata report_metadata;
//	  opaque public_share<0..2^32-1>;
//	} InputShareAad;
func InputShareAAD(id TaskID, taskConfiguration, metadata, publicShare []byte) []byte {
	b := cryptobyte.NewBuilder(make([]byte, 0, len(id)+len(taskConfiguration)+len(metadata)+4+len(publicShare)))
	b.AddBytes(id[:])
	b.AddBytes(taskConfiguration)
	b.AddBytes(metadata)
	addOpaque32(b, publicShare, 0)
	return b.BytesOrPanic() // a public share over 4 GiB
}

// AggregateShareAAD returns the associated data of both aggregate shares of a
// batch. taskConfiguration and collectionJobReq are encodings; the latter is
// what the Collector sent, to the byte (see [SplitCollectionJobReq]).
//
//	struct {
//	  TaskID task_id;
//	  TaskConfiguration task_configuration;
//	  CollectionJobReq collection_job_req;
//	} AggregateShareAad;
func AggregateShareAAD(id TaskID, taskConfiguration, collectionJobReq []byte) []byte {
	aad := make([]byte, 0, len(id)+len(taskConfiguration)+len(collectionJobReq))
	aad = append(aad, id[:]...)
	aad = append(aad, taskConfiguration...)
	return append(aad, collectionJobReq...)
}

// Checksum returns the checksum of a batch with the one report id. That of an
// empty batch is zero, and that of a union is the [XORChecksums] of the parts.
func Checksum(id ReportID) [32]byte { return sha256.Sum256(id[:]) }

// XORChecksums returns the checksum of the union of two disjoint sets of reports.
func XORChecksums(a, b [32]byte) (sum [32]byte) {
	subtle.XORBytes(sum[:], a[:], b[:])
	return sum
}
