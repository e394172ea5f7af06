package cli_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"strconv"
)

// openssl is as much of openssl as the demo's tour uses, so that the tour can be run as it is
// printed: rand -hex N, base64 -A, and dgst -sha256 -sign KEY-FILE.
func openssl(args []string, in io.Reader, out, errs io.Writer) int {
	answer, err := opensslAnswer(args, in)
	if err != nil {
		fmt.Fprintln(errs, err)
		return 1
	}
	if _, err := out.Write(answer); err != nil {
		return 1
	}
	return 0
}

func opensslAnswer(args []string, in io.Reader) ([]byte, error) {
	switch {
	case len(args) == 3 && args[0] == "rand" && args[1] == "-hex":
		n, err := strconv.Atoi(args[2])
		if err != nil {
			return nil, err
		}
		random := make([]byte, n)
		rand.Read(random)
		return []byte(hex.EncodeToString(random) + "\n"), nil
	case len(args) == 2 && args[0] == "base64" && args[1] == "-A":
		text, err := io.ReadAll(in)
		return []byte(base64.StdEncoding.EncodeToString(text)), err
	case len(args) == 4 && args[0] == "dgst" && args[1] == "-sha256" && args[2] == "-sign":
		key, err := privateKey(args[3])
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(in)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		return rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	}
	return nil, fmt.Errorf("this openssl knows no %q", args)
}

func privateKey(path string) (*rsa.PrivateKey, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "RSA PRIVATE KEY" {
		return nil, fmt.Errorf("%s holds no RSA PRIVATE KEY", path)
	}
	return x509.ParsePKCS1PrivateKey(block.Bytes)
}
