package roster

import "slices"

// sorting is a code on its way to its place: with seven bytes of its key from some byte on, and
// in the last byte how many there are from there on, 8 for more than seven.
type sorting struct {
	chunk uint64
	code  uint32
}

const (
	chunkBytes = 7
	more       = chunkBytes + 1
)

func chunkOf(key []byte, from int) uint64 {
	key = key[min(from, len(key)):]
	var chunk uint64
	for i := range chunkBytes {
		chunk <<= 8
		if i < len(key) {
			chunk |= uint64(key[i])
		}
	}
	return chunk<<8 | uint64(min(len(key), more))
}

// sorted orders the codes from 1 on, below n, by their keys. It looks at each key a few bytes at
// a time, in turns, rather than comparing each with many others: keys lie scattered in memory.
// It also answers the function that answers keys, which remembers those that are dear to make.
func sorted(n int, key func(code uint32) []byte, dear bool) ([]sorting, func(code uint32) []byte) {
	if dear {
		made := make([][]byte, n)
		for code := 1; code < n; code++ {
			made[code] = key(uint32(code)) //nolint:gosec // codes are counted in 32 bits
		}
		key = func(code uint32) []byte { return made[code] }
	}
	list := make([]sorting, 0, max(n-1, 0))
	for code := 1; code < n; code++ {
		list = append(list, sorting{code: uint32(code)}) //nolint:gosec // codes are counted in 32 bits
	}
	sortFrom(list, key, 0)
	return list, key
}

// sortFrom orders codes whose keys are the same up to a byte.
func sortFrom(list []sorting, key func(code uint32) []byte, from int) {
	for i := range list {
		list[i].chunk = chunkOf(key(list[i].code), from)
	}
	slices.SortFunc(list, func(a, b sorting) int {
		switch {
		case a.chunk < b.chunk:
			return -1
		case a.chunk > b.chunk:
			return 1
		}
		return 0
	})
	for start := 0; start < len(list); {
		end := start + 1
		for end < len(list) && list[end].chunk == list[start].chunk {
			end++
		}
		if end-start > 1 && list[start].chunk&0xff == more {
			sortFrom(list[start:end], key, from+chunkBytes)
		}
		start = end
	}
}
