package postgres

import (
	"strings"
	"unicode/utf8"
)

// PostgreSQL keeps every text but those with a NUL. The characters up to U+0004 are therefore
// kept as an escape with three digits after it. That way no text is like another, texts keep
// their order and contain each other as before, and U+0002 is left to stand between the values
// of a search text.
const (
	escape    = '\x01'
	separator = "\x02"
	zero      = '\x03'
	one       = '\x04'
)

// escaped is the form in which PostgreSQL keeps a text. What is not UTF-8 becomes U+FFFD.
func escaped(text string) string {
	plain := true
	for i := range len(text) {
		if text[i] <= one || text[i] >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if plain {
		return text
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	if strings.IndexFunc(text, func(r rune) bool { return r <= one }) < 0 {
		return text
	}
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if c > one {
			b.WriteByte(c)
			continue
		}
		b.WriteByte(escape)
		for bit := 2; bit >= 0; bit-- {
			b.WriteByte(zero + c>>bit&1)
		}
	}
	return b.String()
}

// unescaped undoes escaped.
func unescaped(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != escape || i+3 >= len(text) {
			b.WriteByte(text[i])
			continue
		}
		var c byte
		for _, digit := range []byte(text[i+1 : i+4]) {
			c = c<<1 | (digit - zero)
		}
		b.WriteByte(c)
		i += 3
	}
	return b.String()
}
