package cli

import (
	"os"
	"strings"
	"testing"

	"candor/schema/round"
	"candor/schema/round/roundtest"
)

// A file for another catalogue than the round's would be filled in by wrong definitions.
func TestFilesAreForTheCatalogueOfTheRound(t *testing.T) {
	t.Chdir(t.TempDir())
	signed, err := round.NewSigned(roundtest.New(t, 10, 1).Document)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("r.json", signed.Encode(), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"template", "--round", "r.json"}, {"check", "f.csv", "--round", "r.json"}} {
		_, _, err := execute(newRootCmd(), append([]string{"member"}, args...)...)
		if err == nil || !strings.Contains(err.Error(), "counts by catalogue "+signed.Document.Catalogue.ID) {
			t.Errorf("candor member %s: error %v", strings.Join(args, " "), err)
		}
	}
	if files, err := os.ReadDir("."); err != nil || len(files) != 1 {
		t.Errorf("files are %v, error %v", files, err)
	}
}
