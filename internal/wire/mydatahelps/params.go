package mydatahelps

import (
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// maxParams is how many query parameters are read; no request needs so many.
const maxParams = 100

// params are the parameters of a query string. Their names have no case (decisions, MyDataHelps,
// preamble), and an empty value is the same as none (reference, MyDataHelps 2: "?query=").
type params []param

type param struct {
	name  string // as sent
	key   string // folded
	value string
}

// parseParams reads a query string as it is on the wire. Semicolons are text: only & separates.
func parseParams(raw string) (params, *fault.Error) {
	var all params
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		if len(all) == maxParams {
			return nil, fault.New(fault.Invalid, badParameter, "there are more than %d query parameters", maxParams)
		}
		name, value, _ := strings.Cut(part, "=")
		name, errName := url.QueryUnescape(name)
		value, errValue := url.QueryUnescape(value)
		if errName != nil || errValue != nil {
			return nil, fault.New(fault.Invalid, badParameter, "the query string holds a broken escape")
		}
		if !isText(name) || !isText(value) {
			return nil, fault.New(fault.Invalid, registry.TextMalformed, "the query string is not valid text")
		}
		all = append(all, param{name: name, key: registry.Fold(name), value: value})
	}
	return all, nil
}

// isText tells whether s is UTF-8 without NUL.
func isText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// text is the value of a parameter; "" if it is not given. Given twice, it must say the same.
func (ps params) text(name string) (string, *fault.Error) {
	key, value := registry.Fold(name), ""
	for _, p := range ps {
		if p.key != key || p.value == "" {
			continue
		}
		if value != "" && value != p.value {
			return "", fault.New(fault.Invalid, badParameter, "is given twice with different values").In(name)
		}
		value = p.value
	}
	return value, nil
}

// boolean reads true or false, in any case; any other word is a fault.
func (ps params) boolean(name string, otherwise bool) (bool, *fault.Error) {
	text, ferr := ps.text(name)
	switch {
	case ferr != nil:
		return false, ferr
	case text == "":
		return otherwise, nil
	case strings.EqualFold(text, "true"):
		return true, nil
	case strings.EqualFold(text, "false"):
		return false, nil
	}
	return false, fault.New(fault.Invalid, badParameter, "is neither true nor false").In(name)
}

// integer reads decimal digits; what is outside of least and most is a fault.
func (ps params) integer(name string, otherwise, least, most int) (int, *fault.Error) {
	text, ferr := ps.text(name)
	if ferr != nil || text == "" {
		return otherwise, ferr
	}
	n, err := strconv.Atoi(text)
	if err != nil || text[0] == '+' || n < least || n > most {
		return 0, fault.New(fault.Invalid, badParameter, "is not a whole number from %d to %d", least, most).In(name)
	}
	return n, nil
}

// guid reads a GUID; ok is false if the parameter is not given.
func (ps params) guid(name string) (id uuid.UUID, ok bool, ferr *fault.Error) {
	text, ferr := ps.text(name)
	if ferr != nil || text == "" {
		return id, false, ferr
	}
	if id, ok = parseGUID(text); !ok {
		return id, false, fault.New(fault.Invalid, badParameter, "is not a GUID").In(name)
	}
	return id, true, nil
}

// members are the parameters named group.NAME, by NAME as sent; their empty values count. A
// bare group is a fault: ignoring it would answer everybody.
func (ps params) members(group string) (params, *fault.Error) {
	var found params
	key := registry.Fold(group)
	for _, p := range ps {
		if p.key == key || p.key == key+"." {
			return nil, fault.New(fault.Invalid, badParameter, "is written %s.NAME=VALUE", group).In(group)
		}
		head, name, dotted := strings.Cut(p.name, ".")
		if dotted && registry.Fold(head) == key {
			found = append(found, param{name: name, key: registry.Fold(name), value: p.value})
		}
	}
	return found, nil
}
