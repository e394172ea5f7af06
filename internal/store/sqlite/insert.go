package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"math/bits"
	"strings"
	"sync"

	"rollcall/internal/store/relational"
)

// rowsOfInsert is how many rows one statement inserts, as measured: more rows cost more in
// binding than they save. It is a power of two.
const rowsOfInsert = 64

// leastCommon is from how many rows on it pays to look for what they have in common. Fewer rows
// agree by chance, for which statements would be kept in vain.
const leastCommon = 16

// Insert implements relational.Transaction, in statements of several rows each. Binding a value
// costs about as much as storing it, so what all rows of a statement have in common is bound once.
func (t *transaction) Insert(
	ctx context.Context, into *relational.Insertion, count int, args func(to []any, i int) ([]any, error),
) (int64, error) {
	columns := len(into.Columns)
	values := make([]any, 0, min(count, rowsOfInsert)*columns)
	var packed []any
	var changed int64
	for done, rows := 0, rowsOfInsert; done < count; {
		for rows > count-done { // the rest in ever smaller powers of two
			rows /= 2
		}
		values = values[:0]
		for row := done; row < done+rows; row++ {
			var err error
			if values, err = args(values, row); err != nil {
				return changed, err
			}
		}
		var common columnSet
		if rows >= leastCommon {
			common = t.engine.inserts.known(into, commonColumns(values, columns))
		}
		packed = pack(packed[:0], values, columns, common)
		n, err := t.Exec(ctx, t.engine.inserts.text(into, rows, common), packed...)
		if err != nil {
			return changed, err
		}
		changed += n
		done += rows
	}
	return changed, nil
}

// columnSet is a set of columns by their numbers. What is beyond 64 is never in it.
type columnSet uint64

func (s columnSet) has(column int) bool { return s>>column&1 == 1 }

// commonColumns are the columns in which all rows have one value, but for the last: one has to be
// left to make rows of.
func commonColumns(values []any, columns int) columnSet {
	var common columnSet
	for c := range min(columns-1, 64) {
		same := true
		for i := c + columns; i < len(values) && same; i += columns {
			same = sameValue(values[c], values[i])
		}
		if same {
			common |= 1 << c
		}
	}
	return common
}

func sameValue(a, b any) bool {
	x, isBytes := a.([]byte)
	if !isBytes {
		_, isBytes = b.([]byte)
		return !isBytes && a == b
	}
	y, isBytes := b.([]byte)
	return isBytes && (x == nil) == (y == nil) && bytes.Equal(x, y)
}

// pack appends the values in the order in which [insertTexts.text] has their parameters.
func pack(to, values []any, columns int, common columnSet) []any {
	if common == 0 {
		return append(to, values...)
	}
	for c := range columns {
		if common.has(c) {
			to = append(to, values[c])
		}
	}
	for row := 0; row < len(values); row += columns {
		for c := range columns {
			if !common.has(c) {
				to = append(to, values[row+c])
			}
		}
	}
	return to
}

// insertTexts keeps the texts of statements that are made of others.
type insertTexts struct {
	mu     sync.Mutex
	kept   map[insertKey]string
	common map[*relational.Insertion][]columnSet
	plain  map[string]string
}

type insertKey struct {
	into   *relational.Insertion
	rows   int
	common columnSet
}

// maxCommon is for how many sets of common columns statements are kept for each table.
const maxCommon = 16

// known is the largest part of a set for which there is a statement, or the set itself if there
// may be one more.
func (s *insertTexts) known(into *relational.Insertion, found columnSet) columnSet {
	s.mu.Lock()
	defer s.mu.Unlock()
	var best columnSet
	for _, set := range s.common[into] {
		if set&^found == 0 && bits.OnesCount64(uint64(set)) > bits.OnesCount64(uint64(best)) {
			best = set
		}
	}
	if best != found && len(s.common[into]) < maxCommon {
		if s.common == nil {
			s.common = map[*relational.Insertion][]columnSet{}
		}
		s.common[into] = append(s.common[into], found)
		best = found
	}
	return best
}

// text is the statement that inserts so many rows. Its parameters are the values of the common
// columns, once, and then those of the other columns row by row.
func (s *insertTexts) text(into *relational.Insertion, rows int, common columnSet) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := insertKey{into, rows, common}
	text, ok := s.kept[key]
	if !ok {
		if text = plainInsert(into, rows); common != 0 {
			text = commonInsert(into, rows, common)
		}
		if s.kept == nil {
			s.kept = map[insertKey]string{}
		}
		s.kept[key] = text
	}
	return text
}

// A statement that fails halfway leaves the rows before: the transaction is undone anyway, and
// SQLite need not keep a copy of every page for undoing the statement alone. That is OR FAIL.

func plainInsert(into *relational.Insertion, rows int) string {
	return "INSERT OR FAIL INTO " + into.Table + " (" + strings.Join(into.Columns, ", ") + ") VALUES " +
		valueRows(len(into.Columns), rows) + " " + into.Suffix
}

func commonInsert(into *relational.Insertion, rows int, common columnSet) string {
	var once, each, from []string
	for c, name := range into.Columns {
		if common.has(c) {
			once = append(once, name)
		} else {
			each = append(each, name)
			from = append(from, fmt.Sprintf("column%d", len(each)))
		}
	}
	// WHERE keeps ON CONFLICT from being read as the condition of a join.
	return "INSERT OR FAIL INTO " + into.Table + " (" + strings.Join(append(once, each...), ", ") + ") SELECT " + placeholders(len(once)) + ", " +
		strings.Join(from, ", ") + " FROM (VALUES " + valueRows(len(each), rows) + ") WHERE TRUE " + into.Suffix
}

func valueRows(columns, rows int) string {
	row := "(" + placeholders(columns) + ")"
	return row + strings.Repeat(","+row, rows-1)
}
