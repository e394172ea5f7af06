package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"rollcall/internal/store/pgtest"
)

// databases makes databases on a PostgreSQL server.
type databases struct {
	server *pgtest.Server
	made   int
}

// create answers the URL of a new database.
func (d *databases) create(ctx context.Context) (string, error) {
	d.made++
	name := fmt.Sprintf("bench_%d", d.made)
	if err := d.execute(ctx, "postgres", "CREATE DATABASE "+name+" OWNER "+pgtest.Role); err != nil {
		return "", err
	}
	u, err := url.Parse(d.server.Superuser(name))
	if err != nil {
		return "", err
	}
	u.User = url.User(pgtest.Role)
	return u.String(), nil
}

// drop drops the database of that URL.
func (d *databases) drop(ctx context.Context, database string) error {
	return d.execute(ctx, "postgres", "DROP DATABASE "+nameOf(database)+" WITH (FORCE)")
}

// settle does what autovacuum would have done a minute later.
func (d *databases) settle(ctx context.Context, database string) error {
	return d.execute(ctx, nameOf(database), "VACUUM ANALYZE")
}

func nameOf(database string) string {
	config, err := pgx.ParseConfig(database)
	if err != nil {
		return ""
	}
	return config.Database
}

func (d *databases) execute(ctx context.Context, database, statement string) error {
	conn, err := pgx.Connect(ctx, d.server.Superuser(database))
	if err != nil {
		return err
	}
	_, err = conn.Exec(ctx, statement)
	return errors.Join(err, conn.Close(ctx))
}

// rawPostgres is a registry's database that is written without Rollcall.
type rawPostgres struct {
	*rawRows
	pool   *pgxpool.Pool
	people int
}

// postgresRows takes templates from a registry's database.
func postgresRows(ctx context.Context, database string) (_ *rawRows, err error) {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	rows, err := conn.Query(ctx, fmt.Sprintf("SELECT * FROM participants ORDER BY seq LIMIT %d", templateRows))
	if err != nil {
		return nil, err
	}
	r := &rawRows{wrapped: true}
	for _, column := range rows.FieldDescriptions() {
		r.columns = append(r.columns, column.Name)
	}
	for rows.Next() {
		row, err := rows.Values()
		if err != nil {
			return nil, err
		}
		r.templates = append(r.templates, row)
	}
	return r, errors.Join(rows.Err(), r.locate())
}

// openRawPostgres connects to the database of a registry that is empty, for rows as those.
func openRawPostgres(ctx context.Context, database string, rows *rawRows) (*rawPostgres, error) {
	config, err := pgxpool.ParseConfig(database)
	if err != nil {
		return nil, err
	}
	config.MaxConns = connections
	pool, err := pgxpool.NewWithConfig(ctx, config)
	return &rawPostgres{rawRows: rows, pool: pool}, err
}

// bulk adds so many people with one COPY, and to the audit trail from them, in a transaction.
func (r *rawPostgres) bulk(ctx context.Context, people int) (measures, error) {
	const audit = `INSERT INTO audit_events (study_id, seq, width, at, actor, role, dialect, request_id, reason, action, participant_id, identifier, fields)
		SELECT study_id, 1000 + 6 * seq, 6, created_at, created_by, 'crc', 'openclinica', 'raw', '', 'participant added', id, identifier,
			'[["firstName","","' || first_name || '"],["lastName","","' || last_name || '"],["email","","' || email || '"],["mobilePhone","","' || mobile_phone || '"]]'
		FROM participants WHERE seq > $1`
	began := time.Now()
	next, end := r.people, r.people+people
	var row []any
	source := pgx.CopyFromFunc(func() ([]any, error) {
		if next == end {
			return nil, nil
		}
		row = r.row(row[:0], next)
		next++
		return row, nil
	})
	err := pgx.BeginFunc(ctx, r.pool, func(tx pgx.Tx) error {
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{"participants"}, r.columns, source); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, audit, r.people)
		return err
	})
	r.people = end
	return per(people, time.Since(began)), err
}

// singles adds people over several connections, each in a transaction of its own.
func (r *rawPostgres) singles(ctx context.Context, period time.Duration) (measures, error) {
	marks := make([]string, len(r.columns))
	for i := range marks {
		marks[i] = fmt.Sprintf("$%d", i+1)
	}
	text := "INSERT INTO participants (" + strings.Join(r.columns, ", ") + ") VALUES (" + strings.Join(marks, ", ") + ")"
	var next atomic.Int64
	next.Store(int64(r.people))
	failed := make([]error, connections)
	var group sync.WaitGroup
	began := time.Now()
	for i := range connections {
		group.Go(func() {
			for time.Since(began) < period && failed[i] == nil {
				_, failed[i] = r.pool.Exec(ctx, text, r.row(nil, int(next.Add(1)-1))...)
			}
		})
	}
	group.Wait()
	added := int(next.Load()) - r.people
	r.people += added
	return per(added, time.Since(began)), errors.Join(failed...)
}

// readPostgres reads the columns of an extract from a registry's database.
func readPostgres(ctx context.Context, database string) (_ measures, err error) {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	began := time.Now()
	rows, err := conn.Query(ctx, readColumns)
	if err != nil {
		return nil, err
	}
	people := 0
	for ; rows.Next(); people++ {
		_ = rows.RawValues() // they have been received; nobody wants them
	}
	return per(people, time.Since(began)), rows.Err()
}
