package relational

import (
	"testing"

	"github.com/google/go-cmp/cmp"

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
