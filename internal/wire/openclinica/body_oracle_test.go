package openclinica

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// byEncodingJSON reads a body the plain way, in as many passes as there are values. What it
// takes readParticipant takes, and what it refuses is refused with the same words.
func byEncodingJSON(body []byte, change *registry.Change) *fault.Error {
	var object map[string]json.RawMessage
	if !utf8.Valid(body) || json.Unmarshal(body, &object) != nil || object == nil {
		return fault.New(fault.Invalid, requestMalformed, "the body is not a JSON object")
	}
	text := func(key string) (value string, given bool, ferr *fault.Error) {
		raw, ok := object[key]
		if !ok || string(raw) == "null" {
			return "", false, nil
		}
		if json.Unmarshal(raw, &value) != nil {
			return "", false, fault.New(fault.Invalid, requestMalformed, "the value has to be a string").In(key)
		}
		return value, true, nil
	}
	key, _, ferr := text("subjectKey")
	if ferr != nil {
		return ferr
	}
	change.Identifier = key
	for _, f := range wireFields {
		value, given, ferr := text(f.name)
		if ferr != nil {
			return ferr
		}
		if given {
			change.Edits.Set(f.field, value)
		}
	}
	return nil
}

func sameBody(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, body []byte) {
	t.Helper()
	var want, got registry.Change
	wantErr := byEncodingJSON(body, &want)
	request := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	var gotErr *fault.Error
	if err := readParticipant(request, &got); err != nil && !errors.As(err, &gotErr) {
		t.Fatalf("%.200q: %v", body, err)
	}
	words := func(e *fault.Error) string {
		if e == nil {
			return "no fault"
		}
		return fmt.Sprint(e.Kind, " ", e.Code, " in ", e.Field, " of ", e.Index, ": ", e.Message, e.Hint)
	}
	if words(gotErr) != words(wantErr) {
		t.Fatalf("%.200q: %s, want %s", body, words(gotErr), words(wantErr))
	}
	if wantErr != nil {
		return
	}
	if got.Identifier != want.Identifier || got.Edits != want.Edits {
		t.Fatalf("%.200q: %+v, want %+v", body, got, want)
	}
}

// oddValues are values, and what is almost one.
func oddValues() []string {
	return []string{
		`0`, `-0`, `01`, `1.`, `1.50`, `-`, `+1`, `1E+2`, `1e`, `1e400`, strings.Repeat("9", 5000), `NaN`,
		`null`, `nul`, `nulll`, ` null `, `true`, `TRUE`, `false`, `undefined`, `{}`, `[]`, `[[1]`, `{"firstName":"x"}`, `{"a":1,}`, `[1,]`,
		`""`, `"a"`, `'a'`, `"a`, `"a""b"`, `"\b\f\n\r\t\/\"\\"`, `"\'"`, `"\x41"`, `"\u0000"`, `"\u0041"`, `"\u004"`, `"\u00E9"`,
		`"\ud83d\ude00"`, `"\ud83d"`, `"\ude00"`, `"\ud83d\ud83d\ude00"`, `"\ude00\ud83d"`, `"\ud83dx"`, `"\ud83d\n"`, `"\uffff"`, `"null"`,
		"\"\u2028\"", "\"é€😀\"", "\"\ufeff\"", "\"\xff\"", "\"\xed\xa0\x80\"", "\"a\nb\"", "\"\x00\"", "\"\x7f\"", `"<>&"`, `"` + strings.Repeat(`ü\n`, 3000) + `"`,
	}
}

func oddBodies() []string {
	odd := []string{
		``, ` `, `null`, ` null `, `[]`, `1`, `"a"`, `{}`, ` { } `, `{} {}`, `{}x`, `{},`, `{}]`, "{}\x00", "\xef\xbb\xbf{}", `{`, `{"`, `{"subjectKey"`, `{"subjectKey":`,
		`{"subjectKey":"a",}`, `{,"subjectKey":"a"}`, `{"subjectKey" "a"}`, `{"subjectKey":"a" "firstName":"b"}`, `{"subjectKey"::"a"}`, `{1:2}`, `{null:1}`, `{"a":[}`,
		`{"subjectKey":1,"subjectKey":"a"}`, `{"subjectKey":"a","subjectKey":null}`, `{"firstName":"a","firstName":[]}`, `{"firstName":{},"subjectKey":1}`,
		`{"lastName":1,"firstName":2}`, `{"SUBJECTKEY":1,"subjectkey":"x"}`, `{"\u0073ubjectKey":"a"}`, `{"secondaryId":"a","identifier":"b"}`, `{"firstName":1,"a":}`,
	}
	for _, value := range oddValues() {
		for _, key := range []string{"subjectKey", "firstName", "other"} {
			odd = append(odd, fmt.Sprintf(`{"%s":%s}`, key, value), fmt.Sprintf(`{"%s":%s`, key, value), fmt.Sprintf(`{"a":1,"%s":[%s],"lastName":""}`, key, value))
		}
		odd = append(odd, value, `{`+value+`:1}`, `{}`+value)
	}
	for depth := 9_998; depth < 10_002; depth++ { // encoding/json goes 10,000 deep
		odd = append(odd, `{"a":`+strings.Repeat("[", depth)+strings.Repeat("]", depth)+`}`, strings.Repeat(`{"firstName":`, depth)+"1"+strings.Repeat("}", depth))
	}
	return odd
}

func TestBodiesAreReadAsByEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, body := range oddBodies() {
		sameBody(t, []byte(body))
	}
	keys := []string{"other", "SubjectKey", `first\u004eame`}
	for i := range len(sentFields{}) {
		keys = append(keys, bodyKey(i))
	}
	values := rapid.OneOf(rapid.SampledFrom(oddValues()), rapid.SampledFrom([]string{`"x"`, `""`, `null`}),
		rapid.Map(rapid.String(), func(s string) string { b, _ := json.Marshal(s); return string(b) }))
	rapid.Check(t, func(t *rapid.T) {
		var pairs []string
		for range rapid.IntRange(0, 8).Draw(t, "keys") {
			pairs = append(pairs, `"`+rapid.SampledFrom(keys).Draw(t, "key")+`" :`+values.Draw(t, "value"))
		}
		sameBody(t, []byte("{"+strings.Join(pairs, ", ")+"}\n"))
	})
}

// FuzzBodyBothWays has any body read both ways.
func FuzzBodyBothWays(f *testing.F) {
	for _, value := range oddValues() {
		if len(value) < 100 {
			f.Add([]byte(`{"subjectKey":"a","firstName":` + value + `}`))
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) { sameBody(t, body) })
}

func BenchmarkParticipantBody(b *testing.B) {
	var fields []string
	for i := range len(sentFields{}) {
		fields = append(fields, fmt.Sprintf("%q:%q", bodyKey(i), "value of "+bodyKey(i)))
	}
	body := "{" + strings.Join(fields, ",") + "}"
	b.ReportAllocs()
	for b.Loop() {
		var change registry.Change
		if err := readParticipant(httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/", strings.NewReader(body)), &change); err != nil {
			b.Fatal(err)
		}
	}
}
