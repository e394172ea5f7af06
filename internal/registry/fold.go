package registry

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxKeyBytes is how long identifiers, OIDs and the keys of contacts may be in UTF-8: what every
// engine can index. The limits of all profiles are below it.
const MaxKeyBytes = 2000

// Fold maps strings that differ only in case to one key: Unicode simple case folding, rune by
// rune (decisions, OpenClinica 17). Identifiers, OIDs, codes and e-mail addresses are unique
// by their folded form.
func Fold(s string) string {
	upper := false
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= utf8.RuneSelf {
			return strings.Map(foldRune, s)
		}
		upper = upper || ('A' <= c && c <= 'Z')
	}
	if upper {
		return strings.ToLower(s) // of ASCII the same, and quicker
	}
	return s
}

// SameFold tells whether two texts have the same fold, mostly without making it.
func SameFold(a, b string) bool {
	if a == b {
		return true
	}
	for i := range min(len(a), len(b)) {
		x, y := a[i], b[i]
		switch {
		case x >= utf8.RuneSelf || y >= utf8.RuneSelf:
			return Fold(a) == Fold(b)
		case foldRune(rune(x)) != foldRune(rune(y)):
			return false
		}
	}
	return len(a) == len(b)
}

// foldRune picks one rune for each orbit of simple folding: the smallest lower-case letter of
// the orbit, or its smallest rune if it has no lower-case letter.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			return r + ('a' - 'A')
		}
		return r
	}
	best, lower := r, unicode.IsLower(r)
	for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
		isLower := unicode.IsLower(next)
		if (isLower && !lower) || (isLower == lower && next < best) {
			best, lower = next, isLower
		}
	}
	return best
}
