package registry

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"rollcall/internal/fault"
)

// templateParser reads a template from left to right.
type templateParser struct {
	text   string
	at     int // in bytes
	depth  int
	random bool
}

// fault says what is wrong at a place, given in bytes.
func (p *templateParser) fault(at int, format string, args ...any) error {
	column := utf8.RuneCountInString(p.text[:at]) + 1
	return fault.New(fault.Invalid, Malformed, "the ID template, column %d: "+format, append([]any{column}, args...)...)
}

// checkText refuses what no part of a template may be.
func (p *templateParser) checkText() error {
	if len(p.text) > maxTemplate {
		return p.fault(0, "longer than %d bytes", maxTemplate)
	}
	if strings.TrimSpace(p.text) == "" {
		return p.fault(0, "the template is empty")
	}
	for at := 0; at < len(p.text); {
		c, size := utf8.DecodeRuneInString(p.text[at:])
		if c == utf8.RuneError && size == 1 {
			return p.fault(at, "text that is not UTF-8")
		}
		if unicode.IsControl(c) {
			return p.fault(at, "a control character")
		}
		if c == '<' || c == '>' {
			return p.fault(at, "an identifier may not hold < or >, and FreeMarker's directives are not supported")
		}
		at += size
	}
	return nil
}

// literal reads text up to the next ${ or the end.
func (p *templateParser) literal() (templateNode, error) {
	rest := p.text[p.at:]
	if end := strings.Index(rest, "${"); end >= 0 {
		rest = rest[:end]
	}
	if old := strings.Index(rest, "#{"); old >= 0 {
		return templateNode{}, p.fault(p.at+old, "#{...} is not supported; write ${...}")
	}
	p.at += len(rest)
	return constantNode(templateText(rest)), nil
}

// interpolation reads ${expr}.
func (p *templateParser) interpolation() (templateNode, error) {
	open := p.at
	p.at += len("${")
	n, err := p.sum()
	if err != nil {
		return templateNode{}, err
	}
	switch c := p.peek(); c {
	case '}':
		p.at++
		return n, nil
	case 0:
		return templateNode{}, p.fault(open, "${ is never closed")
	default:
		return templateNode{}, p.unexpected("an operator, ? or }")
	}
}

