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
}

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
