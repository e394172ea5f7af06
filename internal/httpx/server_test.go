package httpx

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for what must happen; nothing passes by waiting it out.
const patience = 20 * time.Second

// testServer is a running Serve. All its goroutines carry the test's name as a label.
type testServer struct {
	t     *testing.T
	addrs []net.Addr
	stop  context.CancelFunc
	ended chan error
}

func serve(t *testing.T, cfg ServerConfig) *testServer {
	t.Helper()
	if cfg.Listen == nil {
		cfg.Listen = []string{"127.0.0.1:0"}
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	ctx, stop := context.WithCancel(t.Context())
	s := &testServer{t: t, stop: stop, ended: make(chan error, 1)}
	ready := make(chan []net.Addr, 1)
	cfg.Ready = func(addrs []net.Addr) { ready <- addrs }
	go pprof.Do(ctx, pprof.Labels("server", t.Name()), func(ctx context.Context) { s.ended <- Serve(ctx, cfg) })
	select {
	case s.addrs = <-ready:
	case err := <-s.ended:
		t.Fatalf("Serve: %v", err)
	}
	t.Cleanup(stop)
	return s
}

func (s *testServer) addr() string { return s.addrs[0].String() }

// end stops the server and returns what Serve returned, once all its goroutines are gone.
func (s *testServer) end() error {
	s.t.Helper()
	s.stop()
	var err error
	select {
	case err = <-s.ended:
	case <-time.After(patience):
		s.t.Fatal("Serve did not return")
	}
	s.noGoroutines()
	return err
}

// noGoroutines fails if a goroutine of the server stays. Those of closed connections end just
// after Serve has returned, hence the loop.
func (s *testServer) noGoroutines() {
	s.t.Helper()
	deadline := time.Now().Add(patience)
	for {
		var profile bytes.Buffer
		if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
			s.t.Fatal(err)
		}
		if !strings.Contains(profile.String(), fmt.Sprintf("%q:%q", "server", s.t.Name())) {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("goroutines are left:\n%s", profile.String())
		}
		time.Sleep(time.Millisecond)
	}
}

func (s *testServer) dial() net.Conn {
	s.t.Helper()
	conn, err := net.Dial("tcp", s.addr())
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		s.t.Fatal(err)
	}
	return conn
}

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, in *bufio.Reader) (status int, body string) {
	t.Helper()
	resp, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatalf("read answer: %v", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatalf("read answer's body: %v", err)
	}
	return resp.StatusCode, string(b)
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }

