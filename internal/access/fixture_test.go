package access

import (
	"bytes"
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"rollcall/internal/fault"
)

// clock is a clock that tests set.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// directoryStore holds a directory that tests replace, and counts how often it is read.
type directoryStore struct {
	mu    sync.Mutex
	dir   *Directory
	err   error
	reads int

	full     bool  // whether there is no room to write
	begun    int64 // turns to sign in
	turns    map[string]int64
	failures map[string][]time.Time
}

func (s *directoryStore) AccessVersion(context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dir.version, s.err
}

func (s *directoryStore) Directory(context.Context) (*Directory, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	return s.dir, s.err
}

// UseAssertion is not part of these tests; those of assertions run on a database.
func (s *directoryStore) UseAssertion(context.Context, string, string, time.Time, time.Time) (bool, error) {
	return false, errors.New("no assertion is used here")
}

// BeginSignIn gives turns as a database with one process does.
func (s *directoryStore) BeginSignIn(_ context.Context, address string, _ time.Duration, _ time.Time) (int64, []time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.full {
		return 0, nil, fault.New(fault.StorageFull, "", "full")
	}
	if s.err != nil || s.turns[address] != 0 {
		return 0, nil, s.err
	}
	s.begun++
	s.turns[address] = s.begun
	return s.begun, s.failures[address], nil
}

func (s *directoryStore) EndSignIn(ctx context.Context, address string, turn int64, failures []time.Time, _ time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(s.err, ctx.Err()); err != nil {
		return err
	}
	if s.turns[address] == turn {
		delete(s.turns, address)
		s.failures[address] = failures
	}
	return nil
}

// SpendBudget is not part of these tests; those of budgets run on a database.
func (s *directoryStore) SpendBudget(context.Context, string, time.Time, int64, int64) (int64, int64, error) {
	return 0, 0, errors.New("no budget is spent here")
}

func (s *directoryStore) set(users []*User, accounts []*ServiceAccount) {
	s.mu.Lock()
	defer s.mu.Unlock()
	version := int64(1)
	if s.dir != nil {
		version = s.dir.version + 1
	}
	s.dir = NewDirectory(version, users, accounts)
}

func (s *directoryStore) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

const danasPassword = "correct horse"

// danasHash is the hash of danasPassword, at the least cost that is allowed, so that tests are
// quick.
func danasHash() string { return cheapHash(danasPassword) }

func cheapHash(password string) string {
	h := passwordHash{memory: 8, passes: 1, threads: 1, salt: make([]byte, 16), key: make([]byte, 32)}
	h.key = h.derive(password)
	return h.String()
}

func dana(grants ...Grant) *User {
	return &User{ID: 1, Username: "Dana", PasswordHash: danasHash(), Grants: grants}
}

func signingKey(b byte) []byte { return bytes.Repeat([]byte{b}, SigningKeySize) }

type fixture struct {
	*Service
	store *directoryStore
	clock *clock
}

func setup(t testing.TB, users ...*User) *fixture {
	t.Helper()
	f := &fixture{
		store: &directoryStore{turns: map[string]int64{}, failures: map[string][]time.Time{}},
		clock: newClock(),
	}
	f.store.set(users, nil)
	service, err := New(Config{Store: f.store, SigningKey: signingKey(7), Now: f.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	f.Service = service
	return f
}
