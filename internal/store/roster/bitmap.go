package roster

import "math/bits"

// bitmap is a set of rows or of codes, a bit each. All bitmaps of a roster's rows have the
// length of its rows; a bit beyond the last row is never set.
type bitmap []uint64

// bitmapFor is an empty set of numbers below n.
func bitmapFor(n int) bitmap { return make(bitmap, (n+63)/64) }

// grown is the set with room for numbers below n.
func (b bitmap) grown(n int) bitmap {
	for need := (n + 63) / 64; len(b) < need; {
		b = append(b, 0)
	}
	return b
}

func (b bitmap) has(i uint32) bool {
	word := int(i >> 6)
	return word < len(b) && b[word]>>(i&63)&1 != 0
}

func (b bitmap) put(i uint32, in bool) {
	if in {
		b[i>>6] |= 1 << (i & 63)
	} else {
		b[i>>6] &^= 1 << (i & 63)
	}
}

func (b bitmap) count() int {
	n := 0
	for _, word := range b {
		n += bits.OnesCount64(word)
	}
	return n
}

// and keeps what is in the other set too.
func (b bitmap) and(other bitmap) {
	for i := range b {
		if i < len(other) {
			b[i] &= other[i]
		} else {
			b[i] = 0
		}
	}
}

// fill puts all numbers from first on, below n, into the set.
func (b bitmap) fill(first, n int) {
	for i := first; i < n; {
		if i&63 == 0 && i+64 <= n {
			b[i>>6] = ^uint64(0)
			i += 64
			continue
		}
		b.put(uint32(i), true) //nolint:gosec // rows are counted in 32 bits
		i++
	}
}

// ascending appends up to limit numbers of the set in order, after skipping some.
func (b bitmap) ascending(to []uint32, skip, limit int) []uint32 {
	for i, word := range b {
		if n := bits.OnesCount64(word); n <= skip {
			skip -= n
			continue
		}
		for ; word != 0 && limit > 0; word &= word - 1 {
			if skip > 0 {
				skip--
				continue
			}
			to = append(to, uint32(i<<6+bits.TrailingZeros64(word))) //nolint:gosec // rows are counted in 32 bits
			limit--
		}
		if limit <= 0 {
			break
		}
	}
	return to
}

// descending is ascending from the other end.
func (b bitmap) descending(to []uint32, skip, limit int) []uint32 {
	for i := len(b) - 1; i >= 0 && limit > 0; i-- {
		word := b[i]
		if n := bits.OnesCount64(word); n <= skip {
			skip -= n
			continue
		}
		for word != 0 && limit > 0 {
			top := 63 - bits.LeadingZeros64(word)
			word &^= 1 << top
			if skip > 0 {
				skip--
				continue
			}
			to = append(to, uint32(i<<6+top)) //nolint:gosec // rows are counted in 32 bits
			limit--
		}
	}
	return to
}
