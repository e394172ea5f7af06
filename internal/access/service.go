package access

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"rollcall/internal/fault"
)

// maxHashing is how many password hashes are computed at once. Each takes 19 MiB, so memory
// stays flat however many sign in.
const maxHashing = 2

// Config is what [New] needs.
type Config struct {
	Store      Store
	SigningKey []byte           // SigningKeySize bytes, kept in the database
	Now        func() time.Time // the clock
	TokenTTL   time.Duration    // how long a token from [Service.SignIn] is good for; 0 means DefaultTokenTTL
	Audiences  []string         // what the aud of an assertion may be: URLs of the token endpoint; see [Service.AcceptAudiences] too
	Log        *slog.Logger     // is told why an assertion was refused; nil: nobody is
}

// Service signs users and service accounts in and tells who a token belongs to. It is safe for
// concurrent use.
type Service struct {
	store      Store
	directory  *directoryCache
	believed   *believedTokens
	signingKey []byte
	now        func() time.Time
	ttl        time.Duration
	audiences  atomic.Pointer[[]string]
	log        *slog.Logger

	throttle *throttle
	hashing  chan struct{} // holds a token for each hash that is being computed

	// compare is VerifyPassword; tests count its calls.
	compare func(hash, password string) (bool, error)
	// nobody is a hash that nobody's password has, so that an unknown user costs what a known
	// one does.
	nobody string
}

// New makes a service.
func New(c Config) (*Service, error) {
	if c.Store == nil || c.Now == nil {
		return nil, errors.New("access: store and clock are required")
	}
	if len(c.SigningKey) != SigningKeySize {
		return nil, fmt.Errorf("access: the signing key has %d bytes, want %d", len(c.SigningKey), SigningKeySize)
	}
	nobody := passwordHash{
		memory: hashMemory, passes: hashPasses, threads: hashThreads,
		salt: make([]byte, saltBytes), key: make([]byte, keyBytes),
	}
	s := &Service{
		store:      c.Store,
		directory:  newDirectoryCache(c.Store),
		believed:   newBelievedTokens(),
		signingKey: c.SigningKey,
		now:        c.Now,
		ttl:        c.TokenTTL,
		log:        c.Log,
		throttle:   newThrottle(),
		hashing:    make(chan struct{}, maxHashing),
		compare:    VerifyPassword,
		nobody:     nobody.String(),
	}
	if s.ttl <= 0 {
		s.ttl = DefaultTokenTTL
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	audiences := slices.Clone(c.Audiences)
	s.audiences.Store(&audiences)
	return s, nil
}

// IssueToken answers a token for a user on an operator's word, without a password; ttl 0 means
// the default. The caller remembers it as [audit.TokenIssuedByOperator]. It answers
// [fault.NotFound] with [UserUnknown] if there is no such user.
func (s *Service) IssueToken(ctx context.Context, username string, ttl time.Duration) (string, error) {
	directory, err := s.directory.get(ctx)
	if err != nil {
		return "", err
	}
	user, ok := directory.User(username)
	if !ok {
		return "", fault.New(fault.NotFound, UserUnknown, "there is no user %q", username)
	}
	if ttl <= 0 {
		ttl = s.ttl
	}
	return s.mint(userHolder, user.Username, ttl)
}

// Authenticate tells who a token belongs to and what they hold now, not when it was issued.
// The token comes without the word Bearer. It answers [fault.Unauthenticated] with
// [TokenInvalid] or [TokenExpired]; a holder who has been removed has no valid token.
func (s *Service) Authenticate(ctx context.Context, token string) (*Principal, error) {
	claims, err := s.verify(token)
	if err != nil {
		return nil, err
	}
	directory, err := s.directory.get(ctx)
	if err != nil {
		return nil, err
	}
	switch claims.Kind {
	case userHolder:
		if user, ok := directory.User(claims.Subject); ok {
			return &Principal{Name: user.Username, Grants: user.Grants}, nil
		}
	case serviceHolder:
		if account, ok := directory.ServiceAccount(claims.Subject); ok {
			return &Principal{Name: account.Name, Service: true, Studies: account.Studies}, nil
		}
	}
	return nil, errTokenInvalid()
}
