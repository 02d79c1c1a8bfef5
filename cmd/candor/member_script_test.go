package main

import (
	"encoding/csv"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// memberCommands are the commands of scripts that play a member.
//
//	window OPENS CLOSES N   puts the bounds of a window that is open now and for about N seconds into the variables
//	fill FIGURES VALUES     writes the lines `metric cell value` of VALUES into a figures file, as an analyst types them; - is a blank
//	until TIME              waits until then
//	eventually WORD…        runs candor WORD… until it succeeds
func memberCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){"window": window, "fill": fill, "until": until, "eventually": eventually}
}

func window(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[2])
	ts.Check(err)
	now := time.Now().UTC().Truncate(time.Second)
	ts.Setenv(args[0], now.Format(time.RFC3339))
	ts.Setenv(args[1], now.Add(time.Duration(n)*time.Second).Format(time.RFC3339))
}

func until(ts *testscript.TestScript, _ bool, args []string) {
	at, err := time.Parse(time.RFC3339, args[0])
	ts.Check(err)
	time.Sleep(time.Until(at))
}

func fill(ts *testscript.TestScript, _ bool, args []string) {
	text := strings.TrimPrefix(ts.ReadFile(args[0]), "\ufeff")
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	ts.Check(err)
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		metric, rest, ok := strings.Cut(strings.TrimSpace(line), " ")
		cell, value, ok2 := strings.Cut(rest, " ")
		at := slices.IndexFunc(rows, func(row []string) bool { return row[1] == metric && row[2] == cell })
		if !ok || !ok2 || at < 0 {
			ts.Fatalf("%s has no line for %q", args[0], line)
		}
		if rows[at][3] = value; value == "-" {
			rows[at][3] = ""
		}
		if cell != "state" || value != "measured" {
			continue
		}
		for i := range rows { // the analyst types a zero where nothing was counted
			if rows[i][1] == metric && rows[i][3] == "" {
				rows[i][3] = "0"
			}
		}
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	ts.Check(w.WriteAll(rows))
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
}

func eventually(ts *testscript.TestScript, _ bool, args []string) {
	await(ts, func() error {
		if err := ts.Exec("candor", args...); err != nil {
			return fmt.Errorf("candor %s: %v\n%s%s", strings.Join(args, " "), err, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
		}
		return nil
	})
}
