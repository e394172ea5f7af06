package roster

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// numberKey appends a key of the number that a text is, such that keys order as numbers do,
// whatever their size and notation. A text that is no number counts as what begins it, or as 0.
func numberKey(to []byte, text string) []byte {
	negative, digits, exponent := decimal(text)
	const (
		below, zero, above = 0x00, 0x80, 0xff
		bias               = 1 << 30
	)
	if digits == "" {
		return append(to, zero)
	}
	scale := uint32(exponent + bias) //nolint:gosec // texts are far shorter than the bias
	if !negative {
		return append(binary.BigEndian.AppendUint32(append(to, above), scale), digits...)
	}
	to = binary.BigEndian.AppendUint32(append(to, below), ^scale)
	for i := range len(digits) {
		to = append(to, ^digits[i])
	}
	return append(to, 0xff) // what goes on is further below 0
}

// decimal reads a number as 0.digits times ten to the exponent. Digits neither begin nor end
// with 0; there are none if the number is 0.
func decimal(text string) (negative bool, digits string, exponent int) {
	text = strings.TrimLeft(text, " \t\n\v\f\r")
	if text != "" && (text[0] == '-' || text[0] == '+') {
		negative = text[0] == '-'
		text = text[1:]
	}
	whole, text := leadingDigits(text)
	fraction := ""
	if strings.HasPrefix(text, ".") {
		fraction, text = leadingDigits(text[1:])
	}
	if whole == "" && fraction == "" {
		return false, "", 0
	}
	exponent = len(whole) + powerOfTen(text)
	digits = strings.TrimRight(whole+fraction, "0")
	significant := strings.TrimLeft(digits, "0")
	return negative, significant, exponent - (len(digits) - len(significant))
}

// leadingDigits cuts a text after the digits that begin it.
func leadingDigits(text string) (digits, rest string) {
	i := 0
	for i < len(text) && '0' <= text[i] && text[i] <= '9' {
		i++
	}
	return text[:i], text[i:]
}

// powerOfTen reads an exponent of up to three digits, as in e-12; 0 if there is none.
func powerOfTen(text string) int {
	if text == "" || (text[0] != 'e' && text[0] != 'E') {
		return 0
	}
	text = text[1:]
	sign := ""
	if text != "" && (text[0] == '-' || text[0] == '+') {
		sign, text = text[:1], text[1:]
	}
	digits, _ := leadingDigits(text)
	power, err := strconv.Atoi(sign + digits[:min(len(digits), 3)])
	if err != nil {
		return 0
	}
	return power
}
