package cli_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBackupCarriesARunningJob backs a registry up while a job runs, and has another server go
// on with the job from the restored copy.
func TestBackupCarriesARunningJob(t *testing.T) {
	t.Parallel()
	const rows = 30_000
	file := bytes.NewBufferString("ParticipantID\n")
	for i := range rows {
		fmt.Fprintf(file, "J-%06d\n", i)
	}
	p := newPlace(t)
	s := p.start()
	job := s.submit(file.Bytes())
	p.until("the job gets on", func() bool { return s.job(job).Rows > 0 })
	archive := filepath.Join(p.dir, "all.tar")
	if said := p.run("backup", archive, "--data-dir", p.data()); !strings.Contains(said, "1 uploads") {
		t.Fatalf("backup: %s; want the upload of the running job", said)
	}
	s.signal(os.Kill)
	_ = s.end()

	other := *p
	other.dir = t.TempDir()
	other.run("restore", archive, "--data-dir", other.data())
	s = other.start()
	if state := s.job(job); state.Rows == 0 {
		t.Errorf("the restored job begins anew: %+v", state)
	}
	p.until("the job ends", func() bool { return s.job(job).Status != "IN_PROGRESS" })
	if got, want := s.job(job), (jobState{Status: "COMPLETED", Rows: rows}); got != want {
		t.Errorf("job: %+v, want %+v", got, want)
	}
	s.signal(os.Interrupt)
	if err := s.end(); err != nil {
		t.Fatalf("stop: %v", err)
	}
	other.run("audit", "verify", "--data-dir", other.data())
	other.run("doctor", "--data-dir", other.data())
}

// TestServeTLS serves under a certificate.
func TestServeTLS(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	cert, key, roots := selfSigned(t, p.dir)
	s := p.start("--tls-cert", cert, "--tls-key", key)
	if !strings.HasPrefix(s.base, "https://127.0.0.1:") {
		t.Fatalf("address %s, want https", s.base)
	}
	s.client.Transport.(*http.Transport).TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	if status, text := s.ask(http.MethodGet, "/healthz", nil, ""); status != http.StatusOK {
		t.Errorf("healthz: %d %s", status, text)
	}
	s.signal(os.Interrupt)
	if err := s.end(); err != nil {
		t.Fatalf("stop: %v", err)
	}
}

func selfSigned(t *testing.T, dir string) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, text := range map[string][]byte{
		certFile: certPEM, keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	return certFile, keyFile, roots
}
