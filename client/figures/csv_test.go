package figures_test

import (
	"encoding/csv"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"candor/client/figures"

	"github.com/google/go-cmp/cmp"
)

// FuzzReadCSV compares our rows with those of encoding/csv wherever the latter finds nothing wrong.
func FuzzReadCSV(f *testing.F) {
	for _, seed := range []string{
		"a,b\n1,2\n", "a;b\r\n\"1;\r\n\"\"x\"\"\";2\r\n", "\n\na\n", "a,\"b\nc\",d\ne", "\"\",\"\"\n", "a\r", "a\rb\n", "\"a\r\n\"\r\n,", "x,\"a\"b\ny", "\ufeffa,b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		rows, problems := figures.ReadCSV(text)
		if !utf8.ValidString(text) || problems > 0 && len(rows) == 0 {
			return
		}
		std := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
		std.FieldsPerRecord = -1
		if semicolon := figures.Separator(text); semicolon != ',' {
			std.Comma = rune(semicolon)
		}
		var want [][]string
		for {
			row, err := std.Read()
			if err == io.EOF {
				break
			}
			if err != nil {
				if problems == 0 {
					t.Fatalf("encoding/csv reports %v, we read %q", err, rows)
				}
				return
			}
			if strings.TrimSpace(strings.Join(row, "")) != "" {
				want = append(want, row)
			}
		}
		if problems > 0 {
			t.Fatalf("encoding/csv reads %q, we report %d problems", want, problems)
		}
		if diff := cmp.Diff(want, rows); diff != "" {
			t.Errorf("rows differ (-encoding/csv +ours):\n%s", diff)
		}
	})
}
