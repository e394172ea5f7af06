package access

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

func TestNewChecksItsConfig(t *testing.T) {
	t.Parallel()
	good := Config{Store: &directoryStore{}, SigningKey: signingKey(1), Now: time.Now}
	tests := []struct {
		name  string
		spoil func(*Config)
	}{
		{"no store", func(c *Config) { c.Store = nil }},
		{"no clock", func(c *Config) { c.Now = nil }},
		{"no key", func(c *Config) { c.SigningKey = nil }},
		{"short key", func(c *Config) { c.SigningKey = c.SigningKey[1:] }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := good
			test.spoil(&c)
			if _, err := New(c); err == nil {
				t.Error("New accepts it")
			}
		})
	}
	if _, err := New(good); err != nil {
		t.Errorf("New of a good config: %v", err)
	}
}

func TestSignInAndAuthenticate(t *testing.T) {
	t.Parallel()
	grants := []Grant{{Study: juno, Role: DataManager}}
	f := setup(t, dana(grants...))
	token, err := f.SignIn(t.Context(), "dANA", danasPassword, "192.0.2.1:1")
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.Authenticate(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Principal{Name: "Dana", Grants: grants}, got); diff != "" {
		t.Errorf("principal (-want +got):\n%s", diff)
	}
}

func TestSignInFailures(t *testing.T) {
	t.Parallel()
	broken := &User{Username: "broken", PasswordHash: "plain"}
	tests := []struct {
		name, username, password string
	}{
		{"wrong password", "dana", "wrong"},
		{"empty password", "dana", ""},
		{"unknown user", "nobody", danasPassword},
		{"empty user", "", ""},
		{"user whose hash is broken", "broken", "plain"},
		{"very long password", "dana", strings.Repeat("x", 1<<16)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := setup(t, dana(), broken)
			var hashes atomic.Int64
			f.compare = func(hash, password string) (bool, error) {
				hashes.Add(1)
				return VerifyPassword(hash, password)
			}
			token, err := f.SignIn(t.Context(), test.username, test.password, "192.0.2.1")
			want := fault.New(fault.Unauthenticated, SignInFailed, "the user name or the password is wrong")
			if token != "" || err == nil || err.Error() != want.Error() || fault.KindOf(err) != want.Kind {
				t.Errorf("SignIn = %q, %v, want %v", token, err, want)
			}
			if hashes.Load() != 1 {
				t.Errorf("%d hashes were computed, want 1 for known and unknown alike", hashes.Load())
			}
		})
	}
}

// TestUnknownUserCostsTheSame proves the cost of the stand-in hash from its parameters.
func TestUnknownUserCostsTheSame(t *testing.T) {
	t.Parallel()
	f := setup(t)
	real, err := HashPassword("x")
	if err != nil {
		t.Fatal(err)
	}
	want, err := parseHash(real)
	if err != nil {
		t.Fatal(err)
	}
	got, err := parseHash(f.nobody)
	if err != nil {
		t.Fatal(err)
	}
	want.salt, want.key = make([]byte, len(want.salt)), make([]byte, len(want.key))
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(passwordHash{})); diff != "" {
		t.Errorf("stand-in hash (-want +got):\n%s", diff)
	}
}

func TestSignInThrottle(t *testing.T) {
	t.Parallel()
	f := setup(t, dana())
	signIn := func(password, addr string) error {
		_, err := f.SignIn(t.Context(), "dana", password, addr)
		return err
	}
	for range 5 {
		if err := signIn(danasPassword, "192.0.2.1:9"); err != nil {
			t.Fatalf("successes count: %v", err)
		}
	}
	for range maxFailures {
		if err := signIn("wrong", "192.0.2.1:9"); !fault.HasCode(err, SignInFailed) {
			t.Fatalf("SignIn = %v, want %s", err, SignInFailed)
		}
	}
	f.clock.advance(500 * time.Millisecond)
	err := signIn(danasPassword, "192.0.2.1:10")
	if !fault.HasCode(err, SignInThrottled) || fault.KindOf(err) != fault.TooMany {
		t.Fatalf("the right password while throttled = %v, want %s", err, SignInThrottled)
	}
	if got := fault.As(err).RetryAfterSeconds; got != 60 {
		t.Errorf("retry after %d s, want 60: never less than the rest", got)
	}
	if err := signIn(danasPassword, "192.0.2.2:9"); err != nil {
		t.Errorf("another address is throttled too: %v", err)
	}
	f.clock.advance(59*time.Second + 500*time.Millisecond)
	if err := signIn(danasPassword, "192.0.2.1:9"); err != nil {
		t.Errorf("after a minute: %v", err)
	}
}

