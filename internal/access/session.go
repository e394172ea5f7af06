package access

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"rollcall/internal/fault"
)

// SessionOver is the code of a browser's session that is not, or no longer, there.
const SessionOver fault.Code = "sessionOver" // Unauthenticated

// The limits of sessions where nothing else is said.
const (
	DefaultSessionIdle     = 30 * time.Minute
	DefaultSessionLifetime = 12 * time.Hour
)

// sessionTokenBytes is how long a session's token is, before it is written as text.
const sessionTokenBytes = 32

// Session is what is kept of a browser that is signed in. The token itself is not kept.
type Session struct {
	Key      string // the SHA-256 of its token, as text
	Username string
	Stamp    string    // of the password that it was begun with, see [passwordStamp]
	BegunAt  time.Time // to the microsecond, as the time below
	Until    time.Time // when it is over unless its browser comes back before
}

// SessionStore keeps the sessions of browsers. Its methods answer [fault.Unavailable] while the
// database is away and [fault.StorageFull] when there is no room to write.
type SessionStore interface {
	// BeginSession keeps a new session and forgets those that were over by now.
	BeginSession(ctx context.Context, s *Session, now time.Time) error

	// FindSession reads a session, over or not; nil if there is none of that key.
	FindSession(ctx context.Context, key string) (*Session, error)

	// ProlongSession sets a session's Until. One that has been ended stays ended.
	ProlongSession(ctx context.Context, key string, until time.Time) error

	// EndSession forgets a session; one that is not there is no error.
	EndSession(ctx context.Context, key string) error
}

// SessionConfig is what [NewSessions] needs.
type SessionConfig struct {
	Access   *Service
	Store    SessionStore
	Now      func() time.Time
	Idle     time.Duration // after which a browser that has not come back is signed out; 0: DefaultSessionIdle
	Lifetime time.Duration // after which everybody signs in again; 0: DefaultSessionLifetime
}

// Sessions keeps browsers signed in. Sessions outlive the process, and hold on every node of a
// database. It is safe for concurrent use.
type Sessions struct{ SessionConfig }

// NewSessions makes sessions.
func NewSessions(c SessionConfig) (*Sessions, error) {
	if c.Access == nil || c.Store == nil || c.Now == nil {
		return nil, errors.New("access: sessions need the service, a store and a clock")
	}
	if c.Idle <= 0 {
		c.Idle = DefaultSessionIdle
	}
	if c.Lifetime <= 0 {
		c.Lifetime = DefaultSessionLifetime
	}
	return &Sessions{c}, nil
}

// Begin signs a user in as [Service.SignIn] does, with its faults and its throttle, and answers
// the token of a new session.
func (s *Sessions) Begin(ctx context.Context, username, password, remoteAddr string) (token string, err error) {
	bearer, err := s.Access.SignIn(ctx, username, password, remoteAddr)
	if err != nil {
		return "", err
	}
	who, err := s.Access.Authenticate(ctx, bearer)
	if err != nil {
		return "", err
	}
	user, err := s.user(ctx, who.Name)
	if err != nil {
		return "", err
	}
	secret := make([]byte, sessionTokenBytes)
	rand.Read(secret) // never fails: crypto/rand ends the program rather than return short
	token = base64.RawURLEncoding.EncodeToString(secret)
	now := s.Now().UTC().Truncate(time.Microsecond)
	session := &Session{
		Key: sessionKey(token), Username: user.Username, Stamp: passwordStamp(user), BegunAt: now, Until: s.until(now, now),
	}
	if err := s.Store.BeginSession(ctx, session, now); err != nil {
		return "", fmt.Errorf("begin a session: %w", err)
	}
	return token, nil
}

// Holder tells whose session a token belongs to and what they hold now, and keeps the session
// alive. It answers [fault.Unauthenticated] with [SessionOver] if it is over, if its user is
// gone, or if the user has another password by now.
func (s *Sessions) Holder(ctx context.Context, token string) (*Principal, error) {
	if token == "" {
		return nil, errSessionOver()
	}
	session, err := s.Store.FindSession(ctx, sessionKey(token))
	if err != nil {
		return nil, fmt.Errorf("find the session: %w", err)
	}
	now := s.Now()
	if session == nil || !now.Before(session.Until) || !now.Before(session.BegunAt.Add(s.Lifetime)) {
		return nil, errSessionOver()
	}
	user, err := s.user(ctx, session.Username)
	if err != nil {
		return nil, err
	}
	if user == nil || passwordStamp(user) != session.Stamp {
		return nil, errSessionOver()
	}
	if err := s.prolong(ctx, session, now); err != nil {
		return nil, err
	}
	return &Principal{Name: user.Username, Grants: user.Grants}, nil
}

// End ends the session of a token. It may be over already.
func (s *Sessions) End(ctx context.Context, token string) error {
	if err := s.Store.EndSession(ctx, sessionKey(token)); err != nil {
		return fmt.Errorf("end the session: %w", err)
	}
	return nil
}

// prolong moves a session's end, but not for every request: a write for each page that is looked
// at would cost more than the page. While nothing can be written, reading goes on.
func (s *Sessions) prolong(ctx context.Context, session *Session, now time.Time) error {
	until := s.until(session.BegunAt, now)
	if until.Sub(session.Until) < s.Idle/10 {
		return nil
	}
	err := s.Store.ProlongSession(ctx, session.Key, until)
	if err != nil && fault.KindOf(err) != fault.StorageFull && fault.KindOf(err) != fault.Unavailable {
		return fmt.Errorf("prolong the session: %w", err)
	}
	return nil
}

// until is when a session that is used now is over.
func (s *Sessions) until(begun, now time.Time) time.Time {
	until := now.Add(s.Idle)
	if end := begun.Add(s.Lifetime); end.Before(until) {
		until = end
	}
	return until.UTC().Truncate(time.Microsecond)
}

// user finds a user as they are now; nil if they are gone.
func (s *Sessions) user(ctx context.Context, username string) (*User, error) {
	directory, err := s.Access.directory.get(ctx)
	if err != nil {
		return nil, err
	}
	user, known := directory.User(username)
	if !known {
		return nil, nil
	}
	return user, nil
}

// sessionKey is under what a token's session is kept. The token has 256 random bits, so a plain
// hash is as good as a slow one: whoever reads the database cannot find the token.
func sessionKey(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// passwordStamp changes with the user's password, and tells nothing about it.
func passwordStamp(user *User) string {
	sum := sha256.Sum256([]byte("session:" + user.PasswordHash))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

func errSessionOver() error {
	return fault.New(fault.Unauthenticated, SessionOver, "nobody is signed in here, or not any more").WithHint("sign in again")
}
