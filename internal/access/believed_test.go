package access

import (
	"fmt"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"rollcall/internal/fault"
)

// A token that has been believed is asked about its time and its holder all the same.
func TestBelievedTokenIsNoGrant(t *testing.T) {
	t.Parallel()
	f := setup(t, dana())
	token, err := f.IssueToken(t.Context(), "dana", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := f.Authenticate(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	if len(f.believed.byHash) != 1 {
		t.Fatalf("%d tokens are remembered, want the one", len(f.believed.byHash))
	}
	spoiled := token[:len(token)-8] + "AAAAAAAA"
	if _, err := f.Authenticate(t.Context(), spoiled); !fault.HasCode(err, TokenInvalid) {
		t.Errorf("with another signature: %v", err)
	}
	f.store.set(nil, nil)
	if _, err := f.Authenticate(t.Context(), token); !fault.HasCode(err, TokenInvalid) {
		t.Errorf("without its holder: %v, want %s", err, TokenInvalid)
	}
	f.store.set([]*User{dana()}, nil)
	if _, err := f.Authenticate(t.Context(), token); err != nil {
		t.Errorf("with its holder again: %v", err)
	}
	f.clock.advance(time.Minute)
	if _, err := f.Authenticate(t.Context(), token); !fault.HasCode(err, TokenExpired) {
		t.Errorf("at its time: %v, want %s", err, TokenExpired)
	}
}

// What is remembered is bounded, and what has expired goes first.
func TestBelievedTokensAreBounded(t *testing.T) {
	t.Parallel()
	b, now := newBelievedTokens(), time.Unix(1_700_000_000, 0)
	until := func(at time.Time) *tokenClaims {
		return &tokenClaims{RegisteredClaims: jwt.RegisteredClaims{ExpiresAt: jwt.NewNumericDate(at)}}
	}
	for i := range maxBelieved {
		expiry := now.Add(time.Hour)
		if i%2 == 0 {
			expiry = now.Add(time.Minute)
		}
		b.add(fmt.Sprint("token ", i), until(expiry), now)
	}
	later := now.Add(time.Minute)
	b.add("one more", until(later.Add(time.Hour)), later)
	if got := len(b.byHash); got != maxBelieved/2+1 {
		t.Errorf("%d are left, want those that are good", got)
	}
	for i := range 2 * maxBelieved {
		b.add(fmt.Sprint("more ", i), until(later.Add(time.Hour)), later)
	}
	if got := len(b.byHash); got != maxBelieved {
		t.Errorf("%d are remembered, want %d", got, maxBelieved)
	}
	if _, ok := b.claims(fmt.Sprint("more ", 2*maxBelieved-1), later); !ok {
		t.Error("the newest is not among them")
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	f := setup(b, dana())
	token, err := f.IssueToken(b.Context(), "dana", time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Authenticate(b.Context(), token); err != nil {
			b.Fatal(err)
		}
	}
}
