package registry

import (
	"bytes"
	"strings"
	"testing"
)

// newCodeBook makes a code book whose key is n repeated.
func newCodeBook(tb testing.TB, n byte) *CodeBook {
	tb.Helper()
	book, err := NewCodeBook(bytes.Repeat([]byte{n}, CodeKeySize))
	if err != nil {
		tb.Fatal(err)
	}
	return book
}

func TestAccessCodes(t *testing.T) {
	t.Parallel()
	const confusing = "015loIOS"
	if len(accessCodeAlphabet) != 54 || strings.ContainsAny(accessCodeAlphabet, confusing) {
		t.Fatalf("alphabet %q has %d characters, want 54 and none of %s", accessCodeAlphabet, len(accessCodeAlphabet), confusing)
	}
	book := newCodeBook(t, 1)
	const draws = 6000 // 54,000 characters: 1,000 of each in the mean, 31 the standard deviation
	count := map[rune]int{}
	seen := map[string]bool{}
	prints := map[Fingerprint]bool{}
	for _, fresh := range book.Draw(draws) {
		code, err := book.Open(fresh.Sealed)
		if err != nil {
			t.Fatal(err)
		}
		if len(code) != 9 || strings.Trim(code, accessCodeAlphabet) != "" {
			t.Fatalf("drew %q, want 9 characters of the alphabet", code)
		}
		if bytes.Contains(fresh.Sealed, []byte(code)) {
			t.Fatal("a sealed code shows the code")
		}
		seen[code], prints[fresh.Fingerprint] = true, true
		for _, r := range code {
			count[r]++
		}
	}
	if len(seen) != draws || len(prints) != draws {
		t.Errorf("%d codes and %d fingerprints of %d draws", len(seen), len(prints), draws)
	}
	// A byte modulo 54 would give the first 40 characters a quarter more than the others: 1,055
	// and 844. Eight standard deviations leave room for chance alone.
	early, late := 0, 0
	for i, r := range accessCodeAlphabet {
		if n := count[r]; n < 750 || n > 1250 {
			t.Errorf("%q comes %d times, want about 1,000", r, n)
		}
		if i < 40 {
			early += count[r]
		} else {
			late += count[r]
		}
	}
	if late < 14000-8*102 || late > 14000+8*102 {
		t.Errorf("the last 14 characters come %d times, the others %d; want 14,000 to 40,000", late, early)
	}
}

func TestSealing(t *testing.T) {
	t.Parallel()
	book, other := newCodeBook(t, 1), newCodeBook(t, 2)
	a, b := book.sealed("a2b3c4d6e"), book.sealed("a2b3c4d6e")
	if bytes.Equal(a.Sealed, b.Sealed) {
		t.Error("sealed twice the same: the nonce does not change")
	}
	if a.Fingerprint != b.Fingerprint || a.Fingerprint != newCodeBook(t, 1).sealed("a2b3c4d6e").Fingerprint {
		t.Error("the fingerprint of a code changes")
	}
	if a.Fingerprint == other.sealed("a2b3c4d6e").Fingerprint {
		t.Error("the fingerprint does not depend on the key")
	}
	if a.Fingerprint == book.sealed("a2b3c4d6E").Fingerprint {
		t.Error("the fingerprint does not depend on the code")
	}
	if code, err := book.Open(a.Sealed); err != nil || code != "a2b3c4d6e" {
		t.Errorf("opened %q, %v", code, err)
	}
	if code, err := book.Open(nil); err != nil || code != "" {
		t.Errorf("a nil code is %q, %v; want none", code, err)
	}
	damaged := bytes.Clone(a.Sealed)
	damaged[len(damaged)-1] ^= 1
	for name, open := range map[string]func() (string, error){
		"another key": func() (string, error) { return other.Open(a.Sealed) },
		"damaged":     func() (string, error) { return book.Open(damaged) },
		"too short":   func() (string, error) { return book.Open(a.Sealed[:5]) },
		"empty":       func() (string, error) { return book.Open(SealedCode{}) },
	} {
		if code, err := open(); err == nil || code != "" {
			t.Errorf("%s: opened %q, %v; want an error", name, code, err)
		}
	}
}

func TestCodeBookKeySize(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 32, 63, 65} {
		if book, err := NewCodeBook(make([]byte, size)); err == nil || book != nil {
			t.Errorf("a key of %d bytes works", size)
		}
	}
}
