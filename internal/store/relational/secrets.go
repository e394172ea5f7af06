package relational

import (
	"context"
	"crypto/rand"
	"fmt"
)

// ServerKey answers the server's own secret of that name and size in bytes, and makes it the
// first time that anybody asks. Every process gets the same.
func (db *DB) ServerKey(ctx context.Context, name string, size int) ([]byte, error) {
	const find = "SELECT secret FROM server_keys WHERE name = $1"
	secret, found, err := queryOne(ctx, db.engine.Read(), scanValue[[]byte], find, name)
	if err == nil && !found {
		err = db.engine.Touch(ctx, func(ctx context.Context, w Transaction) error {
			fresh := make([]byte, size)
			rand.Read(fresh) // never fails: crypto/rand ends the program rather than return short
			_, err := w.Exec(ctx, "INSERT INTO server_keys (name, secret) VALUES ($1, $2) ON CONFLICT DO NOTHING", name, fresh)
			if err == nil {
				secret, _, err = queryOne(ctx, w, scanValue[[]byte], find, name)
			}
			return err
		})
	}
	if err != nil {
		return nil, db.engine.Classify("read a server key", err)
	}
	if len(secret) != size {
		return nil, fmt.Errorf("server key %s has %d bytes, want %d", name, len(secret), size)
	}
	return secret, nil
}
