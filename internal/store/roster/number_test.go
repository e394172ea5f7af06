package roster

import (
	"bytes"
	"testing"
)

// TestNumberKeys: keys order as numbers do, whatever their size and notation.
func TestNumberKeys(t *testing.T) {
	t.Parallel()
	rising := [][]string{
		{"-1e999"}, {"-100", "-1e2", " -100.0"}, {"-2.55"}, {"-2.5", "-25e-1"}, {"-.5"}, {"-1e-5000"},
		{"0", "-0", "0e5", "", "x", "e5", "-", "."}, {"1e-5000"}, {".5", "0.5", "5e-1"}, {"1", "+1", "1.", "1e", "1e+", "1x"},
		{"1.5", "1.50"}, {"9"}, {"10", "010", "1e1", "1e0001"}, {"800"}, {"28e0005", "2800000"}, {"9007199254740992"}, {"9007199254740993"}, {"1e999"},
	}
	var before []byte
	for i, same := range rising {
		key := numberKey(nil, same[0])
		if i > 0 && bytes.Compare(before, key) >= 0 {
			t.Errorf("%q does not come after %q", same[0], rising[i-1][0])
		}
		for _, text := range same[1:] {
			if !bytes.Equal(numberKey(nil, text), key) {
				t.Errorf("%q is not the same number as %q", text, same[0])
			}
		}
		before = key
	}
}
