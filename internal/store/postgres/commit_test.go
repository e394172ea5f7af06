package postgres_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/access"
	"rollcall/internal/config"
	"rollcall/internal/fault"
	"rollcall/internal/registry"
	"rollcall/internal/store/pgtest"
)

// isCommit tells whether a message of a client is the COMMIT of a transaction.
func isCommit(message []byte) bool {
	return bytes.Equal(message[5:], []byte("COMMIT\x00")) && message[0] == 'Q'
}

// TestCutAtCommit: when the network is cut at COMMIT, nobody is told that it is done, whether it
// is or not; asking again tells, and it is done once.
func TestCutAtCommit(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		when pgtest.Verdict
		want []string // who is there afterwards
	}{
		{"before the server has it", pgtest.CutBefore, nil},
		{"before the client knows", pgtest.CutAfter, []string{"A", "B"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url := migrated(t)
			elsewhere := newNode(t, url)
			proxy := pgtest.StartProxy(t, url)
			n := newNode(t, proxy.URL())
			var commits atomic.Int64
			proxy.Watch(func(message []byte) pgtest.Verdict {
				if isCommit(message) && commits.Add(1) == 1 {
					return test.when
				}
				return pgtest.Forward
			})
			wantAway(t, n.add("A", "B"))
			if commits.Load() != 1 {
				t.Errorf("%d commits, want 1 and no other try", commits.Load())
			}
			// The server may still be rolling back what it never saw the end of.
			err := elsewhere.InStudy(t.Context(), n.study.ID, nothing)
			if diff := cmp.Diff(test.want, elsewhere.people()); diff != "" || err != nil {
				t.Errorf("participants (-want +got), %v:\n%s", err, diff)
			}
			switch err := n.add("A", "B"); {
			case test.want == nil && err != nil:
				t.Errorf("again: %v", err)
			case test.want != nil && !fault.HasCode(err, registry.IdentifierTaken):
				t.Errorf("again: %v, want %s", err, registry.IdentifierTaken)
			}
			if diff := cmp.Diff([]string{"A", "B"}, elsewhere.people()); diff != "" {
				t.Errorf("in the end (-want +got):\n%s", diff)
			}
		})
	}
}

// noticed is a context that tells when somebody first waits for its end: who stands in the line
// for a commit does.
type noticed struct {
	context.Context
	waits func()
}

func (n noticed) Done() <-chan struct{} {
	n.waits()
	return n.Context.Done()
}

func nothing(context.Context, registry.Tx) error { return nil }

// TestSharedCommitCut: requests that share a transaction whose outcome is not known all hear so,
// and none of them is tried once more behind its caller's back.
func TestSharedCommitCut(t *testing.T) {
	t.Parallel()
	const shared = 8
	for _, when := range []pgtest.Verdict{pgtest.CutBefore, pgtest.CutAfter} {
		t.Run(fmt.Sprint(when), func(t *testing.T) {
			t.Parallel()
			url := migrated(t)
			elsewhere := newNode(t, url)
			proxy := pgtest.StartProxy(t, url)
			n := newNode(t, proxy.URL())
			first, queued := make(chan struct{}), make(chan struct{})
			var commits atomic.Int64
			proxy.Watch(func(message []byte) pgtest.Verdict {
				if !isCommit(message) {
					return pgtest.Forward
				}
				switch commits.Add(1) {
				case 1: // of who leads; the others come together meanwhile
					close(first)
					<-queued
					return pgtest.Forward
				case 2:
					return when
				}
				return pgtest.Forward
			})
			var group sync.WaitGroup
			group.Go(func() {
				if err := n.add("LEADER"); err != nil {
					t.Errorf("before the cut: %v", err)
				}
			})
			<-first
			var standing sync.WaitGroup
			standing.Add(shared)
			for i := range shared {
				ctx := noticed{t.Context(), sync.OnceFunc(standing.Done)}
				group.Go(func() { wantAway(t, n.addIn(ctx, fmt.Sprintf("P-%d", i))) })
			}
			standing.Wait()
			close(queued)
			group.Wait()
			if commits.Load() != 2 {
				t.Errorf("%d commits, want the two that were shared", commits.Load())
			}
			if err := elsewhere.InStudy(t.Context(), n.study.ID, nothing); err != nil {
				t.Error(err)
			}
			want := map[pgtest.Verdict]int{pgtest.CutBefore: 1, pgtest.CutAfter: 1 + shared}[when]
			if got := elsewhere.people(); len(got) != want {
				t.Errorf("participants %q, want %d", got, want)
			}
		})
	}
}

// TestSignInCut: whatever COMMIT of a sign-in the network is cut at, the address can sign in
// again at once.
func TestSignInCut(t *testing.T) {
	t.Parallel()
	hash, err := access.HashPassword("correct-horse")
	if err != nil {
		t.Fatal(err)
	}
	for cut := int64(1); cut <= 4; cut++ { // of old sign-ins, the turn's begin, the directory, the turn's end
		for _, when := range []pgtest.Verdict{pgtest.CutBefore, pgtest.CutAfter} {
			t.Run(fmt.Sprint(cut, when), func(t *testing.T) {
				t.Parallel()
				url := migrated(t)
				proxy := pgtest.StartProxy(t, url)
				n := newNode(t, proxy.URL())
				err := n.Define(t.Context(), func(ctx context.Context, tx config.Tx) error {
					return tx.PutUser(ctx, &access.User{Username: "dana", PasswordHash: hash})
				})
				if err != nil {
					t.Fatal(err)
				}
				service, err := access.New(access.Config{
					Store: n.DB, SigningKey: make([]byte, access.SigningKeySize), Now: time.Now, TokenTTL: time.Hour, Log: slog.New(slog.DiscardHandler),
				})
				if err != nil {
					t.Fatal(err)
				}
				var commits atomic.Int64
				proxy.Watch(func(message []byte) pgtest.Verdict {
					if isCommit(message) && commits.Add(1) == cut {
						return when
					}
					return pgtest.Forward
				})
				if _, err := service.SignIn(t.Context(), "dana", "correct-horse", "192.0.2.1"); err != nil {
					wantAway(t, err)
				}
				start := time.Now()
				if _, err := service.SignIn(t.Context(), "dana", "correct-horse", "192.0.2.1"); err != nil || time.Since(start) > 15*time.Second {
					t.Errorf("again, after %s: %v", time.Since(start), err)
				}
				if commits.Load() <= cut {
					t.Errorf("%d commits, want more than %d", commits.Load(), cut)
				}
			})
		}
	}
}
