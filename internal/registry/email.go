package registry

import "strings"

// emailForm accepts what the original's pattern does (reference, OpenClinica 1, Regexes): ASCII,
// atoms with dots between before the @, and labels with at least one dot between behind it. It
// is written out because an import spent more time in the pattern than in all other checks; a
// test holds it to the pattern.
func emailForm(s string) (string, bool) {
	local, domain, found := strings.Cut(s, "@")
	if !found || strings.IndexByte(domain, '.') < 0 {
		return s, false
	}
	for atom := range strings.SplitSeq(local, ".") {
		if atom == "" || strings.IndexFunc(atom, notAtom) >= 0 {
			return s, false
		}
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' || strings.IndexFunc(label, notLabel) >= 0 {
			return s, false
		}
	}
	return s, true
}

func isAlphanumeric(r rune) bool {
	return ('a' <= r && r <= 'z') || ('A' <= r && r <= 'Z') || ('0' <= r && r <= '9')
}

func notAtom(r rune) bool {
	return !isAlphanumeric(r) && !strings.ContainsRune("!#$%&'*+/=?^_`{|}~-", r)
}

func notLabel(r rune) bool { return !isAlphanumeric(r) && r != '-' }
