package metric

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Bounds of a catalogue file. The one that comes with the program has 120 kB in 3,048 lines of at most 300 bytes, and depth 6.
const (
	maxFileBytes = 512 << 10
	maxLines     = 6000 // the YAML parser takes quadratic time in some of them
	maxDepth     = 20
	maxLine      = 4000  // bytes; a nesting on one line is at most half as deep
	maxText      = 2000  // bytes of one value
	maxList      = 10000 // members of one list
)

// A reader reads a YAML tree into values and collects problems. Every member has a path such as
// instruments[3].metrics[0].max, under which its place in the file is kept for checks that come later.
type reader struct {
	lines    []string
	places   map[string]*token.Token
	problems Problems
}

// parseYAML returns the root of the one document of text.
func (r *reader) parseYAML(text []byte) (root ast.Node) {
	switch {
	case len(text) > maxFileBytes:
		r.problem(nil, "file is larger than %d kB, the most that is read", maxFileBytes>>10)
		return nil
	case !utf8.Valid(text):
		r.problem(nil, "file is not UTF-8")
		return nil
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if !r.shallow(text) {
		return nil
	}
	// The parser is not ours; its panics must not become the caller's.
	defer func() {
		if recover() != nil {
			r.problem(nil, "file cannot be read as YAML")
			root = nil
		}
	}()
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		r.problem(syntax.GetToken(), "%s", syntax.GetMessage())
		return nil
	} else if err != nil {
		r.problem(nil, "%v", err)
		return nil
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		r.problem(nil, "file has %d YAML documents, not one", len(file.Docs))
		return nil
	}
	return file.Docs[0].Body
}

// shallow refuses what would make a recursive parser go deep: a stack overflow cannot be caught.
func (r *reader) shallow(text []byte) bool {
	json := bytes.HasPrefix(bytes.TrimSpace(text), []byte("{"))
	depth := 0
	lines := strings.Split(string(text), "\n")
	if len(lines) > maxLines {
		r.problem(nil, "file has more than %d lines", maxLines)
		return false
	}
	for i, line := range lines {
		if !json {
			r.lines = append(r.lines, strings.TrimSuffix(line, "\r"))
			if len(line) > maxLine {
				r.problem(nil, "line %d is longer than %d bytes", i+1, maxLine)
				return false
			}
			// Columns at which blocks could nest: spaces, and indicators of lists and keys at the start of the line.
			if indent := len(line) - len(strings.TrimLeft(line, " -?")); indent > 4*maxDepth {
				r.problem(nil, "line %d is indented by %d columns; the most that is read is %d", i+1, indent, 4*maxDepth)
				return false
			}
		}
		for _, c := range []byte(line) {
			switch c {
			case '[', '{':
				depth++
			case ']', '}':
				depth--
			}
			if depth > maxDepth {
				r.problem(nil, "line %d: more than %d open brackets", i+1, maxDepth)
				return false
			}
		}
	}
	return true
}

// problem adds a problem at a token, or without place if it is nil.
func (r *reader) problem(at *token.Token, format string, args ...any) {
	if len(r.problems) >= maxProblems {
		return
	}
	p := Problem{Text: fmt.Sprintf(format, args...)}
	if at != nil && at.Position != nil {
		p.Line, p.Column = at.Position.Line, at.Position.Column
		if p.Line >= 1 && p.Line <= len(r.lines) {
			p.Source = r.lines[p.Line-1]
		}
		if len(r.problems) == maxProblems-1 {
			p.Text = fmt.Sprintf("%s (and there may be more problems)", p.Text)
		}
	}
	r.problems = append(r.problems, p)
}

// at adds a problem at the member with the path, or at the closest one around it that has a place.
func (r *reader) at(path, format string, args ...any) {
	for {
		if t, ok := r.places[path]; ok {
			r.problem(t, format, args...)
			return
		}
		i := strings.LastIndexAny(path, ".[")
		if i < 0 {
			r.problem(nil, format, args...)
			return
		}
		path = path[:i]
	}
}

// err returns the problems in the order of the file, or nil.
func (r *reader) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	sort.SliceStable(r.problems, func(i, j int) bool {
		a, b := r.problems[i], r.problems[j]
		return a.Line < b.Line || a.Line == b.Line && a.Column < b.Column
	})
	return r.problems
}

// An object is a YAML mapping that is being read.
type object struct {
	r       *reader
	path    string
	token   *token.Token
	members map[string]ast.Node
	keys    map[string]*token.Token
	read    map[string]bool
}

