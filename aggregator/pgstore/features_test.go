package pgstore_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// plainWords are the keywords, functions and types of the statements that every database of this protocol has.
const plainWords = `ALWAYS AND ANY AS BY CASE COLUMN CREATE DEFAULT DELETE DESC DISTINCT ELSE END EXISTS FILTER FROM GENERATED GROUP HAVING IN INDEX INSERT INTO IS JOIN KEY
LEFT LIMIT NOT NULL ON OR ORDER PRIMARY RETURNING SELECT SET TABLE THEN TRUE UNION UNIQUE UPDATE VALUES WHEN WHERE WITH
coalesce( count( greatest( length( sum( ::bigint ::bytea ::smallint`

// beyond are the features that one or another database of this protocol lacks, or has in another form: what to look at before pgstore is run on it. docs/operations.md
// names each. The list is kept small: a new word in a statement fails the test.
var beyond = []struct {
	name, words, pattern string
}{
	{"`FOR UPDATE SKIP LOCKED`", "FOR UPDATE SKIP LOCKED", `FOR UPDATE SKIP LOCKED`},
	{"`ON CONFLICT`", "CONFLICT DO NOTHING", `ON CONFLICT \(.*?\) DO`},
	{"`INSERT` and `UPDATE` within `WITH`", "", `(?s)WITH .*AS \(\s*(INSERT|UPDATE)`},
	{"`unnest` of several `WITH ORDINALITY`", "unnest( ORDINALITY ::bytea[] ::bigint[] ::smallint[] ::timestamptz[]", `unnest\(`},
	{"cursors", "DECLARE CURSOR NO SCROLL", `DECLARE rows NO SCROLL CURSOR`},
	{"identity columns", "IDENTITY", `GENERATED ALWAYS AS IDENTITY`},
	{"sequences", "SEQUENCE nextval(", `CREATE SEQUENCE|nextval\(`},
	{"partial indexes", "", `CREATE INDEX [^;]* WHERE`},
	{"`fillfactor`", "", `fillfactor`},
	{"`SET STORAGE EXTERNAL`", "ALTER STORAGE EXTERNAL", `SET STORAGE EXTERNAL`},
}

var sqlWord = regexp.MustCompile(`\b[A-Z][A-Z]+\b|\b[a-z_]+\(|::[a-z]+(?:\[\])?`)

// The statements use what the two lists say, nothing else, and all of it; and the operators' page names what is beyond the common part.
func TestFeatures(t *testing.T) {
	files, err := filepath.Glob("*/*.sql")
	if err != nil || len(files) < 50 {
		t.Fatal(files, err)
	}
	comment, literal := regexp.MustCompile(`--.*`), regexp.MustCompile(`'[^']*'`)
	known := strings.Fields(plainWords)
	for _, f := range beyond {
		known = append(known, strings.Fields(f.words)...)
	}
	used, features := map[string]string{}, map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		statement := literal.ReplaceAllString(comment.ReplaceAllString(string(text), ""), "''")
		for _, w := range sqlWord.FindAllString(statement, -1) {
			if used[w] = file; !slices.Contains(known, w) && !isOurs(statement, w) {
				t.Errorf("%s uses %s, which is in neither list: is it in every database of this protocol?", file, w)
			}
		}
		for _, f := range beyond {
			features[f.name] = features[f.name] || regexp.MustCompile(f.pattern).MatchString(statement)
		}
	}
	for _, w := range known {
		if used[w] == "" {
			t.Errorf("no statement uses %s: take it off the list", w)
		}
	}
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(features)) {
		if !features[name] {
			t.Errorf("no statement uses %s: take it off the list", name)
		}
		if !strings.Contains(strings.Join(strings.Fields(string(page)), " "), name) {
			t.Errorf("docs/operations.md does not name %s", name)
		}
	}
}

// isOurs says whether a name before a parenthesis is that of a table or an alias, not of a function.
func isOurs(statement, word string) bool {
	name, is := strings.CutSuffix(word, "(")
	return is && regexp.MustCompile(`(?i)(INTO|TABLE|ON|AS|JOIN|INDEX)\s+`+name+`\(`).MatchString(statement)
}
