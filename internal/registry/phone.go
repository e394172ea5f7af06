package registry

import "strings"

// A phone number is stored as OpenClinica writes it, "+1 5557778888": country code, one
// space, national number. OpenClinica's legacy bulk contract stores bare digits.

// phoneLimit is the greatest length of a stored phone number: "+", at most 15 digits, a space.
const phoneLimit = 17

// openClinicaPhoneForm checks the documented form: "+", 1-3 digits, one space, 1-14 digits
// (decisions, OpenClinica 4). The limit of 17 characters is the profile's.
func openClinicaPhoneForm(s string) (string, bool) {
	country, national, found := strings.Cut(strings.TrimPrefix(s, "+"), " ")
	ok := found && strings.HasPrefix(s, "+") &&
		len(country) >= 1 && len(country) <= 3 && allDigits(country) &&
		len(national) >= 1 && len(national) <= 14 && allDigits(national)
	return s, ok
}

// digitsForm checks the legacy bulk page's form: digits alone.
func digitsForm(s string) (string, bool) { return s, allDigits(s) }

// ParsePhone reads a phone number as MyDataHelps accepts it: 10 digits (of country code 1),
// "+CC..." or OpenClinica's form, with spaces, dots, dashes and parentheses ignored (decisions,
// "Both"). It answers the stored form.
func ParsePhone(s string) (string, bool) {
	s = strings.TrimSpace(s)
	if stored, ok := openClinicaPhoneForm(s); ok && len(stored) <= phoneLimit {
		return stored, true
	}
	digits := strings.Map(func(r rune) rune {
		if strings.ContainsRune(" .-()", r) {
			return -1
		}
		return r
	}, s)
	if len(digits) == 10 && allDigits(digits) {
		return "+1 " + digits, true
	}
	digits, international := strings.CutPrefix(digits, "+")
	if !international || !allDigits(digits) || len(digits) < 2 || len(digits) > 15 {
		return "", false
	}
	country := min(countryCode(digits), len(digits)-1)
	return "+" + digits[:country] + " " + digits[country:], true
}

// PhoneForMyDataHelps writes a stored phone number as MyDataHelps does: 10 digits for country
// code 1, else "+CC..." without a space.
func PhoneForMyDataHelps(stored string) string {
	country, national, found := strings.Cut(stored, " ")
	if !found {
		return stored
	}
	if country == "+1" && len(national) == 10 {
		return national
	}
	return country + national
}

// phoneKey is what makes two stored phone numbers the same number.
func phoneKey(stored string) string {
	if len(stored) == 10 && allDigits(stored) {
		return "+1" + stored
	}
	return strings.ReplaceAll(stored, " ", "")
}

// countryCode is how many of the leading digits of an international number are its country
// code, by the ITU's list: zones 1 and 7 have one digit, the pairs below two, all else three.
func countryCode(digits string) int {
	const twoDigits = "20 27 28 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 " +
		"60 61 62 63 64 65 66 81 82 83 84 86 89 90 91 92 93 94 95 98 "
	switch {
	case digits[0] == '1' || digits[0] == '7':
		return 1
	case strings.Contains(twoDigits, digits[:2]+" "):
		return 2
	default:
		return 3
	}
}

func allDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}
