package httpx

import (
	"bytes"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
)

// encoded is what encoding/json makes of a value without escapes for HTML.
func encoded(t testing.TB, v any) string {
	t.Helper()
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func FuzzAppendJSONString(f *testing.F) {
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, text := range []string{
		"", "plain", `"quoted\"`, "<a href='x'>&</a>", string(every), "Zoë Müller", "\u2028between\u2029", "\u2027\u202a",
		"broken \xff\xfe\xc3", "\xe2\x80", "\U0001F600", "\ufffd", "\x7f",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if got, want := string(AppendJSONString(nil, text)), encoded(t, text); got != want {
			t.Errorf("AppendJSONString(%q) = %s, want %s", text, got, want)
		}
	})
}

type selfWritten string

func (s selfWritten) AppendJSON(to []byte) []byte {
	return append(AppendJSONString(append(to, `{"said":`...), string(s)), '}')
}

// An answer that writes itself goes out as any other.
func TestWriteJSONAppender(t *testing.T) {
	t.Parallel()
	own, other := httptest.NewRecorder(), httptest.NewRecorder()
	if err := WriteJSON(own, 201, selfWritten("<hello>")); err != nil {
		t.Fatal(err)
	}
	if err := WriteJSON(other, 201, map[string]string{"said": "<hello>"}); err != nil {
		t.Fatal(err)
	}
	if own.Body.String() != other.Body.String() || own.Code != other.Code {
		t.Errorf("%d %s, want %d %s", own.Code, own.Body, other.Code, other.Body)
	}
	for name := range other.Header() {
		if own.Header().Get(name) != other.Header().Get(name) {
			t.Errorf("%s: %q, want %q", name, own.Header().Get(name), other.Header().Get(name))
		}
	}
}

func BenchmarkAppendJSONString(b *testing.B) {
	buffer := make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buffer = AppendJSONString(buffer[:0], "41 Long Lane, Müllheim")
	}
}
