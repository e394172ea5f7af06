package postgres

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"rollcall/internal/registry"
	"rollcall/internal/store/relational"
)

// dialect implements relational.Dialect.
type dialect struct{}

// Clock implements relational.Dialect.
func (dialect) Clock() string { return "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint" }

// In implements relational.Dialect: one array holds all values.
func (dialect) In(column string, first int, values []any, fn func(condition string, args []any) error) error {
	if len(values) == 0 {
		return nil
	}
	return fn(fmt.Sprintf("%s = ANY($%d)", column, first), []any{array(values)})
}

// array makes a typed slice of values, which are all of one type.
func array(values []any) any {
	switch values[0].(type) {
	case string:
		texts := make([]string, len(values))
		for i, v := range values {
			texts[i] = escaped(v.(string))
		}
		return texts
	case uuid.UUID:
		ids := make([][16]byte, len(values))
		for i, v := range values {
			ids[i] = v.(uuid.UUID)
		}
		return ids
	case []byte:
		list := make([][]byte, len(values))
		for i, v := range values {
			list[i] = v.([]byte)
		}
		return list
	default:
		numbers := make([]int64, len(values))
		for i, v := range values {
			numbers[i] = v.(int64)
		}
		return numbers
	}
}

// likeSpecials are characters that LIKE gives a meaning.
var likeSpecials = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`)

// Contains implements relational.Dialect; LIKE is what an index of trigrams helps.
func (dialect) Contains(column, text string, bind func(any) string) string {
	return column + " LIKE " + bind("%"+likeSpecials.Replace(text)+"%")
}

// Folded implements relational.Dialect. Lower folds ASCII alone, being told to compare bytes;
// what it cannot fold is kept in folds.
func (dialect) Folded(text, key string, bind func(any) string) string {
	return fmt.Sprintf(`CASE WHEN %[1]s IS NULL THEN NULL ELSE coalesce(p.folds ->> %[2]s, lower(%[1]s COLLATE "C")) END COLLATE "C"`, text, bind(key)+"::text")
}

// CustomValue implements relational.Dialect.
func (dialect) CustomValue(name string, bind func(any) string) string {
	return "(nullif(p.custom, '')::jsonb ->> " + bind(name) + "::text)"
}

// Number implements relational.Dialect. A text that is no number counts as what begins it, or
// as 0.
func (dialect) Number(text string) string {
	return fmt.Sprintf(`CASE WHEN %[1]s IS NULL THEN NULL ELSE
		coalesce(substring(%[1]s FROM '^\s*([-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?)')::numeric, 0) END`, text)
}

// ArrayLength implements relational.Dialect.
func (dialect) ArrayLength(column string) string { return "json_array_length(" + column + "::json)" }

// SearchColumns implements relational.Dialect.
func (dialect) SearchColumns() []string { return []string{"search_text", "custom_text", "folds"} }

// SearchValues implements relational.Dialect.
func (d dialect) SearchValues(to []any, p *registry.Participant) []any {
	return append(to, joined(p, relational.SearchText), joined(p, relational.CustomText), d.folds(p))
}

// searchable is a text that is escaped already.
type searchable string

func joined(p *registry.Participant, values func(*registry.Participant, func(string))) searchable {
	var b strings.Builder
	values(p, func(value string) {
		if value != "" {
			b.WriteString(escaped(registry.Fold(value)))
			b.WriteString(separator)
		}
	})
	return searchable(b.String())
}

// folds are the folds of values that lower does not fold as registry.Fold does; nil for none,
// as nearly always.
func (d dialect) folds(p *registry.Participant) any {
	var kept map[string]string
	keep := func(key, value string) {
		for i := range len(value) {
			if value[i] >= 0x80 {
				if kept == nil {
					kept = map[string]string{}
				}
				kept[key] = d.Inner(registry.Fold(value))
				return
			}
		}
	}
	for f, value := range p.Details {
		keep(relational.DetailKey(registry.Field(f)), value)
	}
	for name, value := range p.Custom {
		keep(d.Inner(relational.CustomKey(name)), value)
	}
	if kept == nil {
		return nil
	}
	text, err := json.Marshal(kept)
	if err != nil { // texts can always be encoded
		panic(fmt.Sprintf("encode folds: %T", err))
	}
	return text
}

// Inner implements relational.Dialect: jsonb does not take NUL either.
func (dialect) Inner(text string) string { return escaped(text) }

// Outer implements relational.Dialect.
func (dialect) Outer(text string) string {
	if strings.IndexByte(text, escape) < 0 {
		return text
	}
	return unescaped(text)
}
