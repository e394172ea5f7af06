package cli

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"rollcall/internal/access"
	"rollcall/internal/config"
)

// The demo's service account, and the file in the data directory that holds its private key.
const (
	demoAccount = "MyDataHelps.DEMO.rollcall"
	demoKeyFile = "service-account.pem"
)

// demoKeyBits is the size of the demo's key: what openssl makes where nothing is said.
const demoKeyBits = 2048

// demoAccountDefinition declares the demo's service account for every study of the demo. Its
// key is made at the first start and kept in the data directory.
func demoAccountDefinition(dataDir string, demo *config.Definitions) (*config.Definitions, error) {
	key, err := demoKey(filepath.Join(dataDir, demoKeyFile))
	if err != nil {
		return nil, err
	}
	public, err := access.PublicKeyPEM(&key.PublicKey)
	if err != nil {
		return nil, err
	}
	account := &config.ServiceAccountDefinition{Name: demoAccount, Keys: []string{public}}
	for _, d := range demo.Studies {
		account.Studies = append(account.Studies, config.StudyReference{OID: d.Study.OID})
	}
	return &config.Definitions{ServiceAccounts: []*config.ServiceAccountDefinition{account}}, nil
}

// demoKey reads the private key in the file, or makes one there, which only its owner can
// read. It is in PKCS #1 PEM, the one form that every client of the original reads (reference,
// MyDataHelps 1).
func demoKey(path string) (*rsa.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newDemoKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the demo's key: %w", err)
	}
	if block, _ := pem.Decode(text); block != nil {
		if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
			return key, nil
		}
	}
	return nil, wrong("%s holds no private key in PKCS #1 PEM", path).withHint("delete it; the demo then makes another")
}

func newDemoKey(path string) (*rsa.PrivateKey, error) {
	key, err := rsa.GenerateKey(rand.Reader, demoKeyBits)
	if err != nil {
		return nil, fmt.Errorf("make the demo's key: %w", err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
	if err := writeWhole(path, text); err != nil {
		return nil, err
	}
	return key, nil
}
