package pgtest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// A Mode is a way to stop a server.
type Mode string

// The ways to stop a server.
const (
	Fast      Mode = "INT"  // transactions are rolled back, everything is written
	Immediate Mode = "QUIT" // nothing is written; the next start recovers from the log
	Kill      Mode = "KILL" // all of its processes at once, as by kill -9
)

// Stop stops the server and waits, for 10 seconds at most, until all of its processes are gone.
// Its data stay for [Server.Start].
func (s *Server) Stop(t testing.TB, mode Mode) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), stopLimit)
	defer cancel()
	if err := s.stop(ctx, mode); err != nil {
		t.Fatalf("stop PostgreSQL: %v; its log:\n%s", err, tail(s.log()))
	}
}

func (s *Server) stop(ctx context.Context, mode Mode) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.running
	if p == nil {
		return nil
	}
	if !p.ended() {
		if err := s.strike(p, mode); err != nil {
			return err
		}
	}
	select {
	case <-p.gone:
	case <-ctx.Done():
		return fmt.Errorf("it does not end: %w", ctx.Err())
	}
	s.running = nil
	return p.end(ctx)
}

func (s *Server) strike(p *process, mode Mode) error {
	if mode != Kill {
		return p.signal(string(mode))
	}
	pid, err := s.pid()
	if err != nil {
		return err
	}
	return killAll(pid)
}

// Start starts a stopped server again, on the same port and with the same data, and waits, for
// 30 seconds at most, until it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), startLimit)
	defer cancel()
	if err := s.launch(ctx); err != nil {
		t.Fatalf("start PostgreSQL again: %v", err)
	}
}

func (s *Server) isRunning() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.running != nil && !s.running.ended()
}

// pid answers the number of the server's first process, whose file PostgreSQL writes itself.
func (s *Server) pid() (int, error) {
	text, err := os.ReadFile(filepath.Join(s.data(), "postmaster.pid"))
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(text), "\n")
	return strconv.Atoi(strings.TrimSpace(first))
}
