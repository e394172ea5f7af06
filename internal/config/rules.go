package config

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"

	"rollcall/internal/registry"
	"rollcall/internal/segment"
)

// checkRule reports a segment's rule that does not work in the study, where in the file it is
// wrong. The study has its custom fields already.
func (o *object) checkRule(study *registry.Study, seg registry.Segment, key string) {
	err := segment.Check(study, seg)
	if err == nil {
		return
	}
	at := o.placeFor(key)
	if wrong := (*segment.RuleError)(nil); errors.As(err, &wrong) {
		at = o.r.placeInText(o.entries[key].value, wrong.Line, wrong.Column)
	}
	o.r.problems.add(at, "", "%s: %s", key, describe(err))
}

// run is a piece of a text that stands in one line of the file, character for character.
type run struct {
	from, to int   // in the text, in bytes
	at       Place // of its first character
}

// placeInText is where a line and column of a text, trimmed, stand in the file. Where YAML's
// way of writing the text does not tell, it is where the text starts.
func (r *reader) placeInText(n ast.Node, line, column int) Place {
	start := r.placeOf(n)
	text, ok := r.text(n, "")
	if !ok {
		return start
	}
	var runs []run
	switch n.(type) {
	case *ast.LiteralNode:
		runs = r.linesOf(text, Place{r.file, start.Line + 1, 1})
	default:
		runs = r.scalarRuns(text, start)
	}
	offset := len(text) - len(strings.TrimLeft(text, " \t\n")) + offsetOf(strings.TrimSpace(text), line, column)
	found := start
	for _, piece := range runs {
		if piece.from <= offset {
			found = piece.at
			found.Column += utf8.RuneCountInString(text[piece.from:min(offset, piece.to)])
		}
	}
	return found
}

// offsetOf finds a line and column, from 1 and in characters, in bytes from the start of text.
// What is past the end of its line is that end.
func offsetOf(text string, line, column int) int {
	offset := 0
	for ; line > 1; line-- {
		next := strings.IndexByte(text[offset:], '\n')
		if next < 0 {
			return len(text)
		}
		offset += next + 1
	}
	for ; column > 1 && offset < len(text) && text[offset] != '\n'; column-- {
		_, size := utf8.DecodeRuneInString(text[offset:])
		offset += size
	}
	return offset
}

// scalarRuns finds the pieces of a plain or quoted text that starts at a place; none if they
// cannot be told.
func (r *reader) scalarRuns(text string, start Place) []run {
	line := r.line(start.Line)
	if start.Column > len(line) {
		return nil
	}
	quote := line[start.Column-1]
	if quote != '\'' && quote != '"' {
		return r.linesOf(text, start)
	}
	inside := start
	inside.Column++
	if runs := quotedRuns(text, line, inside, quote); runs != nil {
		return runs
	}
	return r.linesOf(text, inside)
}

// quotedRuns finds the pieces of a quoted text that stands in one line: those between its
// escapes. It returns nil if the text does not.
func quotedRuns(text string, line []rune, inside Place, quote rune) []run {
	piece, runs, i := run{at: inside}, []run(nil), inside.Column-1
	for offset, c := range text {
		if i >= len(line) {
			return nil
		}
		width := 1
		switch {
		case quote == '\'' && line[i] == quote:
			width = len("''")
		case quote == '"' && line[i] == '\\':
			width = escapeWidth(line[i:])
		case line[i] != c:
			return nil
		}
		i += width
		if width > 1 {
			piece.to = offset + utf8.RuneLen(c)
			runs = append(runs, piece)
			piece = run{from: piece.to, at: inside}
			piece.at.Column = i + 1
		}
	}
	if i >= len(line) || line[i] != quote {
		return nil
	}
	piece.to = len(text)
	return append(runs, piece)
}

// escapeWidth is how many characters an escape of a double-quoted text has.
func escapeWidth(rest []rune) int {
	if len(rest) > 1 {
		switch rest[1] {
		case 'x':
			return len(`\x00`)
		case 'u':
			return len(`\u0000`)
		case 'U':
			return len(`\U00000000`)
		}
	}
	return len(`\n`)
}

// linesOf finds the pieces of a text that goes on line by line from a place, each with its own
// indentation. It returns nil if the lines are not those of the text.
func (r *reader) linesOf(text string, from Place) []run {
	var runs []run
	offset := 0
	for at := from; at.Line <= len(r.lines); at.Line, at.Column = at.Line+1, 1 {
		line := r.line(at.Line)
		if at.Column > len(line) {
			continue
		}
		rest := string(line[at.Column-1:])
		piece := strings.TrimSpace(rest)
		if piece == "" {
			continue
		}
		at.Column += utf8.RuneCountInString(rest) - utf8.RuneCountInString(strings.TrimLeft(rest, " \t"))
		offset = len(text) - len(strings.TrimLeft(text[offset:], " \t\n"))
		wanted := strings.TrimRight(text[offset:], " \t\n")
		switch {
		case strings.HasPrefix(piece, wanted): // the last line; a quote or a comment may follow
			return append(runs, run{offset, offset + len(wanted), at})
		case !strings.HasPrefix(wanted, piece):
			return nil
		}
		runs = append(runs, run{offset, offset + len(piece), at})
		offset += len(piece)
	}
	return nil
}

// line is a line of the file, by its number from 1; empty past the end.
func (r *reader) line(number int) []rune {
	if number < 1 || number > len(r.lines) {
		return nil
	}
	return []rune(strings.TrimRight(r.lines[number-1], "\r"))
}