// peek skips spaces and answers the next byte; 0 at the end.
func (p *templateParser) peek() byte {
	for p.at < len(p.text) && p.text[p.at] == ' ' {
		p.at++
	}
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

// take consumes the next byte if it is c.
func (p *templateParser) take(c byte) bool {
	if p.peek() != c {
		return false
	}
	p.at++
	return true
}

func (p *templateParser) unexpected(wanted string) error {
	if p.peek() == 0 {
		return p.fault(p.at, "the template ends where %s was expected", wanted)
	}
	c, _ := utf8.DecodeRuneInString(p.text[p.at:])
	return p.fault(p.at, "%q where %s was expected", c, wanted)
}

// derive makes a node that computes from others. A failure is told with its column: at once
// where all operands are constant, else by Expand.
func (p *templateParser) derive(at int, isText bool, compute func([]templateValue) (templateValue, error), operands ...templateNode) (templateNode, error) {
	column := utf8.RuneCountInString(p.text[:at]) + 1
	n := templateNode{isText: isText, constant: true}
	n.eval = func(v *TemplateValues) (templateValue, error) {
		values := make([]templateValue, len(operands))
		for i, operand := range operands {
			value, err := operand.eval(v)
			if err != nil {
				return templateValue{}, err
			}
			values[i] = value
		}
		value, err := compute(values)
		if err != nil {
			return templateValue{}, fault.New(fault.Conflict, GenerationFailed, "the ID template, column %d: %v", column, err)
		}
		return value, nil
	}
	for _, operand := range operands {
		n.constant = n.constant && operand.constant
	}
	if !n.constant {
		return n, nil
	}
	value, err := n.eval(nil)
	if err != nil {
		return n, fault.New(fault.Invalid, Malformed, "%s", fault.As(err).Message)
	}
	return constantNode(value), nil
}

// sum reads terms joined by + and -.
func (p *templateParser) sum() (templateNode, error) { return p.chain("+-", p.product) }

// product reads factors joined by *, / and %.
func (p *templateParser) product() (templateNode, error) { return p.chain("*/%", p.negation) }

// chain reads operands joined by operators of one rank, which group from the left.
func (p *templateParser) chain(operators string, operand func() (templateNode, error)) (templateNode, error) {
	left, err := operand()
	for err == nil {
		op := p.peek()
		if op == 0 || strings.IndexByte(operators, op) < 0 {
			return left, nil
		}
		at := p.at
		p.at++
		var right templateNode
		if right, err = operand(); err == nil {
			left, err = p.binary(at, op, left, right)
		}
	}
	return templateNode{}, err
}

func (p *templateParser) binary(at int, op byte, left, right templateNode) (templateNode, error) {
	isText := left.isText || right.isText
	if isText && op != '+' {
		return templateNode{}, p.fault(at, "%c works on numbers; here is text", op)
	}
	return p.derive(at, isText, func(v []templateValue) (templateValue, error) {
		if isText {
			return joinTexts(v[0], v[1])
		}
		n, err := arithmetic(op, v[0].number, v[1].number)
		return templateNumber(n), err
	}, left, right)
}

// nested reads something one level deeper.
func (p *templateParser) nested(at int, read func() (templateNode, error)) (templateNode, error) {
	if p.depth++; p.depth > maxTemplateNesting {
		return templateNode{}, p.fault(at, "nested more than %d deep", maxTemplateNesting)
	}
	defer func() { p.depth-- }()
	return read()
}

func (p *templateParser) negation() (templateNode, error) {
	if !p.take('-') {
		return p.postfix()
	}
	at := p.at - 1
	n, err := p.nested(at, p.negation)
	if err != nil {
		return n, err
	}
	return p.binary(at, '-', constantNode(templateNumber(0)), n)
}

// postfix reads a primary and its built-ins.
func (p *templateParser) postfix() (templateNode, error) {
	n, err := p.primary()
	for err == nil && p.take('?') {
		n, err = p.builtIn(n)
	}
	return n, err
}

func (p *templateParser) primary() (templateNode, error) {
	c := p.peek()
	switch {
	case c == '(':
		open := p.at
		p.at++
		n, err := p.nested(open, p.sum)
		if err == nil && !p.take(')') {
			err = p.unexpected("an operator, ? or )")
		}
		return n, err
	case c == '"' || c == '\'':
		return p.quoted(c)
	case '0' <= c && c <= '9':
		return p.number()
	}
	return p.variable()
}

func (p *templateParser) number() (templateNode, error) {
	from := p.at
	for p.at < len(p.text) && '0' <= p.text[p.at] && p.text[p.at] <= '9' {
		p.at++
	}
	if strings.HasPrefix(p.text[p.at:], ".") {
		return templateNode{}, p.fault(p.at, "only whole numbers are supported")
	}
	n, err := strconv.ParseInt(p.text[from:p.at], 10, 64)
	if err != nil {
		return templateNode{}, p.fault(from, "%v", errTemplateNumber)
	}
	return constantNode(templateNumber(n)), nil
}

// quoted reads a text in quotes of either kind.
func (p *templateParser) quoted(quote byte) (templateNode, error) {
	open := p.at
	var text strings.Builder
	for p.at++; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; {
		case c == quote:
			p.at++
			return constantNode(templateText(text.String())), nil
		case c == '\\':
			p.at++
			if p.at == len(p.text) || strings.IndexByte(`"'\`, p.text[p.at]) < 0 {
				return templateNode{}, p.fault(p.at-1, `only \", \' and \\ are supported`)
			}
		case (c == '$' || c == '#') && strings.HasPrefix(p.text[p.at+1:], "{"):
			return templateNode{}, p.fault(p.at, "%c{ within quotes is not supported; join texts with +", c)
		}
		text.WriteByte(p.text[p.at])
	}
	return templateNode{}, p.fault(open, "the quote is never closed")
}

