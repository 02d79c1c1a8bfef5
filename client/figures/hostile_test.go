package figures_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"candor/client/figures"
)

// bombs are workbooks that are small and become large: each is refused with a word, within 200 MB.
func bombs() map[string]func(p parts) {
	repeat := func(before, what string, total int, after string) func(w io.Writer) {
		return func(w io.Writer) {
			io.WriteString(w, before)
			block := strings.Repeat(what, max(1, 65536/len(what)))
			for n := 0; n < total; n += len(block) {
				io.WriteString(w, block)
			}
			io.WriteString(w, after)
		}
	}
	large := 1 << 25 // above the bounds
	if os.Getenv("CANDOR_TEST_LONG") != "" {
		large = 1 << 30
	}
	sheet := func(content func(w io.Writer)) func(p parts) {
		return func(p parts) { p["xl/worksheets/2.xml"] = content }
	}
	return map[string]func(p parts){
		"spaces":          sheet(repeat("<a>", " ", large, "</a>")),
		"cells":           sheet(repeat("<a><row>", "<c/>", large, "</row></a>")),
		"rows":            sheet(repeat("<a>", "<row/>", large, "</a>")),
		"full rows":       sheet(repeat("<a>", "<row><c><v>1</v></c></row>", large, "</a>")),
		"records":         sheet(repeat("<a>"+inline("metric", "cell", "value"), inline("warnings-shown", "total", "1"), large, "</a>")),
		"names":           sheet(repeat("<a>"+inline("metric", "cell", "value"), "<row><c><v>1</v></c><c><v>2</v></c><c><v>3</v></c></row>", large, "</a>")),
		"depth":           sheet(repeat("<a>", "<a>", large, "")),
		"attributes":      sheet(repeat("<a ", "b='' ", large, "/>")),
		"namespaces":      sheet(repeat("<a>", "<a xmlns='b'>", large, "")),
		"attribute value": sheet(repeat("<a b='", "x", large, "'/>")),
		"element name":    sheet(repeat("<", "x", large, "/>")),
		"comment":         sheet(repeat("<a><!--", "x", large, "--></a>")),
		"formula":         sheet(repeat("<a><row><c><f>", "1+", large, "</f></c></row></a>")),
		"inline text":     sheet(repeat("<a><row><c t='inlineStr'><is><t>", "x", large, "</t></is></c></row></a>")),
		"merges":          sheet(repeat("<a>"+inline("metric", "cell", "value"), "<mergeCell ref='A3:B4'/>", large, "</a>")),
		"strings":         func(p parts) { p["xl/strings.xml"] = repeat("<a>", "<si/>", large, "</a>") },
		"long string":     func(p parts) { p["xl/strings.xml"] = repeat("<a><si><t>", "x", large, "</t></si></a>") },
		"full strings": func(p parts) {
			p["xl/strings.xml"] = repeat("<a>", "<si><t>"+strings.Repeat("y", 4000)+"</t></si>", large, "</a>")
		},
		"sheets": func(p parts) { p["xl/workbook.xml"] = repeat("<a>", "<sheet name='n'/>", large, "</a>") },
		"relations": func(p parts) {
			p["xl/_rels/workbook.xml.rels"] = repeat("<a>", "<Relationship Id='x' Target='y'/>", large, "</a>")
		},
		"files": func(p parts) {
			for i := range 70000 {
				p[fmt.Sprint("f", i)] = text("")
			}
		},
	}
}

func TestZipBombs(t *testing.T) {
	for name, change := range bombs() {
		// With -short those that cost most, of each kind one.
		if testing.Short() && !slices.Contains([]string{"records", "full strings", "attributes", "files"}, name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			p := handmade()
			change(p)
			refusedInProcess(t, p.zip(t), "f.xlsx")
		})
	}
}

// TestHugeCSV reads text files of the largest size that is read, with as much wrong in them as fits.
func TestHugeCSV(t *testing.T) {
	const size = 16<<20 - 100
	header := "instrument,metric,cell,value\n"
	fill := func(line func(i int) string) string {
		var b strings.Builder
		b.WriteString(header)
		for i := 0; b.Len() < size; i++ {
			b.WriteString(line(i))
		}
		return b.String()[:size]
	}
	for name, text := range map[string]func() string{
		"wrong cells":     func() string { return fill(func(i int) string { return fmt.Sprintf("hash-match,matched,c%d,1\n", i) }) },
		"quotation marks": func() string { return fill(func(i int) string { return "\"\n" }) },
		"separators":      func() string { return fill(func(i int) string { return "," }) },
		"one field":       func() string { return fill(func(i int) string { return "x" }) },
		"reasons": func() string {
			return "instrument,metric,cell,value,reason\n" + fill(func(i int) string { return "hash-match,matched,state,measured," + strings.Repeat("r", 1900) + "\n" })
		},
		"not UTF-8": func() string { return fill(func(i int) string { return "hash-match,matched,image,\xff\n" }) },
	} {
		if testing.Short() && name != "wrong cells" && name != "quotation marks" {
			continue
		}
		t.Run(name, func(t *testing.T) { refusedInProcess(t, []byte(text()), "f.csv") })
	}
}

// readInProcess names the file that TestReadInProcess reads, in a process that refusedInProcess starts.
const readInProcess = "CANDOR_TEST_READ_FIGURES"

// refusedInProcess reads a hostile file in a process of its own, which must say what is wrong, in time, and never hold more than 200 MB of memory.
func refusedInProcess(t *testing.T, data []byte, name string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute) // seconds are enough; it is there for what never ends
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestReadInProcess$", "-test.v")
	cmd.Env = append(os.Environ(), readInProcess+"="+path)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("reading: %v\n%.2000s", err, out)
	}
	m := regexp.MustCompile(`peak ([0-9]+) kB, ([0-9]+) errors: (.*)`).FindSubmatch(out)
	if m == nil {
		t.Fatalf("reading says nothing:\n%.2000s", out)
	}
	t.Logf("%d kB: %.200s", len(data)>>10, m[0])
	if peak, _ := strconv.Atoi(string(m[1])); peak > 200_000 {
		t.Errorf("reading used %d kB, want at most 200 MB", peak)
	}
	if string(m[2]) == "0" {
		t.Error("the file is accepted")
	}
}

func TestReadInProcess(t *testing.T) {
	path := os.Getenv(readInProcess)
	if path == "" {
		t.Skip("is run by other tests")
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	file, err := figures.Read(f, figures.Options{File: filepath.Base(path), Catalogue: catalogue})
	if err != nil {
		t.Fatal(err)
	}
	report := file.Check(nil)
	first := ""
	if len(report.Errors) > 0 {
		first = report.Errors[0].String()
	}
	t.Logf("peak %d kB, %d errors: %.200q", peakOfProcess(t), len(report.Errors), first)
}

// peakOfProcess returns the largest resident set that this process had so far, in kB: as the system counts it, or else all that Go has from it.
func peakOfProcess(t *testing.T) uint64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if m := regexp.MustCompile(`VmHWM:\s*([0-9]+) kB`).FindSubmatch(status); err == nil && m != nil {
		n, _ := strconv.ParseUint(string(m[1]), 10, 64)
		return n
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys >> 10
}
