// Package release defines what the secretariat publishes: the figures and ratios of a round as rows that people
// and programs read alike, the reasons why a cell is not shown, the words for them, the log of revisions, and
// what lets a stranger check them: the aggregators' statements, the elements of their shares that were opened,
// and signatures. A Bundle holds it all, as files or as one archive.
//
// Every codec has exactly one encoding per value: what parses re-encodes to the same bytes, so files can be
// compared, hashed and signed as they are. The package does no I/O and holds no secret: everything in it is
// meant for the public.
//
// It implements the design's sections "The protocol" (statements) and "How data flows" (the release); which cell
// gets which status is decided above it, in client/publish.
package release