func TestSignInThrottleHoldsAgainstMany(t *testing.T) {
	t.Parallel()
	f := setup(t, dana())
	var hashes, running, most atomic.Int64
	f.compare = func(string, string) (bool, error) {
		hashes.Add(1)
		most.Store(max(most.Load(), running.Add(1)))
		defer running.Add(-1)
		return false, nil
	}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			_, err := f.SignIn(t.Context(), "dana", "wrong", fmt.Sprintf("192.0.2.%d", i%4))
			if !fault.HasCode(err, SignInFailed) && !fault.HasCode(err, SignInThrottled) {
				t.Errorf("SignIn = %v", err)
			}
		})
	}
	wg.Wait()
	if hashes.Load() != 4*maxFailures {
		t.Errorf("%d passwords were tried from 4 addresses, want %d", hashes.Load(), 4*maxFailures)
	}
	if most.Load() > maxHashing {
		t.Errorf("%d hashes at once, want %d at most", most.Load(), maxHashing)
	}
}

func TestSignInWaitsForAHash(t *testing.T) {
	t.Parallel()
	f := setup(t, dana())
	for range maxHashing {
		f.hashing <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.SignIn(ctx, "dana", danasPassword, "192.0.2.1"); !errors.Is(err, context.Canceled) {
		t.Errorf("SignIn while all hashes are busy = %v, want %v", err, context.Canceled)
	}
	for range maxHashing {
		<-f.hashing
	}
	if _, err := f.SignIn(t.Context(), "dana", danasPassword, "192.0.2.1"); err != nil {
		t.Errorf("SignIn afterwards = %v: giving up is no failure", err)
	}
}

func TestStoreAway(t *testing.T) {
	t.Parallel()
	f := setup(t, dana())
	token, err := f.IssueToken(t.Context(), "dana", 0)
	if err != nil {
		t.Fatal(err)
	}
	f.store.fail(fault.New(fault.Unavailable, "", "away"))
	for range maxFailures + 1 {
		if _, err := f.SignIn(t.Context(), "dana", "wrong", "192.0.2.1"); fault.KindOf(err) != fault.Unavailable {
			t.Errorf("SignIn = %v, want unavailable, and no failure of the user", err)
		}
	}
	if _, err := f.Authenticate(t.Context(), token); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Authenticate = %v, want unavailable: an old picture is not trusted", err)
	}
	if _, err := f.IssueToken(t.Context(), "dana", 0); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("IssueToken = %v, want unavailable", err)
	}
}

func TestIssueToken(t *testing.T) {
	t.Parallel()
	f := setup(t, dana())
	if _, err := f.IssueToken(t.Context(), "nobody", 0); !fault.HasCode(err, UserUnknown) || fault.KindOf(err) != fault.NotFound {
		t.Errorf("IssueToken of an unknown user = %v, want %s", err, UserUnknown)
	}
	for ttl, want := range map[time.Duration]time.Duration{0: DefaultTokenTTL, 8 * time.Hour: 8 * time.Hour} {
		token, err := f.IssueToken(t.Context(), "DANA", ttl)
		if err != nil {
			t.Fatal(err)
		}
		claims, err := f.verify(token)
		if err != nil {
			t.Fatal(err)
		}
		if got := claims.ExpiresAt.Sub(f.clock.now()); got != want || claims.Subject != "Dana" {
			t.Errorf("ttl %v: %s is good for %v, want Dana for %v", ttl, claims.Subject, got, want)
		}
	}
}

func TestAuthenticateSeesNow(t *testing.T) {
	t.Parallel()
	f := setup(t, dana())
	token, err := f.IssueToken(t.Context(), "dana", 0)
	if err != nil {
		t.Fatal(err)
	}
	grant := Grant{Study: juno, Site: boston, Role: CRC}
	f.store.set([]*User{dana(grant)}, nil)
	p, err := f.Authenticate(t.Context(), token)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Grant{grant}, p.Grants); diff != "" {
		t.Errorf("grants after a change (-want +got):\n%s", diff)
	}
	f.store.set(nil, nil)
	if _, err := f.Authenticate(t.Context(), token); !fault.HasCode(err, TokenInvalid) {
		t.Errorf("the token of a removed user = %v, want %s", err, TokenInvalid)
	}
}

func TestAuthenticateServiceAccount(t *testing.T) {
	t.Parallel()
	f := setup(t, &User{Username: "app"})
	f.store.set([]*User{{Username: "app"}}, []*ServiceAccount{{Name: "App", Studies: []registry.StudyID{juno}}})
	for name, want := range map[string]*Principal{
		"App": {Name: "App", Service: true, Studies: []registry.StudyID{juno}},
		"app": nil, // names of accounts keep their case, and no user stands in for one
	} {
		token, err := f.mint(serviceHolder, name, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		got, err := f.Authenticate(t.Context(), token)
		if (err == nil) != (want != nil) || !cmp.Equal(want, got) {
			t.Errorf("Authenticate(%s) = %+v, %v, want %+v", name, got, err, want)
		}
	}
}

func TestDirectoryIsReadOncePerChange(t *testing.T) {
	t.Parallel()
	f := setup(t, dana())
	token, err := f.IssueToken(t.Context(), "dana", 0)
	if err != nil {
		t.Fatal(err)
	}
	for change := range 3 {
		f.store.set([]*User{dana()}, nil)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, err := f.Authenticate(t.Context(), token); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if want := change + 2; f.store.reads != want {
			t.Errorf("%d directories were read after %d changes, want %d", f.store.reads, change+1, want)
		}
	}
}
