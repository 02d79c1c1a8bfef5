// Package dap holds every message of the Distributed Aggregation Protocol
// (DAP), its identifiers, media types, problem types and report errors, and
// the strict codec for each.
//
// It is the wire and nothing else: it does no I/O, keeps no state, knows no
// cryptography beyond the hash of a report ID, and takes no decision that has
// its own DAP error. Whether extensions are known and sorted, whether a step
// or a batch is the right one, is for the roles to say; this package only
// refuses what is not the encoding of anything.
//
// The comment of each message quotes its definition, in the presentation
// language of RFC 8446, from the draft that [Version] names. Because decoding
// is strict there is one encoding per value: whatever [Parse] accepts,
// [Marshal] turns back into the same bytes.
package dap

// Version names the draft of DAP that this package speaks. The tag is part of
// every domain separation string; the draft number stands nowhere else.
const Version = "dap-18"
