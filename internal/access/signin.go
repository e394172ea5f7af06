package access

import (
	"context"
	"fmt"
	"math"
	"time"

	"rollcall/internal/fault"
)

// An attempt has its address's turn in the database, too, so that the limit on failures holds
// for all processes together.
const (
	turnLimit  = 30 * time.Second      // after it the turn of a process that died is void
	checkLimit = 20 * time.Second      // a password is checked well within its turn
	turnPoll   = 25 * time.Millisecond // how often to ask while another process has the turn
	endLimit   = 5 * time.Second       // how long to try to give a turn back
)

// retryWhenBusy is when to try again while more sign in than can be served, in seconds.
const retryWhenBusy = 5

// SignIn answers a token for the user whose password it is. RemoteAddr is the client's address,
// with or without a port. An unknown user and a wrong password are the same
// [fault.Unauthenticated] with [SignInFailed], and take the same time. After two failures in a
// minute from one address (one /64 of IPv6), in whatever processes on this database, it answers
// [fault.TooMany] with [SignInThrottled], to the right password too. It answers
// [fault.Unavailable] if the database is away or more sign in than can be served.
func (s *Service) SignIn(ctx context.Context, username, password, remoteAddr string) (string, error) {
	address, err := s.throttle.enter(ctx, remoteAddr, s.now())
	if err != nil {
		return "", err
	}
	defer s.throttle.leave(address)
	if wait := s.throttle.wait(address, s.now()); wait > 0 { // the database can but know of more failures
		return "", errThrottled(wait)
	}
	turn, failures, err := s.takeTurn(ctx, address)
	if err != nil {
		return "", err
	}
	now := s.now()
	s.throttle.remember(address, failures, now)
	if wait := waitAfter(recent(failures, now), now); wait > 0 { // not of the throttle, which may have forgotten
		_ = s.endTurn(ctx, address.text(), turn, failures) // if it fails, the turn is void in time
		return "", errThrottled(wait)
	}
	user, err := s.checkInTurn(ctx, username, password)
	if err != nil {
		_ = s.endTurn(ctx, address.text(), turn, failures) // as above
		return "", err
	}
	if user == nil {
		failures = append(failures, s.now())
	}
	// Nobody learns of a result that could not be counted.
	if err := s.endTurn(ctx, address.text(), turn, failures); err != nil {
		return "", err
	}
	if user == nil {
		s.throttle.remember(address, failures, s.now())
		return "", fault.New(fault.Unauthenticated, SignInFailed, "the user name or the password is wrong")
	}
	return s.mint(userHolder, user.Username, s.ttl)
}

// noTurn stands for a turn that the database had no room for. Then failures are counted in this
// process alone: a full disk keeps nobody from reading.
const noTurn = -1

// takeTurn waits for the address's turn in the database.
func (s *Service) takeTurn(ctx context.Context, a *address) (turn int64, failures []time.Time, err error) {
	for {
		turn, failures, err = s.store.BeginSignIn(ctx, a.text(), turnLimit, s.now())
		if err != nil && fault.KindOf(err) == fault.StorageFull {
			return noTurn, s.throttle.recall(a), nil
		}
		if err != nil {
			return 0, nil, fmt.Errorf("take the turn to sign in: %w", err)
		}
		if turn > 0 {
			return turn, failures, nil
		}
		if !pause(ctx, turnPoll) {
			return 0, nil, fmt.Errorf("wait to sign in: %w", ctx.Err())
		}
	}
}

// endTurn gives the turn back with the failures to remember, even if whoever wanted to sign in
// has gone. While the database is away it tries again for a while: else the address had to wait
// until the turn is void. Ending a turn twice is no different from ending it once.
func (s *Service) endTurn(ctx context.Context, address string, turn int64, failures []time.Time) error {
	if turn == noTurn {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endLimit)
	defer cancel()
	for {
		now := s.now()
		err := s.store.EndSignIn(ctx, address, turn, recent(failures, now), now)
		switch {
		case err == nil || fault.KindOf(err) == fault.StorageFull: // the turn is void in time
			return nil
		case fault.KindOf(err) != fault.Unavailable || !pause(ctx, turnPoll):
			return fmt.Errorf("give the turn to sign in back: %w", err)
		}
	}
}

// pause waits; false if ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// checkInTurn checks a password within the time that its turn leaves.
func (s *Service) checkInTurn(ctx context.Context, username, password string) (*User, error) {
	within, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	user, err := s.checkPassword(within, username, password)
	if err != nil && within.Err() != nil && ctx.Err() == nil {
		busy := fault.Wrap(fault.Unavailable, err, "too many are signing in at once")
		busy.RetryAfterSeconds = retryWhenBusy
		return nil, busy
	}
	return user, err
}

// checkPassword returns the user if the password is theirs, nil if it is not or if there is no
// such user. It computes exactly one hash either way.
func (s *Service) checkPassword(ctx context.Context, username, password string) (*User, error) {
	directory, err := s.directory.get(ctx)
	if err != nil {
		return nil, err
	}
	user, known := directory.User(username)
	hash := s.nobody
	if known && CheckPasswordHash(user.PasswordHash) == nil {
		hash = user.PasswordHash
	}
	select {
	case s.hashing <- struct{}{}:
		defer func() { <-s.hashing }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to check a password: %w", ctx.Err())
	}
	matches, err := s.compare(hash, password)
	if err != nil {
		return nil, fmt.Errorf("check password: %w", err)
	}
	if !matches || hash == s.nobody {
		return nil, nil
	}
	return user, nil
}

func errThrottled(wait time.Duration) error {
	err := fault.New(fault.TooMany, SignInThrottled, "too many failed sign-ins from this address")
	err.RetryAfterSeconds = int(math.Ceil(wait.Seconds()))
	return err
}
