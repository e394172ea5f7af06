package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
)

// Shared is a server that the tests of a package share. It starts when the first of them asks
// for it.
type Shared struct {
	with []Option

	mu     sync.Mutex
	asked  bool
	server *Server
	err    error
}

// Share answers a server that has not started yet. Keep it in a variable of the tests' package,
// and end it in TestMain with [Shared.Main] or [Shared.Close]. It also ends with the process.
func Share(with ...Option) *Shared { return &Shared{with: with} }

// Server answers the server, and starts it if it has not been asked for yet. The test fails if
// it did not start, and so does every other that asks.
func (s *Shared) Server(t testing.TB) *Server {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.asked {
		s.asked = true
		ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), startLimit)
		defer cancel()
		s.server, s.err = create(ctx, s.with)
	}
	if s.err != nil {
		t.Fatalf("start PostgreSQL: %v", s.err)
	}
	return s.server
}

// Database makes a database on the server, see [Server.Database].
func (s *Shared) Database(t testing.TB) string {
	t.Helper()
	return s.Server(t).Database(t)
}

// Prepared makes a database on the server, see [Server.Prepared].
func (s *Shared) Prepared(t testing.TB, name string, prepare func(url string) error) string {
	t.Helper()
	return s.Server(t).Prepared(t, name, prepare)
}

// Main runs the tests, ends the server and answers the code to exit with.
func (s *Shared) Main(m interface{ Run() int }) int {
	code := m.Run()
	if err := s.Close(); err != nil {
		fmt.Fprintln(os.Stderr, "end PostgreSQL:", err)
		code = max(code, 1)
	}
	return code
}

// Close ends the server, if it has started.
func (s *Shared) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.server == nil {
		return nil
	}
	err := s.server.end(context.Background())
	s.server, s.err = nil, errors.New("it has been closed")
	return err
}
