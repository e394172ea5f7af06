package sqlite

import "strings"

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

// Joined implements relational.Dialect.
func (dialect) Joined(columns []string) string {
	return "concat_ws(CAST(x'ff' AS TEXT), " + strings.Join(columns, ", ") + ")"
}

// Separator implements relational.Dialect: no text in UTF-8 holds that byte.
func (dialect) Separator() string { return "\xff" }

// ArrayLength implements relational.Dialect.
func (dialect) ArrayLength(column string) string { return "json_array_length(" + column + ")" }

// Inner implements relational.Dialect: texts are kept as they are.
func (dialect) Inner(text string) string { return text }

// Outer implements relational.Dialect.
func (dialect) Outer(text string) string { return text }
