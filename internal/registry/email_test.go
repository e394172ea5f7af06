package registry

import (
	"regexp"
	"testing"
)

// emailPattern is the original's (reference, OpenClinica 1, Regexes).
var emailPattern = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*" +
	"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?\\.)+[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$")

// alphabet is what the addresses of the test are made of: each kind of character that the pattern
// tells apart.
const alphabet = "a0.@-! \n\xffé"

// TestEmailFormIsThePattern tries every text of up to six characters.
func TestEmailFormIsThePattern(t *testing.T) {
	t.Parallel()
	letters := []rune(alphabet)
	var try func(text string, more int)
	accepted := 0
	try = func(text string, more int) {
		_, got := emailForm(text)
		if want := emailPattern.MatchString(text); got != want {
			t.Errorf("%q is accepted: %v, want %v", text, got, want)
		}
		if got {
			accepted++
		}
		if more == 0 || t.Failed() {
			return
		}
		for _, r := range letters {
			try(text+string(r), more-1)
		}
	}
	try("", 6)
	for _, text := range []string{"a@b.c", "Anneliese.7@example.org", "a.b!#$%&'*+/=?^_`{|}~-c@x-y.z0"} {
		try(text, 0)
	}
	if accepted < 3 {
		t.Errorf("%d texts were accepted", accepted)
	}
}

func FuzzEmailForm(f *testing.F) {
	f.Add("a.b@c-d.e")
	f.Fuzz(func(t *testing.T, text string) {
		if _, got := emailForm(text); got != emailPattern.MatchString(text) {
			t.Errorf("%q is accepted: %v", text, got)
		}
	})
}
