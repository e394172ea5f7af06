package sqlite

import (
	"context"
	"time"
)

// UseAssertion implements access.Store.
func (db *DB) UseAssertion(ctx context.Context, account, jti string, expiresAt, now time.Time) (bool, error) {
	var inserted int64
	err := db.inTx(ctx, 0, func(t *tx) error {
		_, err := t.exec(ctx, "DELETE FROM used_assertions WHERE expires_at <= $1", now.UnixMicro())
		if err != nil {
			return err
		}
		inserted, err = t.exec(ctx, `INSERT INTO used_assertions (account, jti, expires_at) VALUES ($1, $2, $3)
			ON CONFLICT (account, jti) DO NOTHING`, account, jti, expiresAt.UnixMicro())
		return err
	})
	if err != nil {
		return false, classify("use an assertion", err)
	}
	return inserted == 1, nil
}
