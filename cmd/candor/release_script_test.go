package main

import (
	"archive/tar"
	"encoding/csv"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// releaseCommands are those of scripts about releases.
func releaseCommands() map[string]func(*testscript.TestScript, bool, []string) {
	return map[string]func(*testscript.TestScript, bool, []string){"submit-all": submitAll, "website": website,
		"recompute": recompute, "replace": replace, "download": download, "unpack": unpack, "publickey": setPublicKey, "slay": slay}
}

// submitAll lets members m1 to mN pin the keys in the environment and submit a file: submit-all N FIGURES ROUND.
func submitAll(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	for i := 1; i <= n; i++ {
		id := "m" + strconv.Itoa(i)
		ts.Check(ts.Exec("candor", "member", "pin", id, "--secretariat", ts.Getenv("SECRETARIAT"), "--leader", ts.Getenv("LEADERKEY"), "--helper", ts.Getenv("HELPERKEY")))
		ts.Check(ts.Exec("candor", "member", "submit", args[1], "--round", args[2], "--member", id, "--yes"))
	}
}

// website serves a directory over HTTP and keeps its URL: website DIR VARIABLE.
func website(ts *testscript.TestScript, _ bool, args []string) {
	s := httptest.NewServer(http.FileServer(http.Dir(ts.MkAbs(args[0]))))
	ts.Defer(s.Close)
	ts.Setenv(args[1], s.URL+"/")
}

// download gets a file from a web site: download URL FILE.
func download(ts *testscript.TestScript, _ bool, args []string) {
	resp, err := http.Get(args[0])
	ts.Check(err)
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		ts.Fatalf("%s: %s", args[0], resp.Status)
	}
	text, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), text, 0o644))
}

// unpack unpacks a bundle as anybody's tar does: unpack FILE DIR.
func unpack(ts *testscript.TestScript, _ bool, args []string) {
	r := tar.NewReader(strings.NewReader(ts.ReadFile(args[0])))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return
		}
		ts.Check(err)
		text, err := io.ReadAll(r)
		ts.Check(err)
		name := filepath.Join(ts.MkAbs(args[1]), filepath.FromSlash(h.Name))
		ts.Check(os.MkdirAll(filepath.Dir(name), 0o755))
		ts.Check(os.WriteFile(name, text, 0o644))
	}
}

// slay ends a server as a power cut does: slay NAME.
func slay(ts *testscript.TestScript, _ bool, args []string) {
	s := serversOf(ts)[args[0]]
	ts.Check(s.cmd.Process.Kill())
	<-s.done
	delete(serversOf(ts), args[0])
}

// setPublicKey keeps the public key that the last command printed: publickey VARIABLE.
func setPublicKey(ts *testscript.TestScript, _ bool, args []string) {
	key, _, _ := strings.Cut(ts.ReadFile("stdout"), "\n")
	ts.Setenv(args[0], key)
}

// replace replaces the first occurrence of a regular expression in a file: replace FILE PATTERN TEXT.
func replace(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[0])
	at := regexp.MustCompile(args[1]).FindStringIndex(text)
	if at == nil {
		ts.Fatalf("%s has no %s", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text[:at[0]]+args[2]+text[at[1]:]), 0o644))
}

// recompute does what a researcher does with the data files alone: it reads from the code book what a ratio divides by what, adds up the figures, and compares
// with the ratio that was published: recompute DATA INSTRUMENT RATIO.
func recompute(ts *testscript.TestScript, _ bool, args []string) {
	table := func(name string) []map[string]string {
		rows, err := csv.NewReader(strings.NewReader(ts.ReadFile(filepath.Join(args[0], name)))).ReadAll()
		ts.Check(err)
		var list []map[string]string
		for _, row := range rows[1:] {
			m := map[string]string{}
			for i, column := range rows[0] {
				m[column] = row[i]
			}
			list = append(list, m)
		}
		return list
	}
	definition := ""
	for _, e := range table("codebook.csv") {
		if e["instrument"] == args[1] && e["metric"] == args[2] && e["cell"] == "" {
			definition = e["definition"]
		}
	}
	parts := regexp.MustCompile(`^\(([^)]*)\) divided by \(([^)]*)\)`).FindStringSubmatch(definition)
	if parts == nil {
		ts.Fatalf("the code book defines the ratio as %q", definition)
	}
	figures := table("figures.csv")
	sum := func(formula string) (total float64) {
		for term := range strings.SplitSeq(formula, "+") {
			metric := regexp.MustCompile(`\[.*\]$`).ReplaceAllString(strings.TrimSpace(term), "")
			metric = strings.TrimPrefix(metric, args[1]+".")
			found, several := 0, false
			for _, f := range figures {
				several = several || f["metric"] == metric && f["cell"] != "total" && !strings.Contains(f["cell"], ":")
			}
			for _, f := range figures {
				if f["instrument"] != args[1] || f["metric"] != metric || strings.Contains(f["cell"], ":") || several && f["cell"] == "total" {
					continue
				}
				v, err := strconv.ParseFloat(f["value"], 64)
				ts.Check(err)
				total += v
				found++
			}
			if found == 0 {
				ts.Fatalf("no figure of %q", metric)
			}
		}
		return total
	}
	want := sum(parts[1]) / sum(parts[2])
	for _, r := range table("ratios.csv") {
		if r["instrument"] != args[1] || r["ratio"] != args[2] || r["cell"] != "" {
			continue
		}
		got, err := strconv.ParseFloat(r["value"], 64)
		ts.Check(err)
		if math.Abs(got-want) > 1e-6 {
			ts.Fatalf("%s is published as %v; the figures give %v", args[2], got, want)
		}
		ts.Logf("%s: %s; published %v, recomputed %v", args[2], definition, got, want)
		return
	}
	ts.Fatalf("there is no ratio %s", args[2])
}
