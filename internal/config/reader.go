package config

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxFileBytes is the size of the largest study file that is read.
const maxFileBytes = 4 << 20

// reader reads one file's YAML tree strictly. It takes no value for another: what has the
// wrong type is a problem with its place.
type reader struct {
	file     string
	lines    []string // the file's text
	problems *problemList
}

// entry is one key of an object with its value.
type entry struct {
	at    Place // of the key
	value ast.Node
}

// object is a YAML mapping whose keys are known.
type object struct {
	r       *reader
	at      Place
	what    string // what it describes, for messages
	entries map[string]entry
}

func (r *reader) place(tk *token.Token) Place {
	if tk == nil || tk.Position == nil {
		return Place{File: r.file, Line: 1, Column: 1}
	}
	return Place{File: r.file, Line: tk.Position.Line, Column: tk.Position.Column}
}

func (r *reader) placeOf(n ast.Node) Place {
	switch n := n.(type) {
	case nil:
		return r.place(nil)
	case *ast.MappingValueNode:
		return r.placeOf(n.Key)
	case *ast.MappingNode:
		if !n.IsFlowStyle && len(n.Values) > 0 {
			return r.placeOf(n.Values[0].Key)
		}
	}
	return r.place(n.GetToken())
}

// document parses the file and returns its one document.
func (r *reader) document(data []byte) (ast.Node, bool) {
	start := Place{File: r.file, Line: 1, Column: 1}
	if len(data) > maxFileBytes {
		r.problems.add(start, "", "the file is larger than %d MiB", maxFileBytes>>20)
		return nil, false
	}
	if line := invalidLine(data); line > 0 {
		r.problems.add(Place{r.file, line, 1}, "save the file as UTF-8", "the text is not UTF-8")
		return nil, false
	}
	r.lines = strings.Split(string(data), "\n")
	tree, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		var syntax yaml.Error
		if errors.As(err, &syntax) {
			r.problems.add(r.place(syntax.GetToken()), "", "not valid YAML: %s", syntax.GetMessage())
		} else {
			r.problems.add(start, "", "not valid YAML")
		}
		return nil, false
	}
	var body ast.Node
	for _, doc := range tree.Docs {
		switch {
		case doc.Body == nil:
		case body != nil:
			r.problems.add(r.placeOf(doc.Body), "split it into files", "a study file is one YAML document")
			return nil, false
		default:
			body = doc.Body
		}
	}
	if body == nil {
		r.problems.add(start, "", "the file is empty")
	}
	return body, body != nil
}

// invalidLine returns the first line that is not UTF-8, 0 if there is none.
func invalidLine(data []byte) int {
	line := 1
	for len(data) > 0 {
		c, size := utf8.DecodeRune(data)
		if c == utf8.RuneError && size == 1 {
			return line
		}
		if c == '\n' {
			line++
		}
		data = data[size:]
	}
	return 0
}

// object reads a mapping that may have the keys and no others.
func (r *reader) object(n ast.Node, what string, keys ...string) (*object, bool) {
	mapping, ok := n.(ast.MapNode)
	if !ok {
		r.wrongType(n, what, "a mapping of keys to values")
		return nil, false
	}
	o := &object{r: r, at: r.placeOf(n), what: what, entries: map[string]entry{}}
	for it := mapping.MapRange(); it.Next(); {
		o.take(it.Key(), it.Value(), keys)
	}
	return o, true
}

func (o *object) take(keyNode ast.MapKeyNode, value ast.Node, keys []string) {
	at := o.r.placeOf(keyNode)
	key := keyNode.GetToken().Value
	if text, ok := keyNode.(*ast.StringNode); ok {
		key = text.Value
	}
	if !slices.Contains(keys, key) {
		o.r.problems.add(at, suggest(key, keys), "%s has no key %q", o.what, clip(key))
		return
	}
	if first, twice := o.entries[key]; twice {
		o.r.problems.add(at, "", "%s is given twice, first in line %d", key, first.at.Line)
		return
	}
	o.entries[key] = entry{at: at, value: value}
}

// clip shortens text from a file for a message.
func clip(s string) string {
	const longest = 60
	if utf8.RuneCountInString(s) <= longest {
		return s
	}
	return string([]rune(s)[:longest]) + "..."
}

// has tells whether the key is given, whatever its value.
func (o *object) has(key string) bool {
	_, ok := o.entries[key]
	return ok
}

