package httpx

import "unicode/utf8"

// JSONAppender is an answer that writes itself, for those that are written too often to be looked
// at by reflection. What it appends is what encoding/json would write without escapes for HTML.
type JSONAppender interface {
	AppendJSON(to []byte) []byte
}

// AppendJSONString appends a JSON string, byte for byte as encoding/json writes it when it escapes
// nothing for HTML.
func AppendJSONString(to []byte, text string) []byte {
	const hex = "0123456789abcdef"
	to = append(to, '"')
	done := 0 // what stands before is appended
	for i := 0; i < len(text); {
		c := text[i]
		if c < utf8.RuneSelf {
			if c >= ' ' && c != '"' && c != '\\' {
				i++
				continue
			}
			to = append(append(to, text[done:i]...), '\\')
			switch c {
			case '"', '\\':
				to = append(to, c)
			case '\b':
				to = append(to, 'b')
			case '\f':
				to = append(to, 'f')
			case '\n':
				to = append(to, 'n')
			case '\r':
				to = append(to, 'r')
			case '\t':
				to = append(to, 't')
			default:
				to = append(to, 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			i++
			done = i
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			to = append(append(to, text[done:i]...), `\ufffd`...)
			done = i + size
		case r == '\u2028' || r == '\u2029': // line ends in JavaScript, which encoding/json escapes always
			to = append(append(to, text[done:i]...), '\\', 'u', '2', '0', '2', hex[r&15])
			done = i + size
		}
		i += size
	}
	return append(append(to, text[done:]...), '"')
}
