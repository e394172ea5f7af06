package mydatahelps

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/registry"
)

// The limits on request bodies in bytes, and on how deep the values of keys that mean nothing
// here may be nested.
const (
	maxSingle = 1 << 20
	maxBulk   = 32 << 20
	maxDepth  = 1000
)

// bodyReader reads JSON whose keys have no case and whose texts may come as numbers or
// booleans (reference, MyDataHelps 2 and 3). It reads on token by token, so that no second
// copy of a large body is made. Its errors are *fault.Error and end the reading.
type bodyReader struct {
	body   []byte
	tokens *jsontext.Decoder
}

// readBody reads a request's body to its end, at most max bytes of it, and checks that it is
// text in UTF-8.
func readBody(r *http.Request, max int64) (*bodyReader, error) {
	var body bytes.Buffer
	if r.ContentLength > 0 && r.ContentLength <= max {
		body.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	if _, err := body.ReadFrom(httpx.Body(r, max)); err != nil {
		return nil, bodyFault(err)
	}
	return newBodyReader(body.Bytes())
}

// bodyFault makes a client's fault of a body that could not be read to its end.
func bodyFault(err error) error {
	if e := fault.As(err); e.Kind != fault.Internal {
		return e
	}
	return fault.Wrap(fault.Invalid, err, "the body could not be read")
}

func newBodyReader(body []byte) (*bodyReader, error) {
	body = bytes.TrimPrefix(body, []byte("\xef\xbb\xbf"))
	if !utf8.Valid(body) || !surrogatesPaired(body) {
		return nil, fault.New(fault.Invalid, badBody, "the body is not valid UTF-8 text")
	}
	if !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
		return nil, fault.New(fault.Invalid, badBody, "the body has to be a JSON object")
	}
	// Of a key that comes twice the last one counts, so twice is not wrong.
	tokens := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true))
	return &bodyReader{body: body, tokens: tokens}, nil
}

// surrogatesPaired tells whether every \u escape of a surrogate has its other half. Package
// json would silently replace the character.
func surrogatesPaired(body []byte) bool {
	high := false // the escape before was the first half of a pair
	for i := 0; i < len(body); i++ {
		if !high {
			next := bytes.IndexByte(body[i:], '\\')
			if next < 0 {
				return true
			}
			i += next
		}
		if body[i] != '\\' {
			return false
		}
		i++
		if i >= len(body) || body[i] != 'u' || i+5 > len(body) {
			if high {
				return false
			}
			continue
		}
		unit, err := strconv.ParseUint(string(body[i+1:i+5]), 16, 16)
		i += 4
		switch low := unit >= 0xdc00 && unit < 0xe000; {
		case err != nil:
			return true // not JSON; the decoder says so
		case low != high:
			return false
		default:
			high = unit >= 0xd800 && unit < 0xdc00
		}
	}
	return !high
}

func notJSON() *fault.Error {
	return fault.New(fault.Invalid, badBody, "the body is not valid JSON")
}

// next reads one token. It is good until the next is read.
func (b *bodyReader) next() (jsontext.Token, error) {
	token, err := b.tokens.ReadToken()
	if err != nil {
		return token, notJSON()
	}
	return token, nil
}

// rest is what has not been read, without the space before it.
func (b *bodyReader) rest() []byte {
	return bytes.TrimLeft(b.body[b.tokens.InputOffset():], " \t\r\n")
}

// more tells whether the object or array that is being read goes on. What is no JSON goes on,
// and next says so.
func (b *bodyReader) more() bool {
	rest := b.rest()
	return len(rest) > 0 && rest[0] != '}' && rest[0] != ']'
}

// object reads an object and has each read every key's value. Null is no object, but nothing
// wrong: given is false.
func (b *bodyReader) object(field string, each func(key string) error) (given bool, err error) {
	token, err := b.next()
	if err != nil {
		return false, err
	}
	switch token.Kind() {
	case jsontext.KindNull:
		return false, nil
	case jsontext.KindBeginObject:
	default:
		return false, wrongType(field, "has to be an object")
	}
	for b.more() {
		key, err := b.next()
		if err != nil {
			return false, err
		}
		if err := each(key.String()); err != nil {
			return false, err
		}
	}
	_, err = b.next()
	return true, err
}

// list reads an array and has each read every item. Null is no array: given is false.
func (b *bodyReader) list(field string, each func(index int) error) (given bool, err error) {
	token, err := b.next()
	if err != nil {
		return false, err
	}
	switch token.Kind() {
	case jsontext.KindNull:
		return false, nil
	case jsontext.KindBeginArray:
	default:
		return false, wrongType(field, "has to be an array")
	}
	for i := 0; b.more(); i++ {
		if err := each(i); err != nil {
			return false, err
		}
	}
	_, err = b.next()
	return true, err
}

// text reads a text. A number or a boolean is its literal; null is "".
func (b *bodyReader) text(field string) (string, error) {
	token, err := b.next()
	if err != nil {
		return "", err
	}
	switch token.Kind() {
	case jsontext.KindNull:
		return "", nil
	case jsontext.KindString, jsontext.KindNumber, jsontext.KindTrue, jsontext.KindFalse:
		return token.String(), nil
	default:
		return "", wrongType(field, "has to be a text")
	}
}

// boolean reads true or false, as such or as text in any case; null and "" are false.
func (b *bodyReader) boolean(field string) (bool, error) {
	token, err := b.next()
	if err != nil {
		return false, err
	}
	switch token.Kind() {
	case jsontext.KindTrue:
		return true, nil
	case jsontext.KindNull, jsontext.KindFalse:
		return false, nil
	case jsontext.KindString:
		value := token.String()
		if strings.EqualFold(value, "true") {
			return true, nil
		}
		if value == "" || strings.EqualFold(value, "false") {
			return false, nil
		}
	default:
	}
	return false, wrongType(field, "has to be true or false")
}

// skip passes over a value that means nothing here.
func (b *bodyReader) skip() error {
	token, err := b.next()
	if err != nil {
		return err
	}
	return b.skipFrom(token)
}

// skipFrom passes over the rest of a value that began with the token.
func (b *bodyReader) skipFrom(token jsontext.Token) (err error) {
	for depth := 0; ; {
		switch token.Kind() {
		case jsontext.KindBeginObject, jsontext.KindBeginArray:
			depth++
		case jsontext.KindEndObject, jsontext.KindEndArray:
			depth--
		default: // is as deep as what it is in
		}
		if depth == 0 {
			return nil
		}
		if depth > maxDepth {
			return fault.New(fault.Invalid, badBody, "the body is nested more than %d deep", maxDepth)
		}
		if token, err = b.next(); err != nil {
			return err
		}
	}
}

// end checks that nothing follows what has been read.
func (b *bodyReader) end() error {
	if len(b.rest()) > 0 {
		return fault.New(fault.Invalid, badBody, "text follows the JSON object")
	}
	return nil
}

func wrongType(field, want string) *fault.Error {
	return fault.New(fault.Invalid, registry.Malformed, "%s", want).In(field)
}