func TestServeListensOnEachAddress(t *testing.T) {
	t.Parallel()
	s := serve(t, ServerConfig{Handler: http.HandlerFunc(ok), Listen: []string{"127.0.0.1:0", "127.0.0.1:0"}})
	if len(s.addrs) != 2 || s.addrs[0].String() == s.addrs[1].String() {
		t.Fatalf("addresses = %v, want two", s.addrs)
	}
	for _, addr := range s.addrs {
		s.addrs = []net.Addr{addr}
		conn := s.dial()
		send(t, conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		if status, body := receive(t, bufio.NewReader(conn)); status != 200 || body != "ok" {
			t.Errorf("%s: %d %q", addr, status, body)
		}
	}
	if err := s.end(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestServeRefusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for _, tc := range []struct {
		name, want string
		cfg        ServerConfig
	}{
		{"no address", "no address", ServerConfig{}},
		{"taken", "listen on " + taken.Addr().String(), ServerConfig{Listen: []string{"127.0.0.1:0", taken.Addr().String()}}},
		{"certificate without key", "both", ServerConfig{Listen: []string{"127.0.0.1:0"}, CertFile: "c.pem"}},
		{"no such certificate", "load TLS certificate", ServerConfig{Listen: []string{"127.0.0.1:0"}, CertFile: "c.pem", KeyFile: "k.pem"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.cfg.Handler, tc.cfg.Log = http.HandlerFunc(ok), slog.New(slog.DiscardHandler)
			err := Serve(t.Context(), tc.cfg)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error = %v, want %q in it", err, tc.want)
			}
		})
	}
}

func TestServeCutsSlowHeaders(t *testing.T) {
	t.Parallel()
	s := serve(t, ServerConfig{Handler: http.HandlerFunc(ok), ReadHeaderTimeout: 50 * time.Millisecond})
	conn := s.dial()
	send(t, conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ")
	rest, err := io.ReadAll(conn) // until the server closes
	if errors.Is(err, os.ErrDeadlineExceeded) || strings.Contains(string(rest), "200 OK") {
		t.Errorf("got %q, %v; want a closed connection", rest, err)
	}
	if err := s.end(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestServeLimitsHeaders(t *testing.T) {
	t.Parallel()
	s := serve(t, ServerConfig{Handler: http.HandlerFunc(ok)})
	for _, tc := range []struct {
		size, want int
	}{{60 << 10, 200}, {80 << 10, 431}} {
		conn := s.dial()
		send(t, conn, "GET / HTTP/1.1\r\nHost: x\r\nX-Big: "+strings.Repeat("a", tc.size)+"\r\n\r\n")
		if status, _ := receive(t, bufio.NewReader(conn)); status != tc.want {
			t.Errorf("headers of %d bytes: %d, want %d", tc.size, status, tc.want)
		}
	}
	if err := s.end(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestServeFinishesRunningRequests(t *testing.T) {
	t.Parallel()
	started, release := make(chan struct{}), make(chan struct{})
	s := serve(t, ServerConfig{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(started)
		<-release
		if err := r.Context().Err(); err != nil {
			t.Errorf("the request's context ended: %v", err)
		}
		ok(w, r)
	})})
	idle := s.dial()
	conn := s.dial()
	send(t, conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-started
	_ = idle.Close()
	s.stop()
	for { // the listener closes soon
		c, err := net.Dial("tcp", s.addr())
		if err != nil {
			break
		}
		_ = c.Close()
	}
	select {
	case err := <-s.ended:
		t.Fatalf("Serve returned %v while a request was running", err)
	default:
	}
	close(release)
	if status, body := receive(t, bufio.NewReader(conn)); status != 200 || body != "ok" {
		t.Errorf("answer = %d %q, want it whole", status, body)
	}
	if err := s.end(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestServeTellsWhoOutstaysTheGrace(t *testing.T) {
	t.Parallel()
	h := newHarness()
	started := make(chan struct{})
	s := serve(t, ServerConfig{
		Grace: 20 * time.Millisecond,
		Handler: h.front.Wrap(Adapt(RenderMessage)(func(_ http.ResponseWriter, r *http.Request) error {
			close(started)
			<-r.Context().Done()
			return fmt.Errorf("query: %w", r.Context().Err())
		})),
	})
	conn := s.dial()
	send(t, conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	<-started
	s.stop()
	if status, body := receive(t, bufio.NewReader(conn)); status != 503 || !strings.Contains(body, "stopping") {
		t.Errorf("answer = %d %s, want 503", status, body)
	}
	if err := s.end(); err == nil || !strings.Contains(err.Error(), "1 requests were cut") {
		t.Errorf("Serve: %v, want it to name the cut request", err)
	}
	if got := h.record(t)["status"]; got != 503. {
		t.Errorf("logged status = %v, want 503", got)
	}
}

func TestServeEndsWhenAListenerFails(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	if err := serveOn(&http.Server{}, l, false); err == nil || !strings.Contains(err.Error(), l.Addr().String()) {
		t.Errorf("error = %v, want the address in it", err)
	}
}

func TestRunningWaits(t *testing.T) {
	t.Parallel()
	c := newRunning(nil)
	if !c.wait(0) {
		t.Error("nothing runs, yet it waited")
	}
	c.add(1)
	if c.wait(time.Millisecond) {
		t.Error("a request runs, yet it did not wait")
	}
	go c.add(-1)
	if !c.wait(patience) || c.count() != 0 {
		t.Error("it waited for a request that had ended")
	}
}

func TestServeTLS(t *testing.T) {
	t.Parallel()
	cert, key, roots := certificate(t)
	h := newHarness()
	h.front.Stall = 100 * time.Millisecond
	mux := NewMux(RenderMessage)
	mux.Route("POST /upload", func(_ http.ResponseWriter, r *http.Request) error {
		_, err := io.Copy(io.Discard, Body(r, 1<<20))
		return err
	})
	s := serve(t, ServerConfig{Handler: h.front.Wrap(mux), CertFile: cert, KeyFile: key})

	old := &tls.Config{RootCAs: roots, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10} //nolint:gosec // that it is refused is the point
	if conn, err := tls.Dial("tcp", s.addr(), old); err == nil {
		_ = conn.Close()
		t.Error("TLS 1.1 was accepted")
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	client := &http.Client{Transport: transport, Timeout: patience}
	stalled, more := io.Pipe()
	go func() { _, _ = io.WriteString(more, "some") }() // ends when the client closes its body
	resp, err := client.Post("https://"+s.addr()+"/upload", "text/plain", stalled)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusRequestTimeout {
		t.Errorf("stalled body: %s %d, want HTTP/2 408", resp.Proto, resp.StatusCode)
	}
	_ = stalled.Close()
	transport.CloseIdleConnections()
	if err := s.end(); err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// certificate makes a self-signed certificate for 127.0.0.1 and returns its files.
func certificate(t *testing.T) (certFile, keyFile string, roots *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certPEM := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	roots = x509.NewCertPool()
	roots.AppendCertsFromPEM(certPEM)
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, data := range map[string][]byte{
		certFile: certPEM, keyFile: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile, roots
}
