package cli

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/registry"
	"rollcall/internal/segment"
	"rollcall/internal/store"
	"rollcall/internal/wire/openclinica"
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
	rules    *segment.Book
}

// signIn is how users and service accounts sign in to a server. Commands that work on the
// database let nobody in.
type signIn struct {
	ttl       time.Duration // of a user's token
	audiences []string      // of a service account's assertion
	log       *slog.Logger
}

// newApp makes the services.
func newApp(ctx context.Context, st store.Store, now func() time.Time, in signIn) (*app, error) {
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
	acc, err := access.New(access.Config{
		Store: st, SigningKey: key, Now: now, TokenTTL: in.ttl, Audiences: in.audiences, Log: in.log,
	})
	if err != nil {
		return nil, err
	}
	rules := segment.NewBook()
	reg := registry.NewService(st, codes, now, registry.WithRules(rules), registry.WithScrubber(openclinica.Scrub))
	return &app{store: st, registry: reg, access: acc, rules: rules}, nil
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
