package access

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// The sizes in bits that a service account's RSA key can have: smaller ones are not safe,
// larger ones only slow.
const (
	minKeyBits = 2048
	maxKeyBits = 16384
)

// ParsePublicKey reads one RSA public key in PEM form, PKIX ("PUBLIC KEY") or PKCS #1 ("RSA
// PUBLIC KEY"), of 2048 bits or more. Its errors say what is wrong and hold nothing of the
// text.
func ParsePublicKey(text string) (*rsa.PublicKey, error) {
	block, rest := pem.Decode([]byte(strings.TrimSpace(text)))
	switch {
	case block == nil:
		return nil, errors.New("not a key in PEM form")
	case strings.Contains(block.Type, "PRIVATE KEY"):
		return nil, errors.New("this is a private key, which belongs to the program that signs in; give its public key")
	case len(bytes.TrimSpace(rest)) > 0:
		return nil, errors.New("more text follows the key; give one key each")
	}
	key, err := parseBlock(block)
	if err != nil {
		return nil, err
	}
	if bits := key.N.BitLen(); bits < minKeyBits || bits > maxKeyBits {
		return nil, fmt.Errorf("the key has %d bits, it must have %d to %d", bits, minKeyBits, maxKeyBits)
	}
	return key, nil
}

func parseBlock(block *pem.Block) (*rsa.PublicKey, error) {
	switch block.Type {
	case "PUBLIC KEY":
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, errors.New("the public key cannot be read")
		}
		rsaKey, ok := key.(*rsa.PublicKey)
		if !ok {
			return nil, errors.New("not an RSA key")
		}
		return rsaKey, nil
	case "RSA PUBLIC KEY":
		key, err := x509.ParsePKCS1PublicKey(block.Bytes)
		if err != nil {
			return nil, errors.New("the RSA public key cannot be read")
		}
		return key, nil
	default:
		return nil, errors.New("not a public key: its PEM block must be a PUBLIC KEY or an RSA PUBLIC KEY")
	}
}

// PublicKeyPEM writes a public key in the one form that [ServiceAccount].Keys holds: PKIX PEM.
func PublicKeyPEM(key *rsa.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", fmt.Errorf("encode public key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil
}
