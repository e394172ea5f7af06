package access

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"rollcall/internal/registry"
)

// Store is what access needs of a storage engine. Its methods answer [fault.Unavailable]
// while the database is away.
type Store interface {
	// AccessVersion is a number that changes whenever a user, a grant or a service account
	// changes. It is cheap: it is read for every request.
	AccessVersion(ctx context.Context) (int64, error)

	// Directory reads every user and service account in one consistent picture, whose version
	// is the AccessVersion of that picture.
	Directory(ctx context.Context) (*Directory, error)

	// UseAssertion uses up the assertion with that jti of the account, and tells whether it
	// had not been used yet: however many ask at once, in whatever processes, one is told
	// that it is fresh. That is remembered durably until expiresAt; what had expired by now
	// is forgotten. Both times are kept to the microsecond.
	UseAssertion(ctx context.Context, account, jti string, expiresAt, now time.Time) (fresh bool, err error)

	// BeginSignIn takes the turn of a client address, any text, told apart by every character:
	// of all who ask, in whatever processes, one has it at a time. It answers the number of the
	// turn, which is above 0 and which no turn of the address has had before, even if the address
	// was forgotten since (a random number is good enough), and the failures that the last
	// [Store.EndSignIn] remembered, in its order, to the microsecond, in UTC. Turn 0, without
	// failures, says that somebody else has the turn, which is left as it is.
	//
	// A turn that has not ended within limit is void, and can be taken by the next; limit is
	// counted by the database's own clock, to the millisecond or finer, and one of 0 is over at
	// once. Now is the caller's clock and is what [SignInMemory] is reckoned from: addresses last
	// touched (begun or ended) that long before now or longer, whose turn nobody holds, are
	// forgotten with their failures, the address asked for among them.
	BeginSignIn(ctx context.Context, address string, limit time.Duration, now time.Time) (turn int64, failures []time.Time, err error)

	// EndSignIn gives the turn back and remembers failures, oldest first, in the place of those of before, as
	// many as there are and in their order, to the microsecond; without any the address is
	// forgotten. A turn that is void, because it is over its limit, was ended already or is not
	// the address's, changes nothing, and that is no error.
	EndSignIn(ctx context.Context, address string, turn int64, failures []time.Time, now time.Time) error

	// SpendBudget counts want more requests of a payer, any text, told apart by every character,
	// in the window that begins then, or as many as are left of limit. Granted is how many that
	// were: 0 if limit is reached or less than what is spent, or if want is not above 0. Spent is
	// the count with them; it may be above a limit that has been lowered. However many ask at
	// once, in whatever processes, no more than limit are granted in one window.
	//
	// A window, told apart to the microsecond, begins at 0 with its first request. One before the
	// latest that the payer has counts as that latest: clocks of processes differ. When a payer
	// is granted something in a window that is new to them, the counts of everybody in windows
	// that began more than an hour before it are forgotten.
	SpendBudget(ctx context.Context, payer string, window time.Time, want, limit int64) (granted, spent int64, err error)
}

// SignInMemory is how long a storage engine remembers failures to sign in, at the least. It is
// longer than any failure matters, so that clocks of processes may differ.
const SignInMemory = time.Hour

// Directory is one consistent picture of every user and service account. It is immutable.
type Directory struct {
	version  int64
	users    map[string]*User
	accounts map[string]*ServiceAccount
	keys     map[string][]jwt.VerificationKey // of accounts, read from their PEM form
}

// NewDirectory makes a directory of users and service accounts, which must not be changed
// afterwards.
func NewDirectory(version int64, users []*User, accounts []*ServiceAccount) *Directory {
	d := &Directory{
		version:  version,
		users:    make(map[string]*User, len(users)),
		accounts: make(map[string]*ServiceAccount, len(accounts)),
		keys:     make(map[string][]jwt.VerificationKey, len(accounts)),
	}
	for _, u := range users {
		d.users[registry.Fold(u.Username)] = u
	}
	for _, a := range accounts {
		d.accounts[a.Name], d.keys[a.Name] = a, parseKeys(a)
	}
	return d
}

// Version is the [Store.AccessVersion] of the picture.
func (d *Directory) Version() int64 { return d.version }

// User finds a user by name without regard to case.
func (d *Directory) User(username string) (*User, bool) {
	u, ok := d.users[registry.Fold(username)]
	return u, ok
}

// ServiceAccount finds a service account by its exact name.
func (d *Directory) ServiceAccount(name string) (*ServiceAccount, bool) {
	a, ok := d.accounts[name]
	return a, ok
}

// directoryCache keeps the last directory that was read and asks the store for each use
// whether it is still the current one.
type directoryCache struct {
	store   Store
	current atomic.Pointer[Directory]
	reading chan struct{} // holds one token while somebody reads a directory
}

func newDirectoryCache(store Store) *directoryCache {
	return &directoryCache{store: store, reading: make(chan struct{}, 1)}
}

// get returns the directory as it is now. However many ask at once after a change, one reads.
func (c *directoryCache) get(ctx context.Context) (*Directory, error) {
	version, err := c.store.AccessVersion(ctx)
	if err != nil {
		return nil, fmt.Errorf("read access version: %w", err)
	}
	if d := c.current.Load(); d != nil && d.version == version {
		return d, nil
	}
	select {
	case c.reading <- struct{}{}:
		defer func() { <-c.reading }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the directory: %w", ctx.Err())
	}
	if d := c.current.Load(); d != nil && d.version == version {
		return d, nil
	}
	d, err := c.store.Directory(ctx)
	if err != nil {
		return nil, fmt.Errorf("read directory: %w", err)
	}
	c.current.Store(d)
	return d, nil
}
