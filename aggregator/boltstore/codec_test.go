package boltstore_test

import (
	"bytes"
	"testing"

	"candor/aggregator/boltstore"
)

func TestRowsRoundTrip(t *testing.T) {
	for name, samples := range boltstore.Samples() {
		for _, b := range samples {
			again, err := boltstore.Recode(name, b)
			if err != nil || !bytes.Equal(again, b) {
				t.Errorf("%s: %x became %x, %v", name, b, again, err)
			}
			if name == "unassigned" {
				continue // its key has no version
			}
			for _, version := range []byte{0, 2, 255} {
				other := bytes.Clone(b)
				other[0] = version
				if _, err := boltstore.Recode(name, other); err == nil {
					t.Errorf("%s: a row of version %d was decoded", name, version)
				}
			}
			if _, err := boltstore.Recode(name, nil); err == nil {
				t.Errorf("%s: an empty value was decoded", name)
			}
		}
	}
}

// fuzzRow checks that what decodes encodes to the same bytes, and that nothing else happens.
func fuzzRow(f *testing.F, name string) {
	for _, b := range boltstore.Samples()[name] {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		before := bytes.Clone(b)
		again, err := boltstore.Recode(name, b)
		if err == nil && !bytes.Equal(again, before) {
			t.Errorf("%x became %x", before, again)
		}
	})
}

func FuzzReportRow(f *testing.F)     { fuzzRow(f, "report") }
func FuzzProgressRow(f *testing.F)   { fuzzRow(f, "progress") }
func FuzzBatchRow(f *testing.F)      { fuzzRow(f, "batch") }
func FuzzJobRow(f *testing.F)        { fuzzRow(f, "job") }
func FuzzMembersRow(f *testing.F)    { fuzzRow(f, "members") }
func FuzzBucketRow(f *testing.F)     { fuzzRow(f, "bucket") }
func FuzzCollectionRow(f *testing.F) { fuzzRow(f, "collection") }
func FuzzHelperRow(f *testing.F)     { fuzzRow(f, "helper") }
func FuzzShareRow(f *testing.F)      { fuzzRow(f, "share") }
func FuzzSubmissionRow(f *testing.F) { fuzzRow(f, "submission") }
func FuzzStatementRow(f *testing.F)  { fuzzRow(f, "statement") }
func FuzzRunRow(f *testing.F)        { fuzzRow(f, "run") }
func FuzzChunkRow(f *testing.F)      { fuzzRow(f, "chunk") }
func FuzzNumberRow(f *testing.F)     { fuzzRow(f, "number") }
func FuzzBytesRow(f *testing.F)      { fuzzRow(f, "bytes") }
func FuzzUnassignedRow(f *testing.F) { fuzzRow(f, "unassigned") }
