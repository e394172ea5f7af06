// Package s3test owns a real S3 server for tests: one process for each test that asks, with a
// folder, a bucket and an access key of its own. It knows nothing of what is stored there. The
// server is built by scripts/build-s3-server.sh; without it the tests that need it fail.
package s3test

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// binary is where scripts/build-s3-server.sh puts the server, below the root of the module.
const binary = "bin/test/versitygw"

// startTime is how long the server may take until it answers, stopTime until it has ended.
const (
	startTime = 30 * time.Second
	stopTime  = 10 * time.Second
)

const (
	bucket = "files"
	region = "us-east-1"
)

// Server is an S3 server on this machine.
type Server struct {
	Endpoint    string // http://127.0.0.1:port, the same after Start
	Bucket      string // a bucket that exists
	Region      string
	AccessKey   string
	SecretKey   string
	Credentials string // a file with the access key, in the form of Amazon's shared credentials

	t       testing.TB
	program string
	dir     string
	running *running
}

// running is the process of a server and the shell that ends it.
type running struct {
	alive *os.File      // what the shell waits for: it ends the server when this is closed
	ended chan struct{} // closed when shell and server have ended
}

// Start starts a server with an empty bucket and stops it when the test ends.
func Start(t testing.TB) *Server {
	t.Helper()
	dir := t.TempDir()
	s := &Server{
		Bucket: bucket, Region: region, AccessKey: "K" + rand.Text(), SecretKey: rand.Text(),
		Credentials: filepath.Join(dir, "credentials"), t: t, program: program(t), dir: dir,
	}
	keys := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", s.AccessKey, s.SecretKey)
	if err := os.WriteFile(s.Credentials, []byte(keys), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"objects", "attributes"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(s.Kill)
	s.Endpoint = "http://" + freeAddress(t)
	s.Restart()
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	if _, err := s.Client().CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &s.Bucket}); err != nil {
		t.Fatalf("make a bucket in the S3 server: %v", err)
	}
	return s
}

// URL is the bucket as the setting files-url takes it, with more parameters if given, each
// written as name=value.
func (s *Server) URL(parameters ...string) string {
	query := url.Values{"endpoint": {s.Endpoint}, "region": {s.Region}, "credentials": {s.Credentials}}
	for _, p := range parameters {
		name, value, _ := strings.Cut(p, "=")
		query.Set(name, value)
	}
	return "s3://" + s.Bucket + "?" + query.Encode()
}

// Client is a client of the server, to look at what is stored.
func (s *Server) Client() *s3.Client {
	return s3.New(s3.Options{
		BaseEndpoint: &s.Endpoint, Region: s.Region, UsePathStyle: true, RetryMaxAttempts: 1,
		DisableLogOutputChecksumValidationSkipped: true,
		Credentials: aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: s.AccessKey, SecretAccessKey: s.SecretKey}, nil
		}),
	})
}

// Kill ends the server as if its machine had lost power. It may be called again.
func (s *Server) Kill() {
	if s.running == nil {
		return
	}
	s.running.alive.Close()
	select {
	case <-s.running.ended:
	case <-time.After(stopTime):
		s.t.Errorf("the S3 server has not ended after %v", stopTime)
	}
	s.running = nil
}

// Restart starts the server again after [Server.Kill], with what it had stored.
func (s *Server) Restart() {
	s.t.Helper()
	if s.running != nil {
		s.t.Fatal("the S3 server is running")
	}
	if err := s.run(); err != nil {
		s.t.Fatalf("start the S3 server: %v", err)
	}
	if err := s.waitUntilItAnswers(); err != nil {
		text, logErr := os.ReadFile(s.log())
		s.t.Fatalf("the S3 server does not answer: %v\nits log: %s (%v)", err, text, logErr)
	}
}

// script runs the server until the standard input ends, which it does when the test process
// ends, however it ends.
const script = `exec 3<&0; "$@" </dev/null 3<&- & server=$!
{ read -r _; kill -9 $server; } <&3 2>/dev/null & keeper=$!
wait $server; kill $keeper 2>/dev/null; wait`

func (s *Server) run() error {
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	stdin, alive, err := os.Pipe()
	if err != nil {
		return err
	}
	defer stdin.Close()
	//nolint:noctx // it ends with its standard input, and Kill waits for that
	shell := exec.Command("sh", "-c", script, "s3-server", s.program, "--quiet", "--port", strings.TrimPrefix(s.Endpoint, "http://"),
		"posix", "--sidecar", filepath.Join(s.dir, "attributes"), filepath.Join(s.dir, "objects"))
	shell.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+s.AccessKey, "ROOT_SECRET_KEY="+s.SecretKey, "VGW_REGION="+s.Region)
	shell.Stdin, shell.Stdout, shell.Stderr = stdin, log, log
	if err := shell.Start(); err != nil {
		alive.Close()
		return err
	}
	s.running = &running{alive: alive, ended: make(chan struct{})}
	go func(ended chan<- struct{}) {
		defer close(ended)
		shell.Wait() //nolint:errcheck // it is killed: it never ends well
	}(s.running.ended)
	return nil
}

func (s *Server) log() string { return filepath.Join(s.dir, "log") }

func (s *Server) waitUntilItAnswers() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		_, err := s.Client().ListBuckets(ctx, &s3.ListBucketsInput{})
		if err == nil {
			return nil
		}
		select {
		case <-s.running.ended:
			return fmt.Errorf("it has ended: %w", err)
		case <-ctx.Done():
			return err
		case <-again.C:
		}
	}
}

// freeAddress finds an address where nobody listens.
func freeAddress(t testing.TB) string {
	t.Helper()
	var listen net.ListenConfig
	l, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return l.Addr().String()
}

// program finds the server below the root of the module in which the test runs.
func program(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the folder in which the test runs")
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(dir, filepath.FromSlash(binary))
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("there is no S3 server for tests at %s: run scripts/build-s3-server.sh, which make test does", binary)
	}
	return path
}
