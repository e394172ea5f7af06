package sqlite

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/store/relational"
)

// TestInsertOfCommonValues: what rows have in common is bound once and stored in each, whatever the
// number of rows and of columns that they share.
func TestInsertOfCommonValues(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	db, _ := testDB(t, Config{Path: filepath.Join(t.TempDir(), "rollcall.db")})
	into := &relational.Insertion{
		Table: "used_assertions", Columns: []string{"account", "jti", "expires_at"},
		Suffix: "ON CONFLICT (account, jti) DO UPDATE SET expires_at = excluded.expires_at WHERE used_assertions.expires_at < excluded.expires_at",
	}
	rows := map[string]func(i int) []any{
		"nothing":     func(i int) []any { return []any{fmt.Sprint("a", i), fmt.Sprint("j", i), int64(i)} },
		"the first":   func(i int) []any { return []any{"b", fmt.Sprint("j", i), int64(i)} },
		"the last":    func(i int) []any { return []any{fmt.Sprint("c", i), fmt.Sprint("j", i), int64(7)} },
		"two":         func(i int) []any { return []any{"d", fmt.Sprint("j", i), int64(7)} },
		"but for one": func(i int) []any { return []any{"e", fmt.Sprint("j", i), int64(i / 100)} },
	}
	for name, row := range rows {
		for _, count := range []int{1, rowsOfInsert - 1, rowsOfInsert, 3*rowsOfInsert + 5} {
			t.Run(fmt.Sprintf("%s of %d rows", name, count), func(t *testing.T) {
				var stored [][]any
				err := db.engine.Touch(ctx, func(ctx context.Context, w relational.Transaction) error {
					if _, err := w.Exec(ctx, "DELETE FROM used_assertions"); err != nil {
						return err
					}
					args := func(to []any, i int) ([]any, error) { return append(to, row(i)...), nil }
					for _, want := range []int64{int64(count), 0} { // again, nothing is changed
						if n, err := w.Insert(ctx, into, count, args); err != nil || n != want {
							return fmt.Errorf("%d rows changed, want %d: %w", n, want, err)
						}
					}
					found, err := w.Query(ctx, "SELECT account, jti, expires_at FROM used_assertions")
					if err != nil {
						return err
					}
					for found.Next() {
						var account, jti string
						var expires int64
						if err := found.Scan(&account, &jti, &expires); err != nil {
							return err
						}
						stored = append(stored, []any{account, jti, expires})
					}
					return found.Close()
				})
				if err != nil {
					t.Fatal(err)
				}
				var want [][]any
				for i := range count {
					want = append(want, row(i))
				}
				byText := func(a, b []any) int { return slices.Compare([]string{fmt.Sprint(a...)}, []string{fmt.Sprint(b...)}) }
				slices.SortFunc(want, byText)
				slices.SortFunc(stored, byText)
				if diff := cmp.Diff(want, stored); diff != "" {
					t.Errorf("stored (-want +got):\n%s", diff)
				}
			})
		}
	}
}

// TestStatementsForCommonColumnsAreFew: however rows vary, few statements are kept.
func TestStatementsForCommonColumnsAreFew(t *testing.T) {
	t.Parallel()
	var texts insertTexts
	into := &relational.Insertion{Table: "t", Columns: []string{"a", "b", "c", "d", "e", "f"}}
	for found := range columnSet(32) {
		if known := texts.known(into, found); known&^found != 0 {
			t.Errorf("of %b, %b is taken to be common", found, known)
		}
	}
	if n := len(texts.common[into]); n > maxCommon {
		t.Errorf("%d sets are kept, want at most %d", n, maxCommon)
	}
	if got := texts.known(into, 0b11111); got == 0 {
		t.Error("no part of a set that was met late is used")
	}
}

// TestCommonColumns: values of different types are different, and the last column is never common.
func TestCommonColumns(t *testing.T) {
	t.Parallel()
	id := [16]byte{1}
	values := []any{
		"x", int64(1), nil, []byte("b"), id, []byte(nil), true, "same",
		"x", int64(1), nil, []byte("b"), id, []byte{}, true, "same",
		"x", "1", nil, []byte("b"), id, []byte{}, true, "same",
	}
	if got, want := commonColumns(values, 8), columnSet(0b01011101); got != want {
		t.Errorf("common columns %b, want %b", got, want)
	}
}
