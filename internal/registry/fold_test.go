package registry

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestFold(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		same bool
	}{
		{"JUNO-1", "juno-1", true},
		{"ſ", "S", true},
		{"\u212a", "k", true}, // Kelvin sign
		{"\u212b", "å", true}, // Angstrom sign
		{"Σας", "ΣΑΣ", true},
		{"Ǆ", "ǅ", true},
		{"ẞ", "ß", true},
		{"ß", "ss", false},
		{"İ", "i", false},
		{"ı", "I", false},
		{"é", "e\u0301", false},
		{"a", "a ", false},
		{"", "", true},
	}
	for _, test := range tests {
		if got := Fold(test.a) == Fold(test.b); got != test.same {
			t.Errorf("%q and %q are the same: %v, want %v", test.a, test.b, got, test.same)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.StringMatching("[aBkKſ\u212a]{0,3}"), rapid.String(), rapid.Just("a\xff"), rapid.Just("A\xfe"))
		a, b := text.Draw(t, "a"), text.Draw(t, "b")
		if got, want := SameFold(a, b), Fold(a) == Fold(b); got != want {
			t.Errorf("SameFold(%q, %q) = %t, want %t", a, b, got, want)
		}
	})
	if got := Fold("ÉCOLE-\u212a"); got != "école-k" {
		t.Errorf("folded %q, want lower case", got)
	}
}

// Each orbit of Unicode's simple folding has one key, and no two orbits share one.
func TestFoldOfEveryRune(t *testing.T) {
	t.Parallel()
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		key := foldRune(r)
		if foldRune(key) != key {
			t.Fatalf("%U folds to %U, and that to %U", r, key, foldRune(key))
		}
		if next := unicode.SimpleFold(r); foldRune(next) != key {
			t.Fatalf("%U folds to %U, its fellow %U to %U", r, key, next, foldRune(next))
		}
		if !strings.EqualFold(string(r), string(key)) {
			t.Fatalf("%U folds to %U, which is another letter", r, key)
		}
	}
}

func TestFoldIsEqualFold(t *testing.T) {
	t.Parallel()
	letters := rapid.StringOf(rapid.SampledFrom([]rune("aAsSſkK\u212aßẞσςΣéÉİıIi-")))
	rapid.Check(t, func(t *rapid.T) {
		a, b := letters.Draw(t, "a"), rapid.OneOf(letters, rapid.String()).Draw(t, "b")
		for _, other := range []string{b, strings.ToUpper(a), strings.ToLower(a)} {
			if got, want := Fold(a) == Fold(other), strings.EqualFold(a, other); got != want {
				t.Fatalf("%q and %q are the same: %v, want %v", a, other, got, want)
			}
		}
	})
}

// TestKeysCanBeIndexed: no profile lets in what an engine could not index.
func TestKeysCanBeIndexed(t *testing.T) {
	t.Parallel()
	for _, p := range []*Profile{OpenClinica(), OpenClinicaLegacy(), MyDataHelps(), Staff()} {
		for what, limit := range map[string]int{"identifier": p.identifierLimit, "email": p.limits[Email], "phone": p.limits[MobilePhone]} {
			if limit*utf8.UTFMax+len("SS_") > MaxKeyBytes {
				t.Errorf("%s: an %s of %d characters may take more than %d bytes", p.Name, what, limit, MaxKeyBytes)
			}
		}
	}
}
