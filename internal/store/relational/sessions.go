package relational

import (
	"context"
	"time"

	"rollcall/internal/access"
)

// BeginSession implements access.SessionStore.
func (db *DB) BeginSession(ctx context.Context, s *access.Session, now time.Time) error {
	err := db.engine.Touch(ctx, func(ctx context.Context, w Transaction) error {
		if _, err := w.Exec(ctx, "DELETE FROM sessions WHERE until <= $1", now.UnixMicro()); err != nil {
			return err
		}
		_, err := w.Exec(ctx, "INSERT INTO sessions (session_key, username, stamp, begun_at, until) VALUES ($1, $2, $3, $4, $5)",
			s.Key, s.Username, s.Stamp, s.BegunAt.UnixMicro(), s.Until.UnixMicro())
		return err
	})
	return db.engine.Classify("begin a session", err)
}

// FindSession implements access.SessionStore.
func (db *DB) FindSession(ctx context.Context, key string) (*access.Session, error) {
	session, found, err := queryOne(ctx, db.engine.Read(), func(row scanner) (*access.Session, error) {
		s := &access.Session{Key: key}
		var begun, until int64
		err := row.Scan(&s.Username, &s.Stamp, &begun, &until)
		s.BegunAt, s.Until = time.UnixMicro(begun).UTC(), time.UnixMicro(until).UTC()
		return s, err
	}, "SELECT username, stamp, begun_at, until FROM sessions WHERE study_id = 0 AND session_key = $1", key)
	if err != nil || !found {
		return nil, db.engine.Classify("find a session", err)
	}
	return session, nil
}

// ProlongSession implements access.SessionStore.
func (db *DB) ProlongSession(ctx context.Context, key string, until time.Time) error {
	err := db.engine.Touch(ctx, func(ctx context.Context, w Transaction) error {
		_, err := w.Exec(ctx, "UPDATE sessions SET until = $2 WHERE study_id = 0 AND session_key = $1", key, until.UnixMicro())
		return err
	})
	return db.engine.Classify("prolong a session", err)
}

// EndSession implements access.SessionStore.
func (db *DB) EndSession(ctx context.Context, key string) error {
	err := db.engine.Touch(ctx, func(ctx context.Context, w Transaction) error {
		_, err := w.Exec(ctx, "DELETE FROM sessions WHERE study_id = 0 AND session_key = $1", key)
		return err
	})
	return db.engine.Classify("end a session", err)
}
