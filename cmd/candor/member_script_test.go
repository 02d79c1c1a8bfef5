package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/xuri/excelize/v2"
)

// memberCommands are the commands of scripts that play a member.
//
//	window OPENS CLOSES N   puts the bounds of a window that is open now and for about N seconds into the variables
//	fill FIGURES VALUES     writes the lines `metric cell value` of VALUES into a figures file, CSV or XLSX, as an analyst types them; - is a blank
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
	file := openFigures(ts, ts.MkAbs(args[0]))
	for line := range strings.Lines(ts.ReadFile(args[1])) {
		metric, rest, ok := strings.Cut(strings.TrimSpace(line), " ")
		cell, value, ok2 := strings.Cut(rest, " ")
		at := slices.IndexFunc(file.rows, func(r figuresRow) bool { return r.metric == metric && r.cell == cell })
		if !ok || !ok2 || at < 0 {
			ts.Fatalf("%s has no line for %q", args[0], line)
		}
		if file.rows[at].value = value; value == "-" {
			file.rows[at].value = ""
		}
		if cell != "state" || value != "measured" {
			continue
		}
		for i, r := range file.rows { // the analyst types a zero where nothing was counted
			if r.metric == metric && r.value == "" {
				file.rows[i].value = "0"
			}
		}
	}
	ts.Check(file.save())
}

// typedFigures is a figures file as one sees it in a spreadsheet.
type typedFigures struct {
	rows []figuresRow
	save func() error
}

type figuresRow struct {
	metric, cell, value string
	set                 func(value string) error
}

func openFigures(ts *testscript.TestScript, path string) *typedFigures {
	f := &typedFigures{}
	if strings.HasSuffix(path, ".xlsx") {
		book, err := excelize.OpenFile(path)
		ts.Check(err)
		for _, sheet := range book.GetSheetList() {
			rows, err := book.GetRows(sheet)
			ts.Check(err)
			for i, row := range rows {
				row = append(row, "", "", "")
				f.rows = append(f.rows, figuresRow{row[0], row[1], row[2], func(value string) error {
					cell := fmt.Sprint("C", i+1)
					if n, err := strconv.ParseInt(value, 10, 64); err == nil {
						return book.SetCellInt(sheet, cell, n)
					}
					return book.SetCellStr(sheet, cell, value)
				}})
			}
		}
		f.save = func() error {
			if err := f.setAll(); err != nil {
				return err
			}
			return book.Save()
		}
		return f
	}
	text, err := os.ReadFile(path)
	ts.Check(err)
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(text), "\ufeff"))).ReadAll()
	ts.Check(err)
	for i, row := range rows {
		f.rows = append(f.rows, figuresRow{row[1], row[2], row[3], func(value string) error { rows[i][3] = value; return nil }})
	}
	f.save = func() error {
		var b strings.Builder
		if err := errors.Join(f.setAll(), csv.NewWriter(&b).WriteAll(rows)); err != nil {
			return err
		}
		return os.WriteFile(path, []byte(b.String()), 0o600)
	}
	return f
}

func (f *typedFigures) setAll() error {
	for _, r := range f.rows {
		if err := r.set(r.value); err != nil {
			return err
		}
	}
	return nil
}

func eventually(ts *testscript.TestScript, _ bool, args []string) {
	await(ts, func() error {
		if err := ts.Exec("candor", args...); err != nil {
			return fmt.Errorf("candor %s: %v\n%s%s", strings.Join(args, " "), err, ts.ReadFile("stdout"), ts.ReadFile("stderr"))
		}
		return nil
	})
}
