package relational

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"rollcall/internal/audit"
	"rollcall/internal/registry"
)

// TestColumns: every detail has a column of its own.
func TestColumns(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for f, column := range detailColumns {
		if column == "" || seen[column] {
			t.Errorf("%s has column %q", registry.Field(f), column)
		}
		seen[column] = true
	}
}

// TestEventFields: what is encoded is decoded.
func TestEventFields(t *testing.T) {
	t.Parallel()
	want := []audit.FieldChange{{Field: "a\"\\", Old: "\x00\x1f\x7f", New: "é𝔘\u2028"}, {}}
	got, err := decodeFields(string(appendFields(nil, want)))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// plainEngine keeps texts in JSON as they are.
type plainEngine struct{ Engine }

func (plainEngine) Inner(text string) string { return text }
func (plainEngine) Outer(text string) string { return text }

// TestCustomFields: what is encoded is decoded, whether it takes the quick way or not.
func TestCustomFields(t *testing.T) {
	t.Parallel()
	db := &DB{engine: plainEngine{}}
	text := rapid.OneOf(rapid.StringMatching(`[a-z,:{} ]{0,8}`), rapid.String())
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.MapOfN(text, text, 1, 5).Draw(t, "custom")
		encoded := db.encodeCustom(want)
		got, err := db.decodeCustom(encoded)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", encoded, diff)
		}
		_, quick := db.splitCustom(encoded)
		if plain := !strings.Contains(encoded, `\`); quick != plain {
			t.Fatalf("%s: the quick way is taken: %t", encoded, quick)
		}
	})
}

// TestCustomFieldsAsJSON: whatever else is JSON is read as JSON, and what is not is refused.
func TestCustomFieldsAsJSON(t *testing.T) {
	t.Parallel()
	db := &DB{engine: plainEngine{}}
	for _, text := range []string{
		`{}`, `{"a":"b"}`, `{"a": "b"}`, `{"a":"b", "c":"d"}`, `{"a":"b","a":"c"}`, `{"a":null}`, ` {"a":"b"}`, `{"a":"b"} `, `null`,
		`{"a\u0041":"b"}`, `{`, `{"`, `{"a`, `{"a"`, `{"a":`, `{"a":"`, `{"a":"b`, `{"a":"b"`, `{"a":"b",`, `{"a":"b",}`, `{"a":"b"}}`,
		`{"a":1}`, `{"a":"b""c":"d"}`, `{,}`, `[]`, `"a":"b"}`,
	} {
		var want map[string]string
		wantErr := json.Unmarshal([]byte(text), &want)
		got, err := db.decodeCustom(text)
		if (err == nil) != (wantErr == nil) || err == nil && !maps.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v, %v", text, got, err, want, wantErr)
		}
	}
}

func BenchmarkDecodeCustom(b *testing.B) {
	db := &DB{engine: plainEngine{}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := db.decodeCustom(`{"Consented":"false","FavoriteColor":"denim","Smoker":"16","SurgeryDate":"2021-02-22","Weight":"96.9"}`); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEventFields encodes what an import remembers of a participant.
func BenchmarkEventFields(b *testing.B) {
	b.ReportAllocs()
	fields := []audit.FieldChange{
		{Field: "participantIdentifier", New: "P-0001ABCD"}, {Field: "site", New: "BOSTON"}, {Field: "firstName", New: "Anneliese"},
		{Field: "lastName", New: "Grünmüller"}, {Field: "email", New: "anneliese.17@example.org"}, {Field: "mobilePhone", New: "+1 2000000017"},
	}
	var text []byte
	for b.Loop() {
		text = appendFields(text[:0], fields)
	}
}
