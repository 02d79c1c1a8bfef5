package publish

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	markdown "github.com/yuin/goldmark/text"
)

// limitsSections are the second-level headings that the setbacks-and-limits page must have, in this order.
var limitsSections = []string{"What worked", "What did not work", "What we do not know", "What changes next"}

// renderMarkdown turns CommonMark into HTML. What would make a page load something, run something
// or lose its outline is an error: images, raw HTML, links that are not https, mailto or within the site,
// first-level headings, skipped levels. All errors come at once; name is the file for them.
func renderMarkdown(name string, source []byte, sections ...string) (template.HTML, error) {
	var errs []error
	add := func(format string, a ...any) {
		errs = append(errs, fmt.Errorf("%s: %w", name, fmt.Errorf(format, a...)))
	}
	md := goldmark.New()
	document := md.Parser().Parse(markdown.NewReader(source))
	level := 1
	var found []string
	err := ast.Walk(document, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			title := plainText(n, source)
			if n.Level == 1 {
				add("heading %q is of the first level, which is the page's own: begin with ##", title)
			} else if n.Level > level+1 {
				add("heading %q of level %d follows one of level %d", title, n.Level, level)
			}
			level = n.Level
			if n.Level == 2 {
				found = append(found, title)
			}
		case *ast.Image:
			add("images are not allowed: the page loads nothing")
		case *ast.HTMLBlock, *ast.RawHTML:
			add("raw HTML is not allowed: write Markdown")
		case *ast.Link:
			if err := checkLink(string(n.Destination)); err != nil {
				add("%v", err)
			}
		case *ast.AutoLink:
			if err := checkLink(string(n.URL(source))); err != nil {
				add("%v", err)
			}
		}
		return ast.WalkContinue, nil
	})
	if err != nil {
		return "", err
	}
	if len(sections) > 0 && !slices.Equal(found, sections) {
		add("the sections are %q; they must be %q", found, sections)
	}
	if len(bytes.TrimSpace(source)) == 0 {
		add("is empty")
	}
	if err := errors.Join(errs...); err != nil {
		return "", err
	}
	var buf bytes.Buffer
	if err := md.Renderer().Render(&buf, source, document); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	// goldmark has escaped everything that is not markup of its own; raw HTML was refused above.
	return template.HTML(buf.String()), nil
}

func checkLink(destination string) error {
	u, err := url.Parse(destination)
	if err != nil || u.Scheme != "https" && u.Scheme != "mailto" && (u.Scheme != "" || u.Host != "" || u.Opaque != "") {
		return fmt.Errorf("link to %q: links are https:, mailto: or to a page of this site", destination)
	}
	return nil
}

func plainText(n ast.Node, source []byte) string {
	var b strings.Builder
	_ = ast.Walk(n, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if t, ok := n.(*ast.Text); ok && entering {
			b.Write(t.Segment.Value(source))
		}
		return ast.WalkContinue, nil
	})
	return b.String()
}