// word reads a name; empty when there is none.
func (p *templateParser) word() string {
	p.peek()
	rest := p.text[p.at:]
	end := strings.IndexFunc(rest, func(c rune) bool { return c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	if end < 0 {
		end = len(rest)
	}
	p.at += end
	return rest[:end]
}

func (p *templateParser) variable() (templateNode, error) {
	p.peek()
	from := p.at
	name := p.word()
	if name == "" {
		return templateNode{}, p.unexpected("a variable, a number, a text or (")
	}
	if p.take('.') {
		name += "." + p.word()
	}
	switch name {
	case "siteId":
		return templateNode{isText: true, eval: func(v *TemplateValues) (templateValue, error) {
			return templateText(v.SiteID), nil
		}}, nil
	case "siteParticipantCount":
		return templateNode{eval: func(v *TemplateValues) (templateValue, error) {
			return templateNumber(v.SiteParticipantCount), nil
		}}, nil
	case "helper.random":
		return p.randomCall()
	}
	return templateNode{}, p.fault(from, "unknown variable %q; known are siteId, siteParticipantCount and helper.random(n)", name)
}

func (p *templateParser) randomCall() (templateNode, error) {
	if !p.take('(') {
		return templateNode{}, p.unexpected("( after helper.random")
	}
	digits, err := p.wholeArgument("helper.random", 1, 9)
	if err == nil && !p.take(')') {
		err = p.unexpected(")")
	}
	p.random = true
	return templateNode{eval: func(v *TemplateValues) (templateValue, error) {
		if v.Random == nil {
			return templateValue{}, fault.Wrap(fault.Internal, errTemplateRandom, "the ID template could not be used")
		}
		return templateNumber(v.Random(digits)), nil
	}}, err
}

// wholeArgument reads an argument that must be a constant number from low to high.
func (p *templateParser) wholeArgument(of string, low, high int64) (int, error) {
	p.peek()
	from := p.at
	n, err := p.nested(from, p.sum)
	if err != nil {
		return 0, err
	}
	if n.constant && !n.isText {
		if v, err := n.eval(nil); err == nil && low <= v.number && v.number <= high {
			return int(v.number), nil
		}
	}
	return 0, p.fault(from, "%s takes a constant whole number from %d to %d", of, low, high)
}

// textArgument reads an argument that must be a constant text, not empty.
func (p *templateParser) textArgument(of string) (string, error) {
	p.peek()
	from := p.at
	n, err := p.nested(from, p.sum)
	if err != nil {
		return "", err
	}
	if n.constant && n.isText {
		if v, err := n.eval(nil); err == nil && v.text != "" {
			return v.text, nil
		}
	}
	return "", p.fault(from, "%s takes a constant text that is not empty", of)
}

// builtIn reads what follows a ? and applies it.
func (p *templateParser) builtIn(operand templateNode) (templateNode, error) {
	p.peek()
	from := p.at
	change := templateValue.String
	switch name := p.word(); name {
	case "string":
		if next := p.peek(); next == '[' || next == '(' {
			return p.stringPattern(from, operand)
		}
	case "c":
		if operand.isText {
			return operand, p.fault(from, "?c works on numbers; here is text")
		}
	case "upper_case":
		change = func(v templateValue) string { return strings.ToUpper(v.String()) }
	case "lower_case":
		change = func(v templateValue) string { return strings.ToLower(v.String()) }
	case "left_pad":
		return p.leftPad(from, operand)
	default:
		return operand, p.fault(from, "unknown built-in %q; known are string, c, upper_case, lower_case and left_pad", name)
	}
	return p.textFrom(from, operand, change)
}

// textFrom makes a node whose text is made from one operand.
func (p *templateParser) textFrom(at int, operand templateNode, change func(templateValue) string) (templateNode, error) {
	return p.derive(at, true, func(v []templateValue) (templateValue, error) {
		text := change(v[0])
		if len(text) > maxTemplateOutput {
			return templateValue{}, errTemplateOutput
		}
		return templateText(text), nil
	}, operand)
}

// stringPattern reads the pattern of ?string["000"]: the part of Java's DecimalFormat that
// has # (a digit if there is one) before 0 (a digit always).
func (p *templateParser) stringPattern(at int, operand templateNode) (templateNode, error) {
	closing := byte(')')
	if p.peek() == '[' {
		closing = ']'
	}
	p.at++
	p.peek()
	from := p.at
	pattern, err := p.textArgument("?string")
	if err != nil {
		return operand, err
	}
	zeros := strings.TrimLeft(pattern, "#")
	if strings.Trim(zeros, "0") != "" {
		return operand, p.fault(from, "the pattern %q is not supported; write # and then 0, as in \"000\"", pattern)
	}
	if !p.take(closing) {
		return operand, p.unexpected(string(closing))
	}
	if operand.isText {
		return operand, p.fault(at, "?string with a pattern works on numbers; here is text")
	}
	return p.textFrom(at, operand, func(v templateValue) string { return zeroPadded(v.number, len(zeros)) })
}

// leftPad reads the arguments of ?left_pad(width) and ?left_pad(width, filling).
func (p *templateParser) leftPad(at int, operand templateNode) (templateNode, error) {
	if !p.take('(') {
		return operand, p.unexpected("( after ?left_pad")
	}
	width, err := p.wholeArgument("?left_pad", 0, maxTemplateOutput)
	filling := " "
	if err == nil && p.take(',') {
		filling, err = p.textArgument("?left_pad")
	}
	if err == nil && !p.take(')') {
		err = p.unexpected(")")
	}
	if err != nil {
		return operand, err
	}
	return p.textFrom(at, operand, func(v templateValue) string { return padLeft(v.String(), width, []rune(filling)) })
}
