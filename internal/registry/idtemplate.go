package registry

import (
	"errors"
	"math"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf8"

	"rollcall/internal/fault"
)

// The limits of ID templates.
const (
	maxTemplate        = 512     // bytes of a template
	maxTemplateNesting = 32      // parentheses and minus signs within each other
	maxTemplateOutput  = 1 << 10 // bytes of any text that a template makes
)

// IDTemplate makes participant identifiers: OpenClinica's "system-generated" method. It is
// text with ${...} in it, written in the part of FreeMarker that such templates use:
//
//   - siteId, siteParticipantCount, helper.random(n) with n from 1 to 9, whole numbers, and
//     text in "..." or '...' with \", \' and \\;
//   - + - * / % and unary minus on whole numbers, + to join when either side is text, and
//     parentheses; a built-in binds tighter than any of them;
//   - ?string, ?string["000"] and ?string("000") with a pattern of # and then 0, ?c,
//     ?upper_case, ?lower_case, ?left_pad(n) and ?left_pad(n, "0").
//
// It differs from FreeMarker where that would spoil an identifier: numbers are 64 bit, print
// without separators, and / drops the fraction. Types, constant parts and arguments are
// checked when it is parsed. An IDTemplate is immutable and may be shared.
type IDTemplate struct {
	parts  []templateNode
	random bool
}

// TemplateValues is what the variables of an [IDTemplate] stand for.
type TemplateValues struct {
	SiteID               string // ${siteId}, see [Study.SiteIdentifier]
	SiteParticipantCount int64  // ${siteParticipantCount}
	// Random draws uniformly from [0, 10^digits) for ${helper.random(digits)}.
	Random func(digits int) int64
}

// ParseIDTemplate reads a template. Its errors are Invalid, of code Malformed, and say at
// which column (in characters, from 1) what is wrong.
func ParseIDTemplate(text string) (*IDTemplate, error) {
	p := templateParser{text: text}
	if err := p.checkText(); err != nil {
		return nil, err
	}
	t := &IDTemplate{}
	for p.at < len(text) {
		var part templateNode
		var err error
		if strings.HasPrefix(text[p.at:], "${") {
			part, err = p.interpolation()
		} else {
			part, err = p.literal()
		}
		if err != nil {
			return nil, err
		}
		t.parts = append(t.parts, part)
	}
	t.random = p.random
	return t, nil
}

// UsesRandom tells whether expanding twice with the same values may give two identifiers.
func (t *IDTemplate) UsesRandom() bool { return t.random }

// Expand makes an identifier. It fails, as Conflict of code GenerationFailed, when the values
// lead to a division by zero, a number of more than 64 bits or a text of more than 1 KiB.
func (t *IDTemplate) Expand(v TemplateValues) (string, error) {
	var out strings.Builder
	for _, part := range t.parts {
		value, err := part.eval(&v)
		if err != nil {
			return "", err
		}
		if out.WriteString(value.String()); out.Len() > maxTemplateOutput {
			return "", fault.New(fault.Conflict, GenerationFailed, "the ID template: %v", errTemplateOutput)
		}
	}
	return out.String(), nil
}

// templateValue is a text or a whole number; its node knows which.
type templateValue struct {
	isText bool
	text   string
	number int64
}

func templateText(s string) templateValue { return templateValue{isText: true, text: s} }

func templateNumber(n int64) templateValue { return templateValue{number: n} }

// String is how the value prints.
func (v templateValue) String() string {
	if v.isText {
		return v.text
	}
	return strconv.FormatInt(v.number, 10)
}

// templateNode is a part of a template. Whether it is text is known from parsing alone.
type templateNode struct {
	isText   bool
	constant bool // does not depend on values
	eval     func(*TemplateValues) (templateValue, error)
}

func constantNode(v templateValue) templateNode {
	return templateNode{
		isText:   v.isText,
		constant: true,
		eval:     func(*TemplateValues) (templateValue, error) { return v, nil },
	}
}

// What can go wrong with values, as opposed to with the template's text.
var (
	errTemplateZero   = errors.New("division by zero")
	errTemplateNumber = errors.New("a number of more than 64 bits")
	errTemplateOutput = errors.New("a text of more than 1 KiB")
	errTemplateRandom = errors.New("random numbers are not to be had here")
)

// arithmetic computes on whole numbers and notices when the result does not fit.
func arithmetic(op byte, a, b int64) (int64, error) {
	switch op {
	case '-':
		if n := a - b; (n < a) == (b > 0) {
			return n, nil
		}
	case '*':
		high, low := bits.Mul64(magnitude(a), magnitude(b))
		negative := (a < 0) != (b < 0)
		switch {
		case high != 0:
		case negative && low <= 1<<63:
			return -int64(low), nil
		case low < 1<<63:
			return int64(low), nil
		}
	case '/', '%':
		switch {
		case b == 0:
			return 0, errTemplateZero
		case op == '%':
			return a % b, nil
		case a != math.MinInt64 || b != -1:
			return a / b, nil
		}
	default:
		if n := a + b; (n > a) == (b > 0) {
			return n, nil
		}
	}
	return 0, errTemplateNumber
}

func magnitude(n int64) uint64 {
	if n < 0 {
		return -uint64(n)
	}
	return uint64(n)
}

// joinTexts is + where either side is text.
func joinTexts(a, b templateValue) (templateValue, error) {
	joined := a.String() + b.String()
	if len(joined) > maxTemplateOutput {
		return templateValue{}, errTemplateOutput
	}
	return templateText(joined), nil
}

// padLeft fills a text up to width characters with the filling, cut, from its start on.
func padLeft(text string, width int, filling []rune) string {
	missing := width - utf8.RuneCountInString(text)
	if missing <= 0 {
		return text
	}
	padding := make([]rune, missing)
	for i := range padding {
		padding[i] = filling[i%len(filling)]
	}
	return string(padding) + text
}

// zeroPadded prints a number with at least so many digits, the sign apart.
func zeroPadded(n int64, digits int) string {
	sign, plain := "", strconv.FormatInt(n, 10)
	if n < 0 {
		sign, plain = plain[:1], plain[1:]
	}
	return sign + strings.Repeat("0", max(0, digits-len(plain))) + plain
}
