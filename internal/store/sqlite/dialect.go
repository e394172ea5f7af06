package sqlite

import (
	"encoding/json"
	"fmt"
	"strings"

	"rollcall/internal/registry"
	"rollcall/internal/store/relational"
)

// dialect implements relational.Dialect.
type dialect struct{}

// Clock implements relational.Dialect.
func (dialect) Clock() string { return "CAST(unixepoch('subsec') * 1000000 AS INTEGER)" }

// listSizes are the lengths of IN lists for which statements are kept. A shorter list is
// filled up with its last value.
var listSizes = [...]int{1, 8, 64, 512}

// In implements relational.Dialect: it cuts the values into lists of the kept sizes.
func (dialect) In(column string, _ int, values []any, fn func(condition string, args []any) error) error {
	for len(values) > 0 {
		size := listSizes[len(listSizes)-1]
		for _, s := range listSizes {
			if s >= len(values) {
				size = s
				break
			}
		}
		n := min(size, len(values))
		args := append(make([]any, 0, size), values[:n]...)
		for len(args) < size {
			args = append(args, values[n-1])
		}
		if err := fn(column+" IN ("+placeholders(size)+")", args); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// placeholders is "?,?,..." for n parameters. SQLite numbers them on from the parameter before.
func placeholders(n int) string {
	return strings.TrimSuffix(strings.Repeat("?,", n), ",")
}

// Contains implements relational.Dialect.
func (dialect) Contains(column, text string, bind func(any) string) string {
	return "instr(" + column + ", " + bind(text) + ") > 0"
}

// Folded implements relational.Dialect. ASCII, which nearly all texts are, is folded without
// leaving SQLite.
func (dialect) Folded(text, _ string, _ func(any) string) string {
	return fmt.Sprintf("CASE WHEN length(%[1]s) = octet_length(%[1]s) THEN lower(%[1]s) ELSE %[2]s(%[1]s) END", text, foldFunction)
}

// CustomValue implements relational.Dialect.
func (dialect) CustomValue(name string, bind func(any) string) string {
	key, err := json.Marshal(name)
	if err != nil { // texts can always be encoded
		panic(fmt.Sprintf("encode the name of a custom field: %T", err))
	}
	return "json_extract(nullif(p.custom, ''), " + bind("$."+string(key)) + ")"
}

// Number implements relational.Dialect.
func (dialect) Number(text string) string { return "CAST(" + text + " AS NUMERIC)" }

// ArrayLength implements relational.Dialect.
func (dialect) ArrayLength(column string) string { return "json_array_length(" + column + ")" }

// searchSeparator stands between the values of a search text, so that no match spans two: no
// profile lets a NUL into a value.
const searchSeparator = "\x00"

// SearchColumns implements relational.Dialect.
func (dialect) SearchColumns() []string { return []string{"search_text", "custom_text"} }

// SearchValues implements relational.Dialect.
func (dialect) SearchValues(to []any, p *registry.Participant) []any {
	return append(to, joined(p, relational.SearchText), joined(p, relational.CustomText))
}

func joined(p *registry.Participant, values func(*registry.Participant, func(string))) string {
	var b strings.Builder
	values(p, func(value string) {
		if value != "" {
			b.WriteString(registry.Fold(value))
			b.WriteString(searchSeparator)
		}
	})
	return b.String()
}

// Inner implements relational.Dialect: texts are kept as they are.
func (dialect) Inner(text string) string { return text }

// Outer implements relational.Dialect.
func (dialect) Outer(text string) string { return text }
