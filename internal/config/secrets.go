package config

import (
	"context"
	"errors"
	"fmt"

	"rollcall/internal/access"
	"rollcall/internal/registry"
)

// secrets holds, by folded username, the hash that a user with a plain password should have:
// the stored one where the password matches it, so that nothing differs, or else a fresh one.
type secrets map[string]string

var errLookOnly = errors.New("look only")

// prepareSecrets compares and hashes plain passwords before the transaction that writes:
// hashing is slow by design, and nobody else can write meanwhile.
func prepareSecrets(ctx context.Context, store Store, defs *Definitions) (secrets, error) {
	stored, err := storedHashes(ctx, store, defs)
	if err != nil {
		return nil, err
	}
	prepared := secrets{}
	for _, d := range defs.Users {
		if d.Password == "" {
			continue
		}
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("hash passwords: %w", err)
		}
		key := registry.Fold(d.Username)
		// A stored hash that cannot be read is one that does not match.
		if matches, err := access.VerifyPassword(stored[key], d.Password); err == nil && matches {
			prepared[key] = stored[key]
			continue
		}
		if prepared[key], err = access.HashPassword(d.Password); err != nil {
			return nil, Problems{{Place: d.At, Message: err.Error()}}
		}
	}
	return prepared, nil
}

// storedHashes reads the hashes of all users, if any definition has a plain password.
func storedHashes(ctx context.Context, store Store, defs *Definitions) (map[string]string, error) {
	hashes := map[string]string{}
	needed := false
	for _, d := range defs.Users {
		needed = needed || d.Password != ""
	}
	if !needed {
		return hashes, nil
	}
	err := store.Define(ctx, func(ctx context.Context, tx Tx) error {
		users, err := tx.Users(ctx)
		if err != nil {
			return err
		}
		for _, u := range users {
			hashes[registry.Fold(u.Username)] = u.PasswordHash
		}
		return errLookOnly
	})
	if !errors.Is(err, errLookOnly) {
		return nil, fmt.Errorf("read users: %w", err)
	}
	return hashes, nil
}