// object reads a mapping. It returns an object without members if node is none.
func (r *reader) object(path string, node ast.Node, read func(o *object)) {
	o := &object{r: r, path: path, token: node.GetToken(), members: map[string]ast.Node{}, keys: map[string]*token.Token{}, read: map[string]bool{}}
	var values []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		r.problem(o.token, "%s must be a mapping, not %s", describe(path), kind(node))
		return
	}
	for i, v := range values {
		key, ok := v.Key.(*ast.StringNode)
		if !ok {
			r.problem(v.Key.GetToken(), "keys must be plain words")
			continue
		}
		if i == 0 {
			o.token = key.GetToken()
		}
		if _, twice := o.members[key.Value]; twice {
			r.problem(key.GetToken(), "key %q occurs twice in %s", key.Value, describe(path))
			continue
		}
		o.members[key.Value] = v.Value
		o.keys[key.Value] = key.GetToken()
		r.places[o.join(key.Value)] = v.Value.GetToken()
	}
	r.places[path] = o.token
	read(o)
	for key, at := range o.keys {
		if !o.read[key] {
			r.problem(at, "unknown key %q in %s; it can have %s", key, describe(path), o.expected())
		}
	}
}

func (o *object) join(key string) string {
	if o.path == "" {
		return key
	}
	return o.path + "." + key
}

func (o *object) expected() string {
	keys := make([]string, 0, len(o.read))
	for key := range o.read {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return strings.Join(keys, ", ")
}

// member returns the value of a key; nil if it is absent, which is a problem if it is required.
func (o *object) member(key string, required bool) ast.Node {
	o.read[key] = true
	node, ok := o.members[key]
	if !ok {
		if required {
			o.r.problem(o.token, "%s has no %s", describe(o.path), key)
		}
		return nil
	}
	return node
}

// text reads a required text that is not empty.
func (o *object) text(key string, to *string) { o.readText(key, true, to) }

// optionalText reads a text; if it is there it is not empty.
func (o *object) optionalText(key string, to *string) { o.readText(key, false, to) }

func (o *object) readText(key string, required bool, to *string) {
	if node := o.member(key, required); node != nil {
		*to = o.r.text(o.join(key), node)
	}
}

// text reads a scalar text.
func (r *reader) text(path string, node ast.Node) string {
	var s string
	switch n := node.(type) {
	case *ast.StringNode:
		s = n.Value
	case *ast.LiteralNode:
		s = strings.TrimSpace(n.Value.Value)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode, *ast.InfinityNode, *ast.NanNode:
		r.problem(node.GetToken(), "%s must be text; write it in quotation marks", describe(path))
		return ""
	default:
		r.problem(node.GetToken(), "%s must be text, not %s", describe(path), kind(node))
		return ""
	}
	printable := strings.IndexFunc(s, func(c rune) bool { return !unicode.IsPrint(c) && c != '\u00a0' }) < 0
	if strings.TrimSpace(s) == "" || len(s) > maxText || !printable || s != strings.TrimSpace(s) {
		r.problem(node.GetToken(), "%s must be text of 1 to %d bytes on one line, without spaces around it", describe(path), maxText)
		return ""
	}
	return s
}

// integer reads a required whole number.
func (o *object) integer(key string, to *int64) {
	if node := o.member(key, true); node != nil {
		*to = o.r.integer(o.join(key), node)
	}
}

// optionalInteger reads a whole number, leaving nil if it is absent.
func (o *object) optionalInteger(key string, to **int64) {
	if node := o.member(key, false); node != nil {
		n := o.r.integer(o.join(key), node)
		*to = &n
	}
}

func (r *reader) integer(path string, node ast.Node) int64 {
	if n, ok := node.(*ast.IntegerNode); ok {
		switch v := n.Value.(type) {
		case int64:
			if v >= 0 && v <= maxExact {
				return v
			}
		case uint64:
			if v <= maxExact {
				return int64(v)
			}
		}
	}
	r.problem(node.GetToken(), "%s must be a whole number from 0 to 2^53 - 1", describe(path))
	return 0
}

// list reads a list, calling read for each member with its path.
func (o *object) list(key string, required bool, read func(path string, node ast.Node)) {
	node := o.member(key, required)
	if node == nil {
		return
	}
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		o.r.problem(node.GetToken(), "%s must be a list, not %s", describe(o.join(key)), kind(node))
		return
	}
	if len(sequence.Values) > maxList || len(sequence.Values) == 0 && required {
		o.r.problem(node.GetToken(), "%s must have from 1 to %d members", describe(o.join(key)), maxList)
		return
	}
	for i, v := range sequence.Values {
		path := fmt.Sprintf("%s[%d]", o.join(key), i)
		o.r.places[path] = v.GetToken()
		read(path, v)
	}
}

// objects reads a list of mappings.
func objects[T any](o *object, key string, required bool, to *[]T, read func(o *object, v *T)) {
	o.list(key, required, func(path string, node ast.Node) {
		var v T
		o.r.object(path, node, func(o *object) { read(o, &v) })
		*to = append(*to, v)
	})
}

// describe names a path in an error.
func describe(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}

func kind(node ast.Node) string {
	switch node.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	case *ast.AnchorNode, *ast.AliasNode:
		return "an anchor or alias"
	case *ast.TagNode:
		return "a tagged value"
	}
	return "a single value"
}
