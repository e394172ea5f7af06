package sqlite

import (
	"context"
	"strings"
	"sync"
)

// insertion is an INSERT of any number of rows, in statements of several rows each.
type insertion struct {
	table   string
	columns []string
	suffix  string // e.g. ON CONFLICT
	most    int    // rows in one statement, a power of two

	mu    sync.Mutex
	texts map[int]string // by number of rows
}

func newInsertion(table string, columns []string, suffix string) *insertion {
	return &insertion{table: table, columns: columns, suffix: suffix, most: rowsOfInsert, texts: map[int]string{}}
}

// text is the statement for so many rows.
func (ins *insertion) text(rows int) string {
	ins.mu.Lock()
	defer ins.mu.Unlock()
	if text, ok := ins.texts[rows]; ok {
		return text
	}
	var b strings.Builder
	b.WriteString("INSERT INTO " + ins.table + " (" + strings.Join(ins.columns, ", ") + ") VALUES ")
	for row := range rows {
		if row > 0 {
			b.WriteByte(',')
		}
		b.WriteString("(" + placeholders(len(ins.columns)) + ")")
	}
	if ins.suffix != "" {
		b.WriteString(" " + ins.suffix)
	}
	ins.texts[rows] = b.String()
	return ins.texts[rows]
}

// insertAll inserts count rows, whose arguments values appends, and tells how many rows it
// changed.
func (t *tx) insertAll(ctx context.Context, ins *insertion, count int, values func(args []any, row int) ([]any, error)) (int64, error) {
	args := make([]any, 0, min(count, ins.most)*len(ins.columns))
	var changed int64
	for done, rows := 0, ins.most; done < count; {
		for rows > count-done { // the rest in ever smaller powers of two
			rows /= 2
		}
		args = args[:0]
		for row := done; row < done+rows; row++ {
			var err error
			if args, err = values(args, row); err != nil {
				return changed, err
			}
		}
		n, err := t.exec(ctx, ins.text(rows), args...)
		if err != nil {
			return changed, err
		}
		changed += n
		done += rows
	}
	return changed, nil
}
