package roster

import "math"

// codes are a number for each row, as narrow as the greatest of them allows. A row beyond the
// last one that was set has code 0.
type codes struct {
	narrow []uint8
	middle []uint16
	wide   []uint32
}

// code is the width of a row's number.
type code interface{ uint8 | uint16 | uint32 }

func (c *codes) len() int { return max(len(c.narrow), len(c.middle), len(c.wide)) }

func (c *codes) bytes() int { return cap(c.narrow) + 2*cap(c.middle) + 4*cap(c.wide) }

func (c *codes) get(row uint32) uint32 {
	i := int(row)
	switch {
	case i < len(c.narrow):
		return uint32(c.narrow[i])
	case i < len(c.middle):
		return uint32(c.middle[i])
	case i < len(c.wide):
		return c.wide[i]
	}
	return 0
}

func (c *codes) set(row, to uint32) {
	if to == 0 && int(row) >= c.len() {
		return
	}
	switch {
	case c.wide != nil || to > math.MaxUint16:
		if c.wide == nil {
			c.wide = widened[uint32](widened[uint32](nil, c.narrow), c.middle)
			c.narrow, c.middle = nil, nil
		}
		c.wide = setCode(c.wide, row, to)
	case c.middle != nil || to > math.MaxUint8:
		if c.middle == nil {
			c.middle, c.narrow = widened[uint16](nil, c.narrow), nil
		}
		c.middle = setCode(c.middle, row, uint16(to)) //nolint:gosec // it was compared
	default:
		c.narrow = setCode(c.narrow, row, uint8(to)) //nolint:gosec // it was compared
	}
}

// widened appends the numbers to ones that are as wide or wider.
func widened[To, From code](to []To, from []From) []To {
	if len(from) == 0 {
		return to
	}
	to = make([]To, 0, cap(from))
	for _, v := range from {
		to = append(to, To(v)) //nolint:gosec // to wider ones only
	}
	return to
}

func setCode[T code](all []T, row uint32, to T) []T {
	for int(row) >= len(all) {
		all = append(all, 0)
	}
	all[row] = to
	return all
}

// mark puts the rows whose code is in hit into the set.
func (c *codes) mark(hit, rows bitmap) {
	markRows(c.narrow, hit, rows)
	markRows(c.middle, hit, rows)
	markRows(c.wide, hit, rows)
}

// markRows gathers 64 rows at a time, without a branch for any of them. Hit has a bit for every
// code.
func markRows[T code](all []T, hit, rows bitmap) {
	for first := 0; first < len(all); first += 64 {
		var word uint64
		for i, v := range all[first:min(first+64, len(all))] {
			word |= (hit[v>>6] >> (v & 63) & 1) << i
		}
		rows[first>>6] |= word
	}
}
