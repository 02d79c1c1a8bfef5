package publish_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"candor/client/publish"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// newBrowser starts a headless Chromium with a fresh profile, or skips.
func newBrowser(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a browser")
	}
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Skip("no Chromium on PATH")
	}
	profile, err := os.MkdirTemp("", "profile")
	if err != nil {
		t.Fatal(err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path),
		chromedp.UserDataDir(profile),
		chromedp.DisableGPU,
		chromedp.Flag("disable-component-update", true),
	)
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(ctx)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	ctx, cancelTime := context.WithTimeout(ctx, 15*time.Minute)
	t.Cleanup(func() {
		cancelTime()
		cancel()
		cancelAllocator()
		// The browser's processes write to the profile until they are gone.
		for range 50 {
			if os.RemoveAll(profile) == nil {
				return
			}
			time.Sleep(100 * time.Millisecond)
		}
	})
	return ctx
}

// watch collects what a page must not do.
type watch struct {
	mu       sync.Mutex
	requests []string
	errors   []string
}

func watchPage(t *testing.T, ctx context.Context) *watch {
	t.Helper()
	w := &watch{}
	err := chromedp.Listen(ctx, func(event any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		switch e := event.(type) {
		case *network.EventRequestWillBeSent:
			w.requests = append(w.requests, e.Request.URL)
		case *runtime.EventExceptionThrown:
			w.errors = append(w.errors, e.ExceptionDetails.Text)
		case *runtime.EventConsoleAPICalled:
			w.errors = append(w.errors, fmt.Sprint("console.", e.Type))
		case *log.EventEntryAdded:
			w.errors = append(w.errors, e.Entry.Text+" "+e.Entry.URL)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, enable := range []func() error{
		func() error { _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); return err },
		func() error { _, err := chromedp.Call(ctx, log.Enable, cdp.Empty{}); return err },
		func() error { _, err := chromedp.Call(ctx, runtime.Enable, cdp.Empty{}); return err },
	} {
		if err := enable(); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *watch) take() (requests, errs []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	requests, errs = w.requests, w.errors
	w.requests, w.errors = nil, nil
	return requests, errs
}

const overflowing = `(() => {
	const width = document.documentElement.clientWidth, wide = [];
	if (document.documentElement.scrollWidth > width) wide.push("document " + document.documentElement.scrollWidth);
	for (const e of document.querySelectorAll("body *")) {
		if (e.closest(".scroll") && !e.classList.contains("scroll") || e.closest(".skip")) continue;
		const r = e.getBoundingClientRect();
		if (r.width > 0 && (r.right > width + 1 || r.left < -1)) wide.push(e.tagName + "." + e.getAttribute("class") + " " + r.left + " to " + r.right);
	}
	return wide;
})()`

// overlapping lists chart labels that lie on one another.
const overlapping = `(() => {
	const hits = [];
	for (const svg of document.querySelectorAll("svg.chart")) {
		const t = [...svg.querySelectorAll("text")];
		for (let i = 0; i < t.length; i++) for (let j = i + 1; j < t.length; j++) {
			const a = t[i].getBoundingClientRect(), b = t[j].getBoundingClientRect();
			if (a.left < b.right && b.left < a.right && a.top + 3 < b.bottom && b.top + 3 < a.bottom) hits.push(t[i].textContent + " | " + t[j].textContent);
		}
	}
	return hits;
})()`

// paper is the width of A4 between margins of 1.5 cm, in CSS pixels.
const paper = 680

// checkPage loads url wide and narrow, each light and dark, and as on paper, and checks that it stays quiet and fits. Screenshots go to
// CANDOR_TEST_SCREENSHOTS, if that names a directory.
func checkPage(t *testing.T, ctx context.Context, w *watch, url, name string) {
	t.Helper()
	for _, c := range []struct {
		size   int64
		scheme string
	}{{1280, "light"}, {1280, "dark"}, {390, "light"}, {390, "dark"}, {paper, "print"}} {
		size, scheme := c.size, c.scheme
		w.take()
		media := emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}
		if scheme == "print" {
			media = emulation.SetEmulatedMediaParams{Media: "print"}
		}
		if _, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, media); err != nil {
			t.Fatal(err)
		}
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(size, 900), chromedp.Navigate(url)); err != nil {
			t.Fatalf("%s at %d pixels: %v", url, size, err)
		}
		wide := evaluate[[]string](t, ctx, overflowing)
		hits := evaluate[[]string](t, ctx, overlapping)
		headings := evaluate[int](t, ctx, `document.querySelectorAll("h1").length`)
		shot, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		requests, errs := w.take()
		if headings != 1 {
			t.Errorf("%s: %d first-level headings, want 1: did the page load?", name, headings)
		}
		if len(errs) > 0 {
			t.Errorf("%s at %d pixels, %s: the browser complains: %q", name, size, scheme, errs)
		}
		for _, r := range requests {
			if r != url && r != "data:," {
				t.Errorf("%s at %d pixels: requests %s", name, size, r)
			}
		}
		if !slices.Contains(requests, url) {
			t.Errorf("%s: the page's own request was not seen, so others would not be either: %q", name, requests)
		}
		if len(wide) > 0 {
			t.Errorf("%s at %d pixels: wider than the screen: %q", name, size, wide)
		}
		if len(hits) > 0 {
			t.Errorf("%s at %d pixels: labels on one another: %q", name, size, hits)
		}
		if dir := os.Getenv("CANDOR_TEST_SCREENSHOTS"); dir != "" {
			file := fmt.Sprintf("%s-%d-%s.png", strings.ReplaceAll(name, "/", "-"), size, scheme)
			if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, file), shot, 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		checkAxe(t, ctx, name, size)
	}
}