// placeFor is where the key stands, or the object if it is not given.
func (o *object) placeFor(key string) Place {
	if e, ok := o.entries[key]; ok {
		return e.at
	}
	return o.at
}

// require reports each key that is missing.
func (o *object) require(keys ...string) {
	for _, key := range keys {
		if !o.has(key) {
			o.r.problems.add(o.at, "", "%s needs the key %s", o.what, key)
		}
	}
}

// rawText reads a key's text as it is; ok is false if it is absent or no text.
func (o *object) rawText(key string) (text string, ok bool) {
	e, ok := o.entries[key]
	if !ok {
		return "", false
	}
	return o.r.text(e.value, key)
}

func (r *reader) text(n ast.Node, what string) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	default:
		r.wrongType(n, what, "text")
		return "", false
	}
}

// text reads a key's text: one line without space at its ends, of 1 to most characters. It
// returns otherwise if the key is absent or its value is no such text.
func (o *object) text(key, otherwise string, most int) string {
	text, ok := o.rawText(key)
	if !ok {
		return otherwise
	}
	if fault := lineFault(text, most); fault != "" {
		o.r.problems.add(o.entries[key].at, "", "%s %s", key, fault)
		return otherwise
	}
	return text
}

// lineFault tells what is wrong with text that has to be one line of 1 to most characters.
func lineFault(text string, most int) string {
	switch {
	case text == "":
		return "is empty"
	case utf8.RuneCountInString(text) > most:
		return fmt.Sprintf("is longer than %d characters", most)
	case strings.TrimSpace(text) != text:
		return "has space at its beginning or end"
	case strings.ContainsFunc(text, unicode.IsControl):
		return "holds a line break or another control character"
	default:
		return ""
	}
}

// choice reads a key's text that is one of the words.
func choice[T ~string](o *object, key string, otherwise T, words ...T) T {
	text, ok := o.rawText(key)
	if !ok {
		return otherwise
	}
	var known []string
	for _, w := range words {
		if string(w) == text {
			return w
		}
		known = append(known, string(w))
	}
	hint := suggest(text, known)
	if hint == "" {
		hint = "write " + strings.Join(known, " or ")
	}
	o.r.problems.add(o.entries[key].at, hint, "%s cannot be %q", key, clip(text))
	return otherwise
}

func (o *object) boolean(key string, otherwise bool) bool {
	e, ok := o.entries[key]
	if !ok {
		return otherwise
	}
	b, ok := e.value.(*ast.BoolNode)
	if !ok {
		o.r.wrongType(e.value, key, "true or false")
		return otherwise
	}
	return b.Value
}

// count reads a whole number of 0 to most.
func (o *object) count(key string, most uint64) int {
	e, ok := o.entries[key]
	if !ok {
		return 0
	}
	n, ok := e.value.(*ast.IntegerNode)
	if !ok {
		o.r.wrongType(e.value, key, "a whole number")
		return 0
	}
	switch value := n.Value.(type) {
	case uint64:
		if value <= most {
			return int(value)
		}
	case int64:
		if value >= 0 && uint64(value) <= most {
			return int(value)
		}
	}
	o.r.problems.add(e.at, "", "%s must be 0 to %d", key, most)
	return 0
}

// list returns a key's items; none if it is absent or no list.
func (o *object) list(key string) []ast.Node {
	e, ok := o.entries[key]
	if !ok {
		return nil
	}
	seq, ok := e.value.(*ast.SequenceNode)
	if !ok {
		o.r.wrongType(e.value, key, "a list")
		return nil
	}
	return seq.Values
}

// wrongType reports that a value is not what it has to be. It does not quote the value, which
// may be a password.
func (r *reader) wrongType(n ast.Node, what, want string) {
	at := r.placeOf(n)
	switch n.(type) {
	case nil, *ast.NullNode:
		r.problems.add(at, "leave the key out, or give it a value", "%s has no value, it must be %s", what, want)
	case *ast.AliasNode, *ast.AnchorNode, *ast.TagNode:
		r.problems.add(at, "write the value out", "%s uses a YAML anchor, alias or tag, which study files do not have", what)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		hint := ""
		if want == "text" {
			hint = "put it in quotes"
		}
		r.problems.add(at, hint, "%s must be %s", what, want)
	default:
		r.problems.add(at, "", "%s must be %s", what, want)
	}
}
