package access

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"testing"
)

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func TestParsePublicKey(t *testing.T) {
	t.Parallel()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkix, err := PublicKeyPEM(&private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	curveDER, err := x509.MarshalPKIXPublicKey(&curve.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	small := &rsa.PublicKey{N: private.Primes[0], E: 65537}
	smallPEM := block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(small))
	tests := []struct {
		name, text string
		ok         bool
	}{
		{"PKIX", pkix, true},
		{"PKCS #1", block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&private.PublicKey)), true},
		{"space around", "\n\n  " + pkix + "\n ", true},
		{"empty", "", false},
		{"no PEM", "ssh-rsa AAAA", false},
		{"two keys", pkix + pkix, false},
		{"private key", block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(private)), false},
		{"elliptic curve", block("PUBLIC KEY", curveDER), false},
		{"too small", smallPEM, false},
		{"garbage", block("PUBLIC KEY", []byte("garbage")), false},
		{"garbage in PKCS #1", block("RSA PUBLIC KEY", []byte("garbage")), false},
		{"certificate", block("CERTIFICATE", []byte("garbage")), false},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParsePublicKey(test.text)
			if (err == nil) != test.ok {
				t.Fatalf("ParsePublicKey = %v, want ok %v", err, test.ok)
			}
			if test.ok && !got.Equal(&private.PublicKey) {
				t.Error("another key came out")
			}
		})
	}
}
