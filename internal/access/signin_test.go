package access

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"rollcall/internal/fault"
)

// TestThrottledSignInAsksNoDatabase: once failures are known here, refusing costs nothing there.
func TestThrottledSignInAsksNoDatabase(t *testing.T) {
	t.Parallel()
	f := setup(t, dana())
	f.store.failures["192.0.2.1/32"] = []time.Time{f.clock.now(), f.clock.now()} // of another process
	for range 5 {
		if _, err := f.SignIn(t.Context(), "dana", danasPassword, "192.0.2.1:9"); !fault.HasCode(err, SignInThrottled) {
			t.Fatalf("SignIn = %v, want %s", err, SignInThrottled)
		}
	}
	if f.store.begun != 1 {
		t.Errorf("the database was asked for %d turns, want 1", f.store.begun)
	}
	f.clock.advance(failureWindow)
	if _, err := f.SignIn(t.Context(), "dana", danasPassword, "192.0.2.1:9"); err != nil {
		t.Errorf("after a minute: %v: the turn was not given back", err)
	}
}

// TestSignInGivesTheTurnBack whatever comes of the attempt.
func TestSignInGivesTheTurnBack(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	tests := []struct {
		name    string
		compare func(cancel func()) (bool, error)
		want    error
	}{
		{"the check fails", func(func()) (bool, error) { return false, broken }, broken},
		{"the client goes and the check fails", func(cancel func()) (bool, error) { cancel(); return false, broken }, broken},
		{"the client goes after a right password", func(cancel func()) (bool, error) { cancel(); return true, nil }, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			f := setup(t, dana())
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			f.compare = func(string, string) (bool, error) { return test.compare(cancel) }
			if _, err := f.SignIn(ctx, "dana", "x", "192.0.2.1"); !errors.Is(err, test.want) {
				t.Errorf("SignIn = %v, want %v", err, test.want)
			}
			if len(f.store.turns) != 0 || len(f.store.failures["192.0.2.1/32"]) != 0 {
				t.Errorf("turns %v, failures %v, want none", f.store.turns, f.store.failures)
			}
		})
	}
}

// TestClientWhoGoesHasFailed: going away after a wrong password does not undo it.
func TestClientWhoGoesHasFailed(t *testing.T) {
	t.Parallel()
	f := setup(t, dana())
	ctx, cancel := context.WithCancel(t.Context())
	f.compare = func(string, string) (bool, error) { cancel(); return false, nil }
	if _, err := f.SignIn(ctx, "dana", "x", "192.0.2.1"); !fault.HasCode(err, SignInFailed) {
		t.Errorf("SignIn = %v, want %s", err, SignInFailed)
	}
	if len(f.store.turns) != 0 || len(f.store.failures["192.0.2.1/32"]) != 1 {
		t.Errorf("turns %v, failures %v, want no turn and one failure", f.store.turns, f.store.failures)
	}
}

// TestUncountedResultIsWithheld: if a failure cannot be remembered, right and wrong passwords
// get the same answer.
func TestUncountedResultIsWithheld(t *testing.T) {
	t.Parallel()
	for _, right := range []bool{true, false} {
		f := setup(t, dana())
		f.compare = func(string, string) (bool, error) {
			f.store.fail(fault.New(fault.Unavailable, "", "away"))
			return right, nil
		}
		if token, err := f.SignIn(t.Context(), "dana", "x", "192.0.2.1"); token != "" || fault.KindOf(err) != fault.Unavailable {
			t.Errorf("password right %v: SignIn = %q, %v, want unavailable", right, token, err)
		}
	}
}

// TestSignInWaitsForOtherProcesses on the bubble's clock.
func TestSignInWaitsForOtherProcesses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setup(t, dana())
		turn, _, err := f.store.BeginSignIn(t.Context(), "192.0.2.1/32", time.Minute, f.clock.now())
		if err != nil {
			t.Fatal(err)
		}
		gone, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := f.SignIn(gone, "dana", danasPassword, "192.0.2.1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("SignIn while another process has the turn = %v, want to wait", err)
		}
		if _, err := f.SignIn(t.Context(), "dana", danasPassword, "192.0.2.2"); err != nil {
			t.Errorf("another address: %v", err)
		}
		time.AfterFunc(time.Second, func() {
			if err := f.store.EndSignIn(context.Background(), "192.0.2.1/32", turn, nil, f.clock.now()); err != nil {
				t.Error(err)
			}
		})
		start := time.Now()
		if _, err := f.SignIn(t.Context(), "dana", danasPassword, "192.0.2.1"); err != nil {
			t.Errorf("SignIn when the turn is free again: %v", err)
		}
		if waited := time.Since(start); waited < time.Second || waited > time.Second+turnPoll {
			t.Errorf("SignIn waited %v, want a second and not more than a poll beyond", waited)
		}
	})
}

// TestCheckEndsBeforeItsTurn: who cannot be served within a turn is told so, and does not hold
// the turn beyond its limit.
func TestCheckEndsBeforeItsTurn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := setup(t, dana())
		for range maxHashing {
			f.hashing <- struct{}{}
		}
		start := time.Now()
		_, err := f.SignIn(t.Context(), "dana", danasPassword, "192.0.2.1")
		if got := fault.As(err); got == nil || got.Kind != fault.Unavailable || got.RetryAfterSeconds != retryWhenBusy {
			t.Errorf("SignIn = %v, want unavailable", err)
		}
		if waited := time.Since(start); waited >= turnLimit || len(f.store.turns) != 0 {
			t.Errorf("after %v of %v there are turns %v", waited, turnLimit, f.store.turns)
		}
	})
}

// TestSignInOnAFullDisk: who has the right password can sign in to read, and failures are
// counted nevertheless.
func TestSignInOnAFullDisk(t *testing.T) {
	t.Parallel()
	f := setup(t, dana())
	f.store.full = true
	for range 3 {
		if _, err := f.SignIn(t.Context(), "dana", danasPassword, "192.0.2.1:9"); err != nil {
			t.Fatal(err)
		}
	}
	for range maxFailures {
		if _, err := f.SignIn(t.Context(), "dana", "wrong", "192.0.2.1:9"); !fault.HasCode(err, SignInFailed) {
			t.Fatalf("SignIn = %v, want %s", err, SignInFailed)
		}
	}
	if _, err := f.SignIn(t.Context(), "dana", danasPassword, "192.0.2.1:9"); !fault.HasCode(err, SignInThrottled) {
		t.Errorf("SignIn = %v, want %s", err, SignInThrottled)
	}
	if _, err := f.SignIn(t.Context(), "dana", danasPassword, "192.0.2.2:9"); err != nil {
		t.Errorf("from elsewhere: %v", err)
	}
}
