package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"rollcall/internal/store/relational"
)

// Check examines the whole database and lists what is wrong with it; nothing, if all is well.
// It reads everything and takes its time.
func (db *DB) Check(ctx context.Context) ([]string, error) {
	return db.DB.Check(ctx, checkPages, checkReferences)
}

func checkPages(ctx context.Context, q relational.Querier) ([]string, error) {
	found, err := lines(ctx, q, fmt.Sprintf("PRAGMA integrity_check(%d)", relational.MaxProblems))
	return slices.DeleteFunc(found, func(line string) bool { return line == "ok" }), err
}

func checkReferences(ctx context.Context, q relational.Querier) ([]string, error) {
	return lines(ctx, q, fmt.Sprintf(`SELECT 'table ' || "table" || ' has a row that refers to a row missing in ' || parent
		FROM pragma_foreign_key_check LIMIT %d`, relational.MaxProblems))
}

// lines reads the one text of each row.
func lines(ctx context.Context, q relational.Querier, text string) (all []string, err error) {
	rows, err := q.Query(ctx, text)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return nil, err
		}
		all = append(all, line)
	}
	return all, rows.Err()
}
