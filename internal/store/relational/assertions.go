package relational

import (
	"context"
	"time"
)

// UseAssertion implements access.Store.
func (db *DB) UseAssertion(ctx context.Context, account, jti string, expiresAt, now time.Time) (bool, error) {
	var inserted int64
	err := db.engine.Touch(ctx, func(ctx context.Context, w Transaction) error {
		_, err := w.Exec(ctx, "DELETE FROM used_assertions WHERE expires_at <= $1", now.UnixMicro())
		if err != nil {
			return err
		}
		inserted, err = w.Exec(ctx, `INSERT INTO used_assertions (account, jti, expires_at) VALUES ($1, $2, $3)
			ON CONFLICT DO NOTHING`, account, jti, expiresAt.UnixMicro())
		return err
	})
	if err != nil {
		return false, db.engine.Classify("use an assertion", err)
	}
	return inserted == 1, nil
}
