package mydatahelps

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"pgregory.net/rapid"
)

// What encoding/json's Decoder takes, bodyReader takes, token by token, and what it refuses is
// refused at the same token: a client's fault that comes before broken JSON is the one to tell.

// oracle reads with encoding/json.
type oracle struct{ tokens *json.Decoder }

func newOracle(b *bodyReader) *oracle {
	tokens := json.NewDecoder(bytes.NewReader(b.body))
	tokens.UseNumber()
	return &oracle{tokens: tokens}
}

// next reads one token as kind and text.
func (o *oracle) next() (kind jsontext.Kind, text string, ok bool) {
	token, err := o.tokens.Token()
	if err != nil {
		return 0, "", false
	}
	switch value := token.(type) {
	case nil:
		return jsontext.KindNull, "null", true
	case string:
		return jsontext.KindString, value, true
	case json.Number:
		return jsontext.KindNumber, value.String(), true
	case bool:
		if value {
			return jsontext.KindTrue, "true", true
		}
		return jsontext.KindFalse, "false", true
	case json.Delim:
		return jsontext.Kind(value), value.String(), true
	}
	panic("a token of no kind")
}

func (o *oracle) end() bool {
	_, err := o.tokens.Token()
	return errors.Is(err, io.EOF)
}

// sameTokens reads a body both ways, the way that bodyReader's methods do: of an object or
// array as long as there is more, and of nothing beyond what is broken.
func sameTokens(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, body []byte) {
	t.Helper()
	before := bytes.Clone(body)
	b, err := newBodyReader(body)
	if err != nil {
		return // refused as a whole, before the first token
	}
	o := newOracle(b)
	next := func() (jsontext.Kind, bool) {
		want, wantText, wantOK := o.next()
		token, err := b.next()
		if (err == nil) != wantOK {
			t.Fatalf("%.200q at %d: %v, want a token: %t", body, b.tokens.InputOffset(), err, wantOK)
		}
		if err != nil {
			return 0, false
		}
		if token.Kind() != want || token.String() != wantText {
			t.Fatalf("%.200q at %d: %v %q, want %v %q", body, b.tokens.InputOffset(), token.Kind(), token, want, wantText)
		}
		return want, true
	}
	for depth := 0; ; {
		kind, ok := next()
		if !ok {
			return
		}
		switch kind {
		case jsontext.KindBeginObject, jsontext.KindBeginArray:
			depth++
		case jsontext.KindEndObject, jsontext.KindEndArray:
			depth--
		default: // is as deep as what it is in
		}
		if depth == 0 || depth > maxDepth+3 { // bodyReader stops there
			break
		}
		if more := o.tokens.More(); b.more() != more {
			t.Fatalf("%.200q at %d: more: %t, want %t", body, b.tokens.InputOffset(), !more, more)
		}
	}
	if want := o.end(); (b.end() == nil) != want {
		t.Fatalf("%.200q: at its end: %t, want %t", body, !want, want)
	}
	if !bytes.Equal(body, before) {
		t.Fatalf("%.200q became %.200q", before, body)
	}
}

