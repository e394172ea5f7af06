package openclinica

import (
	"mime"
	"strconv"
	"strings"
)

// prefersPlainText tells whether a request's Accept header wants errors as plain text rather
// than JSON. A tie means JSON (decisions, OpenClinica 17).
func prefersPlainText(accept []string) bool {
	plain, json := -1.0, -1.0
	plainExact, jsonExact := 0, 0
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		media, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		q := quality(params)
		if exact := matches(media, "text", "plain"); exact > plainExact || (exact > 0 && exact == plainExact && q > plain) {
			plain, plainExact = q, exact
		}
		if exact := matches(media, "application", "json"); exact > jsonExact || (exact > 0 && exact == jsonExact && q > json) {
			json, jsonExact = q, exact
		}
	}
	return plain > 0 && plain > json
}

// quality is a media range's q parameter, 1 if it has none.
func quality(params map[string]string) float64 {
	text, ok := params["q"]
	if !ok {
		return 1
	}
	q, err := strconv.ParseFloat(text, 64)
	if err != nil || !(q >= 0 && q <= 1) {
		return 0
	}
	return q
}

// matches tells how closely a media range names a type: 3 exactly, 2 by its first half, 1 as
// anything, 0 not at all.
func matches(media, kind, sub string) int {
	switch media {
	case kind + "/" + sub:
		return 3
	case kind + "/*":
		return 2
	case "*/*":
		return 1
	}
	return 0
}
