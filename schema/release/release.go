// Package release defines what the secretariat publishes: the figures of a round as rows that people and
// programs read alike, the reasons why a cell is not shown, and the codecs that turn them into bytes.
//
// Every codec has exactly one encoding per value: what parses re-encodes to the same bytes, so files can be
// compared, hashed and signed as they are. The package does no I/O and holds no secret: everything in it is
// meant for the public.
//
// It implements the release of the design's section "How data flows"; which cell gets which status is decided
// above it, in client/publish.
package release