// oddBodies are bodies at the edges of what JSON is.
func oddBodies() []string {
	odd := []string{
		`{}`, ` { } `, "{}\n", `{} {}`, `{}x`, `{}"`, `{},`, `{}]`, `{`, `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":1`, `{"a":1,`,
		"\xef\xbb\xbf{}", "\xef\xbb\xbf\xef\xbb\xbf{}", "{\xef\xbb\xbf}", "{}\x00", "{\x00}", "{\u00a0}", "{\v}",
		`{"a":1,}`, `{,"a":1}`, `{"a":1,,"b":2}`, `{"a" 1}`, `{"a",1}`, `{"a"::1}`, `{"a":,1}`, `{"a":1 "b":2}`, `{"a":1:2}`,
		`{1:2}`, `{null:1}`, `{true:1}`, `{{}:1}`, `{[]:1}`, `{a:1}`, `{'a':1}`, `{"a":1}}`, `{"a":1]`, `{"a":[1}`, `{"a":[}`, `{]`,
		`{"a":}`, `{"a":]}`, `{"a":[1,]}`, `{"a":[,1]}`, `{"a":[1 2]}`, `{"a":[:1]}`, `{"a":[1:2]}`, `{"a":["b":2]}`, `{"a":[,]}`,
		`{"a":1,"a":2,"A":3,"\u0061":4}`, `{"":""}`, `{"a":{"a":{"a":[[],{}]}}}`, `{"a":1/*x*/}`, `{"a":1//x` + "\n}",
	}
	for _, value := range oddValues() {
		odd = append(odd, `{"a":`+value+`}`, `{"a":`+value, `{"a":[`+value+`,`+value+`]}`, `{`+value+`:1}`, `{"a":`+value+`x}`, `{}`+value)
	}
	for _, depth := range []int{10, maxDepth, maxDepth + 2, 10_001} {
		odd = append(odd,
			`{"a":`+strings.Repeat("[", depth)+strings.Repeat("]", depth)+`}`,
			strings.Repeat(`{"a":`, depth)+"1"+strings.Repeat("}", depth))
	}
	return odd
}

// oddValues are values, and what is almost one.
func oddValues() []string {
	values := []string{
		`0`, `-0`, `1`, `-1`, `01`, `-01`, `00`, `1.`, `.1`, `1.0`, `1.50`, `-`, `--1`, `+1`, `1e5`, `1E+2`, `1e-2`, `1e`, `1e+`, `1.e1`, `1e1.5`,
		`1e400`, `0x1`, `1_0`, `1-2`, `1.2.3`, `12345678901234567890123`, `NaN`, `Infinity`, strings.Repeat("9", 5000),
		`null`, `nul`, `nulll`, `Null`, `true`, `tru`, `truee`, `TRUE`, `false`, `fals`, `falsee`, `undefined`, `truefalse`, `nullnull`,
		`{}`, `[]`, `[[]]`, `[{}]`, `{"b":[]}`, `""`, `"a"`, `'a'`, `"a`, `"a""b"`, `"a"1`, `"\"`, `"\\"`, `"\\\"`,
		`"\b\f\n\r\t\/\"\\"`, `"\a"`, `"\'"`, `"\U0041"`, `"\x41"`, `"\0"`, `"\u0000"`, `"\u0041"`, `"\u004"`, `"\u004g"`, `"\u"`, `"\u+041"`, `"\u00e9"`, `"\u00E9"`,
		`"\ud83d\ude00"`, `"\uD83D\uDE00"`, `"\ud83d"`, `"\ude00"`, `"\ud83d\ud83d"`, `"\ude00\ud83d"`, `"\ud83dx"`, `"\ud83d\n"`, `"\uffff"`, `"\ufffe"`, `"\ufffd"`,
		"\"\u007f\"", "\"\u0080\u2028\u2029\"", "\"é€😀\"", "\"\ufffd\"", "\"\ufeff\"", "\"\xff\"", "\"\xc3\"", "\"\xed\xa0\x80\"", "\"\xf4\x90\x80\x80\"", "\"\xc0\xaf\"",
		"\"a\nb\"", "\"a\tb\"", "\"\x00\"", "\"\x1f\"", "\"\x7f\"", `"<>&"`, `"` + strings.Repeat(`ü\n`, 3000) + `"`,
	}
	for c := range 0x21 {
		values = append(values, `"`+string(rune(c))+`"`, string(rune(c))+`1`)
	}
	return values
}

func TestOddBodiesAreReadAsByEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, body := range oddBodies() {
		sameTokens(t, []byte(body))
	}
	whole := bulkBody(2)
	for end := range whole {
		sameTokens(t, whole[:end])
	}
}

