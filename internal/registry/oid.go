package registry

import (
	"strconv"
	"strings"
)

// oidWordLength is how many word characters of an identifier go into a participant OID.
const oidWordLength = 8

// oidBase is the participant OID that an identifier asks for: "SS_" and the first 8 word
// characters in upper case (reference, OpenClinica 1, subjectOid).
func oidBase(identifier string) string {
	b := make([]byte, 0, len("SS_")+oidWordLength)
	b = append(b, "SS_"...)
	for i := 0; i < len(identifier) && len(b) < cap(b); i++ {
		switch c := identifier[i]; {
		case 'a' <= c && c <= 'z':
			b = append(b, c-('a'-'A'))
		case 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '_':
			b = append(b, c)
		}
	}
	return string(b)
}

// oidSuffixed is the OID to try for the participant's sequence number when its base is taken.
// The sequence number makes it unique but for identifiers that look like such an OID
// themselves; attempt then tells the tries apart.
func oidSuffixed(base string, seq int64, attempt int) string {
	var b strings.Builder
	b.WriteString(base)
	b.WriteByte('_')
	b.WriteString(strconv.FormatInt(seq, 10))
	if attempt > 0 {
		b.WriteByte('_')
		b.WriteString(strconv.Itoa(attempt))
	}
	return b.String()
}
