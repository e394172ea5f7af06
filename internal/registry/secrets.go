package registry

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
)

// accessCodeAlphabet holds the characters of an access code: OpenClinica's, which leaves out
// 0 1 5 l o I O S because people misread them (reference, OpenClinica 1, register=y).
const accessCodeAlphabet = "2346789aAbBcCdDeEfFgGhHijJkKLmMnNpPqQrRstTuUvVwWxXyYzZ"

// accessCodeLength is how many characters an access code has.
const accessCodeLength = 9

// SealedCode is an access code encrypted with the server's key. Only [CodeBook.Open] reads it,
// so that no log line, query or database reader meets the code by accident.
type SealedCode []byte

// Fingerprint is a keyed hash of an access code: it finds a code that is taken without
// revealing it.
type Fingerprint [16]byte

// FreshCode is a newly drawn access code.
type FreshCode struct {
	Sealed      SealedCode
	Fingerprint Fingerprint
}

// CodeBook draws, seals and opens access codes with the server's key.
type CodeBook struct {
	seal cipher.AEAD
	mac  []byte
}

// CodeKeySize is the length in bytes of the key that [NewCodeBook] takes.
const CodeKeySize = 64

// NewCodeBook makes a code book of the server's key.
func NewCodeBook(key []byte) (*CodeBook, error) {
	if len(key) != CodeKeySize {
		return nil, fmt.Errorf("access code key: %d bytes, want %d", len(key), CodeKeySize)
	}
	block, err := aes.NewCipher(key[:32])
	if err != nil {
		return nil, fmt.Errorf("access code key: %w", err)
	}
	seal, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("access code key: %w", err)
	}
	return &CodeBook{seal: seal, mac: key[32:]}, nil
}

// Draw draws n codes from the operating system's random source. They are not yet known to be
// unused.
func (b *CodeBook) Draw(n int) []FreshCode {
	fresh := make([]FreshCode, n)
	for i := range fresh {
		fresh[i] = b.sealed(drawCode())
	}
	return fresh
}

func (b *CodeBook) sealed(code string) FreshCode {
	mac := hmac.New(sha256.New, b.mac)
	mac.Write([]byte(code))
	return FreshCode{
		Sealed:      b.seal.Seal(nil, nil, []byte(code), nil),
		Fingerprint: Fingerprint(mac.Sum(nil)[:16]),
	}
}

// drawCode draws the characters of one code without bias: bytes past the largest multiple of
// the alphabet's length are drawn again.
func drawCode() string {
	const limit = 256 - 256%len(accessCodeAlphabet)
	code := make([]byte, 0, accessCodeLength)
	var random [2 * accessCodeLength]byte
	for len(code) < accessCodeLength {
		rand.Read(random[:]) // never fails: crypto/rand ends the program rather than return short
		for _, b := range random {
			if int(b) < limit && len(code) < accessCodeLength {
				code = append(code, accessCodeAlphabet[int(b)%len(accessCodeAlphabet)])
			}
		}
	}
	return string(code)
}

// Open reveals a sealed code; "" for a nil one. Every call on behalf of a person must be
// remembered as [audit.AccessCodeRead].
func (b *CodeBook) Open(sealed SealedCode) (string, error) {
	if sealed == nil {
		return "", nil
	}
	code, err := b.seal.Open(nil, nil, sealed, nil)
	if err != nil {
		return "", fmt.Errorf("open access code: %w", err)
	}
	return string(code), nil
}
