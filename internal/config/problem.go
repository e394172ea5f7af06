package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Place is where in a study file something stands. The zero value is nowhere: what was not
// read from a file.
type Place struct {
	File   string
	Line   int // from 1
	Column int // from 1, in characters
}

// String writes the place as file:line:column.
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Problem is one thing that is wrong with a study file. It holds no secret of the file.
type Problem struct {
	Place   Place
	Message string
	Hint    string // what to do about it; may be empty
}

// String writes the problem on one line.
func (p Problem) String() string {
	text := p.Message
	if at := p.Place.String(); at != "" {
		text = at + ": " + text
	}
	if p.Hint != "" {
		text += " (" + p.Hint + ")"
	}
	return text
}

// Problems is the error of files that are wrong: every problem, file by file, in the order of
// their lines. It is never empty.
type Problems []Problem

// Error lists the problems, one on each line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// problemList collects problems.
type problemList struct{ all Problems }

func (l *problemList) add(at Place, hint, format string, args ...any) {
	l.all = append(l.all, Problem{Place: at, Message: fmt.Sprintf(format, args...), Hint: hint})
}

// err returns what was collected in order; files keep the order in which they are named.
func (l *problemList) err(files []string) error {
	if len(l.all) == 0 {
		return nil
	}
	slices.SortStableFunc(l.all, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(slices.Index(files, a.Place.File), slices.Index(files, b.Place.File)),
			cmp.Compare(a.Place.Line, b.Place.Line),
			cmp.Compare(a.Place.Column, b.Place.Column),
		)
	})
	return l.all
}
