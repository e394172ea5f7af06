package cli

import (
	"context"
	"fmt"
	"time"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/registry"
	"rollcall/internal/store"
)

// The names of the server's own keys in the database.
const (
	tokenKey = "access tokens"
	codeKey  = "access codes"
)

// app is an open registry with the services on it.
type app struct {
	store    store.Store
	registry *registry.Service
	access   *access.Service
}

// newApp makes the services. Tokens from signing in are good for ttl; 0 means the default.
func newApp(ctx context.Context, st store.Store, now func() time.Time, ttl time.Duration) (*app, error) {
	key, err := st.ServerKey(ctx, codeKey, registry.CodeKeySize)
	if err != nil {
		return nil, fmt.Errorf("read key of access codes: %w", err)
	}
	codes, err := registry.NewCodeBook(key)
	if err != nil {
		return nil, err
	}
	if key, err = st.ServerKey(ctx, tokenKey, access.SigningKeySize); err != nil {
		return nil, fmt.Errorf("read key of access tokens: %w", err)
	}
	acc, err := access.New(access.Config{Store: st, SigningKey: key, Now: now, TokenTTL: ttl})
	if err != nil {
		return nil, err
	}
	return &app{store: st, registry: registry.NewService(st, codes, now), access: acc}, nil
}

// operator is who a command that works on the database acts as.
func operator(reason string) audit.Origin {
	return audit.Origin{Actor: "operator", Role: "operator", Dialect: "cli", Reason: reason}
}

// study finds a study by its OID.
func (a *app) study(ctx context.Context, oid string) (*registry.Study, error) {
	catalog, err := a.registry.Catalog(ctx)
	if err != nil {
		return nil, err
	}
	study, err := catalog.Study(oid)
	if err != nil {
		return nil, failed("there is no study %q", oid).withHint("studies here: %s", studyOIDs(catalog))
	}
	return study, nil
}

func studyOIDs(catalog *registry.Catalog) string {
	const most = 10
	text := ""
	for i, s := range catalog.Studies() {
		switch {
		case i == most:
			return text + ", ..."
		case i > 0:
			text += ", "
		}
		text += s.OID
	}
	if text == "" {
		return "none; load one with rollcall apply"
	}
	return text
}
