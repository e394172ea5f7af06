package files

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/internal/fault"
	"rollcall/internal/files/s3test"
)

// A connection lives while something moves on it, and no longer: one that sends for minutes may
// wait for its answer all the while.
func TestIdleConnection(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		c, err := limitedDial(func(context.Context, string, string) (net.Conn, error) { return near, nil }, time.Minute)(t.Context(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		defer far.Close()
		go func() { _, _ = io.Copy(io.Discard, far) }() // ends when far is closed
		answered := make(chan error, 1)
		began := time.Now()
		go func() { // ends at the limit
			_, err := c.Read(make([]byte, 1))
			answered <- err
		}()
		for range 5 {
			time.Sleep(40 * time.Second) // of the bubble
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		err = <-answered
		if took := time.Since(began); !errors.Is(err, os.ErrDeadlineExceeded) || took != 260*time.Second {
			t.Errorf("the read ends after %v with %v", took, err)
		}
	})
}

// proxy passes bytes on to a server until it stalls.
type proxy struct {
	net.Listener

	to    string
	mu    sync.Mutex
	conns []net.Conn
	stall chan struct{} // closed: nothing moves any more
	all   sync.WaitGroup
}

func startProxy(t *testing.T, to string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{Listener: l, to: to, stall: make(chan struct{})}
	p.all.Go(p.serve)
	t.Cleanup(func() {
		_ = l.Close()
		p.mu.Lock()
		for _, c := range p.conns {
			_ = c.Close()
		}
		p.mu.Unlock()
		p.all.Wait()
	})
	return p
}

func (p *proxy) serve() {
	for {
		client, err := p.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.to)
		if err != nil {
			_ = client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.all.Go(func() { p.pass(client, server) })
		p.all.Go(func() { p.pass(server, client) })
	}
}

// pass passes bytes on until one side closes or the proxy stalls.
func (p *proxy) pass(to io.Writer, from io.Reader) {
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		select {
		case <-p.stall:
			return // both sides stay open
		default:
		}
		if err == nil {
			_, err = to.Write(b[:n])
		}
		if err != nil {
			if c, ok := to.(net.Conn); ok {
				_ = c.Close()
			}
			return
		}
	}
}

// A bucket that stalls in the middle of a body is away: nobody waits for it for ever.
func TestBucketThatStalls(t *testing.T) {
	t.Parallel()
	server := s3test.Start(t)
	for _, test := range []struct {
		name string
		use  func(ctx context.Context, f *Files, stall func()) error
	}{
		{"as it is read", func(ctx context.Context, f *Files, stall func()) error {
			key, _, err := f.Save(ctx, "outputs", io.LimitReader(zeros{}, 64<<20))
			if err != nil {
				return err
			}
			file, err := f.Open(ctx, key)
			if err != nil {
				return err
			}
			defer file.Close()
			if _, err := io.CopyN(io.Discard, file, 1000); err != nil {
				return err
			}
			stall()
			_, err = io.Copy(io.Discard, file)
			return err
		}},
		{"as it is written", func(ctx context.Context, f *Files, stall func()) error {
			_, _, err := f.Save(ctx, "uploads", io.MultiReader(io.LimitReader(zeros{}, 12<<20), stalls(stall), io.LimitReader(zeros{}, 12<<20)))
			return err
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second) // less than the other limits
			defer cancel()
			between := startProxy(t, strings.TrimPrefix(server.Endpoint, "http://"))
			f, err := Open(ctx, Config{URL: server.URL("endpoint=http://" + between.Addr().String()), idle: time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			stalled := false
			err = test.use(ctx, f, func() { stalled = true; close(between.stall) })
			if err == nil || fault.KindOf(err) != fault.Unavailable || !stalled {
				t.Errorf("told %v; want that the storage is away", err)
			}
		})
	}
}

// zeros is a body without an end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// stalls is an empty part of a body, where something happens.
type stalls func()

func (s stalls) Read([]byte) (int, error) { s(); return 0, io.EOF }
