package roster

import (
	"bytes"
	"math/bits"
)

// A column's values are looked through in blocks. Signs tell which blocks cannot hold a text:
// each three and each four characters in a row that a block's values have set one of its bits.
const (
	blockValues = 256             // values in a block
	tileBlocks  = 64              // blocks whose bits stand side by side, in a word
	signBits    = 8192            // bits of a block
	fewValues   = 8 * blockValues // that many are looked through without signs
)

// signs are the bits of whole blocks, by tiles; the rest of a column has none.
type signs struct {
	tiles  []*[signBits]uint64
	blocks int // with signs
}

func (s *signs) bytes() int { return len(s.tiles) * signBits * 8 }

// hashes calls with the number of the bit of each run of characters. Bytes stand for
// characters: what has the same characters has the same bytes.
func hashes(text []byte, with func(bit uint32)) {
	const odd = 2_654_435_761
	for i := 0; i+3 <= len(text); i++ {
		three := uint32(text[i]) | uint32(text[i+1])<<8 | uint32(text[i+2])<<16
		with(three * odd >> (32 - 13))
		if i+4 <= len(text) {
			four := three | uint32(text[i+3])<<24
			with((four ^ four>>15) * 0x85ebca6b >> (32 - 13))
		}
	}
}

// sign brings the signs up to the column's last whole block.
func (c *column) sign() {
	c.signing.Lock()
	defer c.signing.Unlock()
	s := &c.signs
	for (s.blocks+1)*blockValues < len(c.ends) {
		if s.blocks%tileBlocks == 0 {
			s.tiles = append(s.tiles, new([signBits]uint64))
		}
		tile, bit := s.tiles[s.blocks/tileBlocks], uint64(1)<<(s.blocks%tileBlocks)
		first := uint32(s.blocks * blockValues) //nolint:gosec // codes are counted in 32 bits
		for code := first; code < first+blockValues; code++ {
			hashes(c.value(code), func(n uint32) { tile[n] |= bit })
		}
		s.blocks++
	}
}

// candidates calls with every code whose value has the text in it and for which is, if it is not
// nil, is true. It tells whether there was one. Text is not "".
func (c *column) candidates(text string, with func(code uint32), is func(value []byte) bool) bool {
	wanted, some := []byte(text), false
	look := func(first, end uint32) {
		c.within(wanted, first, end, func(code uint32) {
			if is == nil || is(c.value(code)) {
				with(code)
				some = true
			}
		})
	}
	count := uint32(len(c.ends)) //nolint:gosec // codes are counted in 32 bits
	if count < fewValues || len(wanted) < 3 {
		look(1, count)
		return some
	}
	c.sign()
	var probes []uint32
	hashes(wanted, func(bit uint32) { probes = append(probes, bit) })
	for i, tile := range c.signs.tiles {
		word := ^uint64(0)
		for _, bit := range probes {
			word &= tile[bit]
		}
		for ; word != 0; word &= word - 1 {
			first := uint32((i*tileBlocks + bits.TrailingZeros64(word)) * blockValues) //nolint:gosec // see count
			look(max(first, 1), first+blockValues)
		}
	}
	look(max(uint32(c.signs.blocks*blockValues), 1), count) //nolint:gosec // see count
	return some
}

// within calls with each code from first on, below end, whose value has the text in it. The
// values are searched as one text; what is found across two of them does not count.
func (c *column) within(text []byte, first, end uint32, with func(code uint32)) {
	if first >= end {
		return
	}
	at, stop := c.ends[first-1], c.ends[end-1]
	for code := first; ; {
		i := bytes.Index(c.text[at:stop], text)
		if i < 0 {
			return
		}
		at += uint32(i) //nolint:gosec // see column.text
		for c.ends[code] <= at {
			code++
		}
		if at+uint32(len(text)) <= c.ends[code] { //nolint:gosec // a text is far shorter than 4 GiB
			with(code)
			at = c.ends[code]
			code++
			if code >= end {
				return
			}
		} else {
			at++
		}
	}
}
