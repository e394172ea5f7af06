package postgres

import (
	"fmt"
	"strings"

	"github.com/google/uuid"
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

// Joined implements relational.Dialect.
func (dialect) Joined(columns []string) string {
	return "concat_ws(chr(2), " + strings.Join(columns, ", ") + ")"
}

// Separator implements relational.Dialect: no text is kept with it, see escaped.
func (dialect) Separator() string { return separator }

// ArrayLength implements relational.Dialect.
func (dialect) ArrayLength(column string) string { return "json_array_length(" + column + "::json)" }

// Inner implements relational.Dialect: jsonb does not take NUL either.
func (dialect) Inner(text string) string { return escaped(text) }

// Outer implements relational.Dialect.
func (dialect) Outer(text string) string {
	if strings.IndexByte(text, escape) < 0 {
		return text
	}
	return unescaped(text)
}
