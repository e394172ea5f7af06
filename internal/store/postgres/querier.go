package postgres

import (
	"context"
	"strings"

	"github.com/jackc/pgx/v5"

	"rollcall/internal/store/relational"
)

// runner is a pool or a connection.
type runner interface {
	Query(ctx context.Context, text string, args ...any) (pgx.Rows, error)
}

// querier runs queries.
type querier struct {
	runner
	limits limits
}

// Query implements relational.Querier.
func (q querier) Query(ctx context.Context, text string, args ...any) (relational.Rows, error) {
	ctx, cancel := q.limits.bound(ctx)
	found, err := q.runner.Query(ctx, text, bound(args)...)
	if err != nil {
		cancel()
		return nil, err
	}
	return rows{found, cancel}, nil
}

// rows give texts back as they were bound.
type rows struct {
	pgx.Rows
	cancel context.CancelFunc
}

// Close implements relational.Rows.
func (r rows) Close() error {
	r.Rows.Close()
	r.cancel()
	return r.Rows.Err()
}

// Scan implements relational.Rows.
func (r rows) Scan(dest ...any) error {
	if err := r.Rows.Scan(dest...); err != nil {
		return err
	}
	for _, d := range dest {
		if text, ok := d.(*string); ok && strings.IndexByte(*text, escape) >= 0 {
			*text = unescaped(*text)
		}
	}
	return nil
}

// bound makes arguments into what PostgreSQL can keep.
func bound(args []any) []any {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = escaped(text)
		}
	}
	return args
}
