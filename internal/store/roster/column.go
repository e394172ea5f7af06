package roster

import (
	"sync"

	"rollcall/internal/registry"
)

// maxIndexed is how many values of a column are looked up for being there already. A column
// with more values is taken for one in which nearly every row has its own.
const maxIndexed = 1 << 16

// column holds one value of each row: every value that rows have is kept once, or a few times,
// under a code, and each row has a code. Code 0 is "", and no other code is.
type column struct {
	text  []byte            // the values of all codes, one after the other; 4 GiB at most
	ends  []uint32          // where the value of each code ends in text
	index map[string]uint32 // codes by value; nil once there are too many
	codes codes
	last  uint32 // the code that was asked for last

	replaced int // rows that were given another value; what they had may be nobody's

	signing sync.Mutex // held by who brings signs up to date, which queries do
	signs   signs
}

func newColumn() *column { return &column{ends: []uint32{0}, index: map[string]uint32{}} }

// value is the value of a code. It must not be changed.
func (c *column) value(code uint32) []byte {
	if code == 0 {
		return nil
	}
	return c.text[c.ends[code-1]:c.ends[code]]
}

// of is the value of a row.
func (c *column) of(row uint32) []byte { return c.value(c.codes.get(row)) }

// put gives a row a value.
func (c *column) put(row uint32, value []byte) {
	old := c.codes.get(row)
	if len(value) == 0 {
		c.codes.set(row, 0)
	} else if string(c.value(old)) != string(value) {
		c.codes.set(row, c.code(value))
	}
	if old != 0 && c.codes.get(row) != old {
		c.replaced++
		if c.replaced > 10_000 && c.replaced > c.codes.len()/4 {
			c.renew()
		}
	}
}

// code finds or makes the code of a value.
func (c *column) code(value []byte) uint32 {
	if c.last != 0 && string(c.value(c.last)) == string(value) {
		return c.last
	}
	c.last = c.find(value)
	return c.last
}

func (c *column) find(value []byte) uint32 {
	if code, known := c.index[string(value)]; known {
		return code
	}
	code := uint32(len(c.ends)) //nolint:gosec // there are not more codes than bytes of text
	c.text = append(c.text, value...)
	c.ends = append(c.ends, uint32(len(c.text))) //nolint:gosec // see text
	if len(c.index) == maxIndexed {
		c.index = nil
	}
	if c.index != nil {
		c.index[string(value)] = code
	}
	return code
}

// renew gives out the codes anew, so that values that no row has any more are gone.
func (c *column) renew() {
	fresh := newColumn()
	for row := range uint32(c.codes.len()) { //nolint:gosec // rows are counted in 32 bits
		if value := c.of(row); len(value) > 0 {
			fresh.codes.set(row, fresh.code(value))
		}
	}
	c.text, c.ends, c.index, c.codes, c.last, c.replaced = fresh.text, fresh.ends, fresh.index, fresh.codes, 0, 0
	c.signs = signs{}
}

// equal finds the rows with a value, among so many rows.
func (c *column) equal(value string, rows int) bitmap {
	found := bitmapFor(rows)
	hit, some := bitmapFor(len(c.ends)), false
	if value == "" {
		hit.put(0, true)
		found.fill(c.codes.len(), rows)
		some = c.codes.len() > 0
	} else {
		some = c.candidates(value, func(code uint32) {
			hit.put(code, true)
		}, func(is []byte) bool { return string(is) == value })
	}
	if some {
		c.codes.mark(hit, found)
	}
	return found
}

// contains puts the rows whose value has the text in it into the set.
func (c *column) contains(text string, found bitmap) {
	var hit bitmap
	some := c.candidates(text, func(code uint32) {
		if hit == nil {
			hit = bitmapFor(len(c.ends))
		}
		hit.put(code, true)
	}, nil)
	if some {
		c.codes.mark(hit, found)
	}
}

// bytes is about how much memory the column takes.
func (c *column) bytes() int {
	const entry = 48 // of the index, beside the value
	return cap(c.text) + 4*cap(c.ends) + c.codes.bytes() + entry*len(c.index) + c.signs.bytes()
}

// fold appends the folded text.
func fold(to []byte, text string) []byte {
	for i := range len(text) {
		c := text[i]
		if c >= 0x80 {
			return append(to[:len(to)-i], registry.Fold(text)...)
		}
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		to = append(to, c)
	}
	return to
}
