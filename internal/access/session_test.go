package access

import (
	"context"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// keptSessions keeps sessions as a database does, and counts what is written.
type keptSessions struct {
	kept      map[string]Session
	prolonged int
	err       error // of writing
}

func (k *keptSessions) BeginSession(_ context.Context, s *Session, _ time.Time) error {
	k.kept[s.Key] = *s
	return k.err
}

func (k *keptSessions) FindSession(_ context.Context, key string) (*Session, error) {
	if s, ok := k.kept[key]; ok {
		return &s, nil
	}
	return nil, nil
}

func (k *keptSessions) ProlongSession(_ context.Context, key string, until time.Time) error {
	k.prolonged++
	if s, ok := k.kept[key]; ok && k.err == nil {
		s.Until = until
		k.kept[key] = s
	}
	return k.err
}

func (k *keptSessions) EndSession(_ context.Context, key string) error {
	delete(k.kept, key)
	return k.err
}

type sessionFixture struct {
	*fixture
	*Sessions
	kept *keptSessions
}

func setupSessions(t *testing.T) *sessionFixture {
	t.Helper()
	f := &sessionFixture{fixture: setup(t, dana(Grant{Study: juno, Role: Viewer})), kept: &keptSessions{kept: map[string]Session{}}}
	var err error
	f.Sessions, err = NewSessions(SessionConfig{
		Access: f.Service, Store: f.kept, Now: f.clock.now, Idle: 30 * time.Minute, Lifetime: 2 * time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *sessionFixture) begin(t *testing.T) string {
	t.Helper()
	token, err := f.Begin(t.Context(), "DANA", danasPassword, "192.0.2.1:1")
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// holds tells whether the token's session is alive.
func (f *sessionFixture) holds(t *testing.T, token string) bool {
	t.Helper()
	_, err := f.Holder(t.Context(), token)
	if err != nil && !fault.HasCode(err, SessionOver) {
		t.Fatal(err)
	}
	return err == nil
}

func TestSessionTokenIsNotKept(t *testing.T) {
	t.Parallel()
	f := setupSessions(t)
	token := f.begin(t)
	if other := f.begin(t); other == token || len(token) < 40 {
		t.Fatalf("tokens %q and %q", token, other)
	}
	for _, s := range slices.Collect(maps.Values(f.kept.kept)) {
		if strings.Contains(s.Key+s.Stamp, token) || strings.Contains(s.Key+s.Stamp, danasHash()) {
			t.Errorf("a secret is kept: %+v", s)
		}
	}
	who, err := f.Holder(t.Context(), token)
	if err != nil || who.Name != "Dana" || who.Service || len(who.Grants) != 1 {
		t.Errorf("holder %+v, %v", who, err)
	}
	for _, not := range []string{"", "x", token + "x", sessionKey(token)} {
		if f.holds(t, not) {
			t.Errorf("%q holds a session", not)
		}
	}
}

func TestSessionNeedsThePassword(t *testing.T) {
	t.Parallel()
	f := setupSessions(t)
	for range maxFailures {
		if _, err := f.Begin(t.Context(), "dana", "wrong", "192.0.2.1:1"); !fault.HasCode(err, SignInFailed) {
			t.Fatalf("wrong password: %v", err)
		}
	}
	if _, err := f.Begin(t.Context(), "dana", danasPassword, "192.0.2.1:1"); !fault.HasCode(err, SignInThrottled) {
		t.Errorf("after failures: %v", err)
	}
	if len(f.kept.kept) != 0 {
		t.Error("there is a session")
	}
}

// A session lasts as long as it is used, but not for ever, and not every use is written down.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	f := setupSessions(t)
	token := f.begin(t)
	f.clock.advance(30*time.Minute - time.Microsecond)
	if !f.holds(t, token) {
		t.Fatal("over before it had been idle for so long")
	}
	f.holds(t, token)
	if f.kept.prolonged != 1 {
		t.Errorf("prolonged %d times, want once", f.kept.prolonged)
	}
	f.clock.advance(30 * time.Minute)
	if f.holds(t, token) {
		t.Error("alive though idle")
	}
	token = f.begin(t)
	for range 5 {
		f.clock.advance(20 * time.Minute)
		if !f.holds(t, token) {
			t.Fatal("over although it is used")
		}
	}
	f.clock.advance(20 * time.Minute)
	if f.holds(t, token) {
		t.Error("alive after its lifetime")
	}
	token = f.begin(t)
	if err := f.End(t.Context(), token); err != nil || f.holds(t, token) {
		t.Errorf("alive after its end, %v", err)
	}
}

// What a session may do is looked up each time, and a new password ends it.
func TestSessionFollowsItsUser(t *testing.T) {
	t.Parallel()
	f := setupSessions(t)
	token := f.begin(t)
	f.store.set([]*User{dana(Grant{Study: juno, Site: boston, Role: CRC})}, nil)
	if who, err := f.Holder(t.Context(), token); err != nil || who.Grants[0].Role != CRC {
		t.Errorf("holder %+v, %v", who, err)
	}
	changed := dana()
	changed.PasswordHash = cheapHash("another")
	f.store.set([]*User{changed}, nil)
	if f.holds(t, token) {
		t.Error("alive after a new password")
	}
	f.store.set(nil, nil)
	if f.holds(t, token) {
		t.Error("alive without its user")
	}
}

// While nothing can be written, whoever is signed in goes on reading.
func TestSessionOnAFullDisk(t *testing.T) {
	t.Parallel()
	f := setupSessions(t)
	token := f.begin(t)
	f.kept.err = fault.New(fault.StorageFull, "", "full")
	f.clock.advance(20 * time.Minute)
	if !f.holds(t, token) {
		t.Error("signed out by a full disk")
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	study := &registry.Study{ID: juno, Sites: []registry.Site{{ID: boston}, {ID: ohio}}}
	p := &Principal{Grants: []Grant{{Study: juno, Site: boston, Role: CRC}}}
	if at := p.Places(ReadContacts, study); at.Whole || at.None() || len(at.Sites) != 1 || !at.Has(boston) || at.Has(ohio) || at.Has(whole) {
		t.Errorf("a CRC of Boston: %+v", at)
	}
	p = &Principal{Grants: []Grant{{Study: juno, Role: DataManager}}}
	if at := p.Places(ReadContacts, study); !at.Whole || len(at.Sites) != 2 || !at.Has(whole) {
		t.Errorf("a data manager: %+v", at)
	}
	if at := p.Places(ReadAccessCodes, study); !at.None() || at.Has(boston) {
		t.Errorf("a data manager and access codes: %+v", at)
	}
	if p.HoldsAnyRole(other) || !p.HoldsAnyRole(juno) {
		t.Error("holds a role in the wrong study")
	}
}

func TestHolders(t *testing.T) {
	t.Parallel()
	f := setup(t,
		&User{ID: 1, Username: "zoe", Grants: []Grant{{Study: juno, Role: Viewer}, {Study: other, Role: Viewer}}},
		&User{ID: 2, Username: "Adam", Grants: []Grant{{Study: juno, Site: boston, Role: CRC}}},
		&User{ID: 3, Username: "nobody"}, &User{ID: 4, Username: "elsewhere", Grants: []Grant{{Study: other, Role: Viewer}}},
	)
	holders, err := f.Holders(t.Context(), juno)
	if err != nil || len(holders) != 2 || holders[0].Username != "Adam" || holders[1].Username != "zoe" || len(holders[1].Grants) != 1 {
		t.Errorf("%+v, %v", holders, err)
	}
}