// anyBody draws a body that is mostly JSON with the keys that mean something, and often broken.
func anyBody() *rapid.Generator[[]byte] {
	names := []string{
		"id", "participantIdentifier", "secondaryIdentifier", "invitationStatus", "excludeFromExport", "institutionCode", "demographics",
		"customFields", "participants", "sendDefaultInvitationNotifications", "name", "Note", "Smoker", "x", "", "ſmoker", `\u0069d`, `i\u0064`,
	}
	for _, d := range demographics {
		names = append(names, d.name)
	}
	key := rapid.Custom(func(t *rapid.T) string {
		name := rapid.SampledFrom(names).Draw(t, "name")
		if !strings.Contains(name, `\`) {
			name = rapid.SampledFrom([]string{name, strings.ToUpper(name), strings.ToLower(name)}).Draw(t, "case")
		}
		return name
	})
	space := rapid.SampledFrom([]string{"", "", "", " ", "\n\t", "\r\n "})
	scalar := rapid.OneOf(rapid.SampledFrom(oddValues()), rapid.SampledFrom([]string{
		`null`, `"x"`, `true`, `"FALSE"`, `"3a713a06-295d-4803-9602-776f09a1483b"`, `"pending"`, `"OHIO"`, `7`, `""`, `"Jane Roe"`,
	}), rapid.Map(rapid.String(), func(s string) string { b, _ := json.Marshal(s); return string(b) }), rapid.Map(rapid.String(), strconv.Quote))
	var value func(depth int) *rapid.Generator[string]
	object := func(depth int) *rapid.Generator[string] {
		return rapid.Custom(func(t *rapid.T) string {
			var b strings.Builder
			b.WriteByte('{')
			for i := range rapid.IntRange(0, 5).Draw(t, "keys") {
				if i > 0 {
					b.WriteByte(',')
				}
				fmt.Fprintf(&b, `%s"%s"%s:%s%s`, space.Draw(t, "a"), key.Draw(t, "key"), space.Draw(t, "b"), space.Draw(t, "c"), value(depth-1).Draw(t, "value"))
			}
			return b.String() + "}"
		})
	}
	value = func(depth int) *rapid.Generator[string] {
		if depth <= 0 {
			return scalar
		}
		list := rapid.Map(rapid.SliceOfN(rapid.Deferred(func() *rapid.Generator[string] { return value(depth - 1) }), 0, 4),
			func(items []string) string { return "[" + strings.Join(items, ",") + "]" })
		return rapid.OneOf(scalar, object(depth), list)
	}
	return rapid.Custom(func(t *rapid.T) []byte {
		body := []byte(space.Draw(t, "before") + object(4).Draw(t, "body") + space.Draw(t, "after"))
		for range rapid.IntRange(0, 2).Draw(t, "breaks") {
			at := rapid.IntRange(0, len(body)).Draw(t, "at")
			to := min(len(body), at+rapid.IntRange(0, 2).Draw(t, "cut"))
			put := rapid.SampledFrom([]string{"", ",", ":", "{", "}", "[", "]", `"`, `\`, "0", "-", "e", ".", "n", " ", "\x00", "\xff", `\ud83d`, "null"}).Draw(t, "put")
			body = append(append(bytes.Clone(body[:at]), put...), body[to:]...)
		}
		return body
	})
}

func TestAnyBodyIsReadAsByEncodingJSON(t *testing.T) {
	t.Parallel()
	bodies := anyBody()
	rapid.Check(t, func(t *rapid.T) { sameTokens(t, bodies.Draw(t, "body")) })
}

// FuzzTokens has any body read both ways.
func FuzzTokens(f *testing.F) {
	for _, value := range oddValues() { // the test above has them all, in all their places
		if len(value) < 100 {
			f.Add([]byte(`{"a":[` + value + `,{"b":1}]}`))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) { sameTokens(t, body) })
}
