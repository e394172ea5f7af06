package roster

import (
	"bytes"
	"slices"
	"sort"
)

// order is every row of a roster, ordered by one column. Rows without a value come last; rows
// with the same value, in the order of creation.
type order struct {
	column *column
	number bool // values are ordered as numbers

	rows   []uint32
	valued int // how many of rows have a value
}

// key is what a code is ordered by.
func (o *order) key(code uint32) []byte {
	if o.number && code != 0 {
		return numberKey(nil, string(o.column.value(code)))
	}
	return o.column.value(code)
}

// build orders rows anew: the values first, then the rows by counting.
func (o *order) build(present bitmap, rows int) {
	ranks := o.ranks()
	starts := make([]uint32, len(ranks)+1) // by rank: how many rows come before; rank 0 is "", which is last
	each(present, rows, func(row uint32) { starts[ranks[o.column.codes.get(row)]]++ })
	without := starts[0]
	at := uint32(0)
	for rank := 1; rank < len(starts); rank++ {
		starts[rank], at = at, at+starts[rank]
	}
	starts[0] = at
	o.valued = int(at)
	o.rows = make([]uint32, at+without)
	each(present, rows, func(row uint32) {
		rank := ranks[o.column.codes.get(row)]
		o.rows[starts[rank]] = row
		starts[rank]++
	})
}

// ranks are the places of codes among the values; codes with one value have one rank.
func (o *order) ranks() []uint32 {
	list, key := sorted(len(o.column.ends), o.key, o.number)
	ranks := make([]uint32, len(o.column.ends))
	rank := uint32(0)
	for i, s := range list {
		if i == 0 || !bytes.Equal(key(list[i-1].code), key(s.code)) {
			rank++
		}
		ranks[s.code] = rank
	}
	return ranks
}

// each calls with every row of the set, in order.
func each(set bitmap, rows int, with func(row uint32)) {
	for row := range uint32(rows) { //nolint:gosec // rows are counted in 32 bits
		if set.has(row) {
			with(row)
		}
	}
}

// compare compares two rows that have a value by it, then by creation.
func (o *order) compare(a, b uint32) int {
	if o.same(a, b) {
		return int(a) - int(b)
	}
	return bytes.Compare(o.key(o.column.codes.get(a)), o.key(o.column.codes.get(b)))
}

// same tells whether two rows have the same value.
func (o *order) same(a, b uint32) bool {
	x, y := o.column.codes.get(a), o.column.codes.get(b)
	return x == y || bytes.Equal(o.key(x), o.key(y))
}

// follow moves the rows that have changed, or are new or gone, to where they belong.
func (o *order) follow(changed []uint32, present bitmap, rows int) {
	moved := bitmapFor(rows)
	var with, without []uint32
	for _, row := range changed {
		if moved.has(row) {
			continue
		}
		moved.put(row, true)
		switch {
		case !present.has(row):
		case o.column.codes.get(row) == 0:
			without = append(without, row)
		default:
			with = append(with, row)
		}
	}
	slices.SortFunc(with, o.compare)
	slices.Sort(without)
	stayed := func(row uint32) bool { return !moved.has(row) }
	old := make([]uint32, 0, len(o.rows)+len(changed))
	old = merge(old, o.rows[:o.valued], with, stayed, o.compare)
	valued := len(old)
	old = merge(old, o.rows[o.valued:], without, stayed, func(a, b uint32) int { return int(a) - int(b) })
	o.rows, o.valued = old, valued
}

// merge appends the rows that stayed and the added ones, both ordered, in one order.
func merge(to, rows, added []uint32, stayed func(uint32) bool, compare func(a, b uint32) int) []uint32 {
	rows = slices.DeleteFunc(rows, func(row uint32) bool { return !stayed(row) })
	for _, row := range added {
		n := sort.Search(len(rows), func(i int) bool { return compare(rows[i], row) > 0 })
		to = append(append(to, rows[:n]...), row)
		rows = rows[n:]
	}
	return append(to, rows...)
}

// page appends up to limit rows of the order, after skipping some; only those of the set count,
// or all if it is nil.
func (o *order) page(to []uint32, among bitmap, descending bool, skip, limit int) []uint32 {
	p := pager{among: among, skip: skip, limit: limit, rows: to}
	if !descending {
		p.take(o.rows)
		return p.rows
	}
	for end := o.valued; end > 0 && p.limit > 0; {
		if among == nil && p.skip > 0 { // leap to the value at which the page begins
			if end = o.leap(end, &p); end == 0 {
				break
			}
		}
		start := o.start(end - 1)
		p.take(o.rows[start:end])
		end = start
	}
	p.take(o.rows[o.valued:])
	return p.rows
}

// leap skips whole values from the end on, and answers where those end at which the page begins.
func (o *order) leap(end int, p *pager) int {
	if p.skip >= end {
		p.skip -= end
		return 0
	}
	at := end - 1 - p.skip // has the value that begins the page
	last := at + sort.Search(end-at-1, func(i int) bool { return !o.same(o.rows[at], o.rows[at+1+i]) })
	p.skip -= end - 1 - last
	return last + 1
}

// start is where the value of the row at a place begins.
func (o *order) start(at int) int {
	step := 1
	for at-step >= 0 && o.same(o.rows[at-step], o.rows[at]) {
		step *= 2
	}
	low := max(at-step, -1) + 1 // all from at-step/2 on have the value, what is before low has not
	return low + sort.Search(at-low, func(i int) bool { return o.same(o.rows[low+i], o.rows[at]) })
}

// pager takes what belongs to a page.
type pager struct {
	among       bitmap
	skip, limit int
	rows        []uint32
}

func (p *pager) take(rows []uint32) {
	if p.among == nil {
		n := min(p.skip, len(rows))
		p.skip -= n
		rows = rows[n:]
		rows = rows[:min(p.limit, len(rows))]
		p.limit -= len(rows)
		p.rows = append(p.rows, rows...)
		return
	}
	for _, row := range rows {
		switch {
		case p.limit == 0:
			return
		case !p.among.has(row):
		case p.skip > 0:
			p.skip--
		default:
			p.rows = append(p.rows, row)
			p.limit--
		}
	}
}
