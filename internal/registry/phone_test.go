package registry

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

func TestParsePhone(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, stored, shown string }{
		{"5557778888", "+1 5557778888", "5557778888"},
		{"(555) 777-8888", "+1 5557778888", "5557778888"},
		{"555.777.8888", "+1 5557778888", "5557778888"},
		{"+15557778888", "+1 5557778888", "5557778888"},
		{"+1 5557778888", "+1 5557778888", "5557778888"},
		{"+1 (555) 777-8888", "+1 5557778888", "5557778888"},
		{"+442079460018", "+44 2079460018", "+442079460018"},
		{"+44 20 7946 0018", "+44 2079460018", "+442079460018"},
		{"+442 079460018", "+442 079460018", "+442079460018"}, // OpenClinica's form, taken at its word
		{"+74951234567", "+7 4951234567", "+74951234567"},
		{"+358401234567", "+358 401234567", "+358401234567"},
		{"+123456789012345", "+1 23456789012345", "+123456789012345"},
		{"+12", "+1 2", "+12"},
		{"+44", "+4 4", "+44"},
		{"+999", "+99 9", "+999"},
		{"\t5557778888 ", "+1 5557778888", "5557778888"},
		{"", "", ""}, {"+", "", ""}, {"+1", "", ""}, {"555777888", "", ""}, {"15557778888", "", ""},
		{"+1234567890123456", "", ""}, {"+123 12345678901234", "", ""}, {"555x7778888", "", ""},
		{"++15557778888", "", ""}, {"5557778888+", "", ""}, {"+1/5557778888", "", ""}, {"٥٥٥٧٧٧٨٨٨٨", "", ""},
	}
	for _, test := range tests {
		stored, ok := ParsePhone(test.text)
		if stored != test.stored || ok != (test.stored != "") {
			t.Errorf("%q is stored as %q, %v; want %q", test.text, stored, ok, test.stored)
		}
		if shown := PhoneForMyDataHelps(stored); shown != test.shown {
			t.Errorf("%q is shown as %q, want %q", stored, shown, test.shown)
		}
	}
}

func TestPhoneForMyDataHelpsOfLegacyNumbers(t *testing.T) {
	t.Parallel()
	for _, digits := range []string{"5557778888", "1", "123456789012345", ""} {
		if shown := PhoneForMyDataHelps(digits); shown != digits {
			t.Errorf("%q is shown as %q, want it as it is", digits, shown)
		}
	}
}

func TestPhoneClaims(t *testing.T) {
	t.Parallel()
	tests := []struct {
		a, b string
		same bool
	}{
		{"+1 5557778888", "5557778888", true},
		{"+1 5557778888", "+15 557778888", true},
		{"+44 2079460018", "+442 079460018", true},
		{"+44 2079460018", "2079460018", false},
		{"+1 5557778888", "+1 5557778889", false},
		{"123456789", "+12 3456789", false},
	}
	for _, test := range tests {
		if got := ClaimOn(PhoneContact, test.a) == ClaimOn(PhoneContact, test.b); got != test.same {
			t.Errorf("%q and %q are the same number: %v, want %v", test.a, test.b, got, test.same)
		}
	}
	if ClaimOn(EmailContact, "x") == ClaimOn(PhoneContact, "x") {
		t.Error("an e-mail address and a phone number are the same claim")
	}
}

// A client of MyDataHelps that sends back what it was shown names the same number.
func TestPhonesThatOpenClinicaWritesComeBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		stored := rapid.StringMatching(`\+[0-9]{1,3} [0-9]{1,14}`).
			Filter(func(s string) bool { return len(s) <= OpenClinica().Limit(MobilePhone) }).Draw(t, "stored")
		shown := PhoneForMyDataHelps(stored)
		back, ok := ParsePhone(shown)
		if !ok || ClaimOn(PhoneContact, back) != ClaimOn(PhoneContact, stored) {
			t.Fatalf("%q is shown as %q, which is stored as %q, %v", stored, shown, back, ok)
		}
	})
}

func FuzzParsePhone(f *testing.F) {
	for _, seed := range []string{"5557778888", "+1 5557778888", "+44 20 7946-0018", "+1", "+12", "(", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		stored, ok := ParsePhone(text)
		if !ok {
			if stored != "" {
				t.Fatalf("%q is refused, yet %q", text, stored)
			}
			return
		}
		if form, fits := openClinicaPhoneForm(stored); !fits || form != stored || len(stored) > 17 {
			t.Fatalf("%q is stored as %q, which OpenClinica would not take", text, stored)
		}
		if again, ok := ParsePhone(stored); !ok || again != stored {
			t.Fatalf("%q is stored as %q, and that as %q", text, stored, again)
		}
	})
}

// Every country code of two digits is cut after two; every first digit is known.
func TestCountryCodes(t *testing.T) {
	t.Parallel()
	want := map[string]int{"1": 1, "7": 1, "20": 2, "21": 3, "27": 2, "33": 2, "35": 3, "38": 3, "39": 2, "42": 3, "44": 2, "50": 3, "52": 2, "67": 3, "66": 2, "80": 3, "81": 2, "85": 3, "86": 2, "96": 3, "98": 2, "99": 3, "00": 3}
	for prefix, n := range want {
		digits := fmt.Sprintf("%s55555555", prefix)
		if got := countryCode(digits); got != n {
			t.Errorf("the country code of +%s has %d digits, want %d", digits, got, n)
		}
	}
}