// checkAxe runs axe-core, if CANDOR_TEST_AXE names its axe.min.js (npm package axe-core), and reports every
// violation of WCAG 2.2 A and AA and of its best practices.
func checkAxe(t *testing.T, ctx context.Context, name string, size int64) {
	t.Helper()
	file := os.Getenv("CANDOR_TEST_AXE")
	if file == "" {
		return
	}
	script, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.Evaluate[chromedp.Void](string(script))); err != nil {
		t.Fatal(err)
	}
	found, err := chromedp.Run(ctx, chromedp.Evaluate[[]string](
		`axe.run().then(r => [String(r.passes.length)].concat(r.violations.map(v => v.id + ": " + v.help + " " + v.nodes.map(n => n.target).join(" "))))`,
		chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	if passes, err := strconv.Atoi(found[0]); err != nil || passes < 10 {
		t.Errorf("%s: axe looked at %s rules only", name, found[0])
	}
	for _, v := range found[1:] {
		t.Errorf("%s at %d pixels: axe: %s", name, size, v)
	}
}

func evaluate[T any](t *testing.T, ctx context.Context, expression string) T {
	t.Helper()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestPagesInBrowser(t *testing.T) {
	ctx := newBrowser(t)
	w := watchPage(t, ctx)
	root := t.TempDir()
	server := httptest.NewServer(http.FileServer(http.Dir(root)))
	defer server.Close()
	for _, s := range append(samples, struct {
		name string
		make func() publish.Release
	}{"hostile", hostile}) {
		t.Run(s.name, func(t *testing.T) {
			dir := filepath.Join(root, s.name)
			if err := publish.Write(dir, s.make()); err != nil {
				t.Fatal(err)
			}
			checkPage(t, ctx, w, server.URL+"/"+s.name+"/", s.name)
		})
	}
	t.Run("file", func(t *testing.T) {
		checkPage(t, ctx, w, "file://"+filepath.Join(root, "one", "index.html"), "file")
	})
	t.Run("print", func(t *testing.T) {
		if err := chromedp.Do(ctx, chromedp.Navigate(server.URL+"/twenty/")); err != nil {
			t.Fatal(err)
		}
		pdf, err := chromedp.Run(ctx, chromedp.PrintToPDF())
		if err != nil || len(pdf) < 10_000 {
			t.Errorf("printing gave %d bytes, %v", len(pdf), err)
		}
		if dir := os.Getenv("CANDOR_TEST_SCREENSHOTS"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, "twenty.pdf"), pdf, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// TestDemoSiteInBrowser looks at every page of a whole site: of the directory that CANDOR_TEST_SITE names, which CI sets to the demo's.
func TestDemoSiteInBrowser(t *testing.T) {
	dir := os.Getenv("CANDOR_TEST_SITE")
	if dir == "" {
		t.Skip("CANDOR_TEST_SITE names no site")
	}
	ctx := newBrowser(t)
	w := watchPage(t, ctx)
	pages, err := filepath.Glob(filepath.Join(dir, "*.html"))
	if err != nil || len(pages) < 10 {
		t.Fatalf("%d pages in %s, %v", len(pages), dir, err)
	}
	server := httptest.NewServer(http.FileServer(http.Dir(dir)))
	defer server.Close()
	for _, page := range pages {
		name := filepath.Base(page)
		t.Run(name, func(t *testing.T) {
			url := server.URL + "/" + name
			if name == "index.html" {
				url = server.URL + "/"
			}
			checkPage(t, ctx, w, url, "demo-"+strings.TrimSuffix(name, ".html"))
		})
	}
	t.Run("file", func(t *testing.T) {
		at, err := filepath.Abs(pages[0])
		if err != nil {
			t.Fatal(err)
		}
		checkPage(t, ctx, w, "file://"+at, "demo-file")
	})
}

// TestBrowserSeesFaults makes sure that the checks above can fail: a page that asks for an image, runs a
// script against its policy and is too wide.
func TestBrowserSeesFaults(t *testing.T) {
	ctx := newBrowser(t)
	w := watchPage(t, ctx)
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		fmt.Fprint(rw, `<!DOCTYPE html><meta http-equiv="Content-Security-Policy" content="script-src 'none'"><h1>x</h1>
<link rel="icon" href="data:,"><img src="/x.png" alt=""><script>1</script><p style="width:3000px">x</p>`)
	}))
	defer server.Close()
	if err := chromedp.Do(ctx, chromedp.Navigate(server.URL), chromedp.Sleep(100*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	wide := evaluate[[]string](t, ctx, overflowing)
	requests, errs := w.take()
	if !slices.Contains(requests, server.URL+"/x.png") || len(errs) == 0 || len(wide) == 0 {
		t.Errorf("faults not seen: requests %q, errors %q, wide %q", requests, errs, wide)
	}
}
