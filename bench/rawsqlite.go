package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	_ "modernc.org/sqlite" // the driver that Rollcall uses too
)

// rawSQLite is a registry's file that is written without Rollcall, as durably: with
// synchronous=FULL in a write-ahead log.
type rawSQLite struct {
	*rawRows
	dir    string // of the registry
	db     *sql.DB
	one    *sql.Stmt // inserts a row
	many   *sql.Stmt // inserts rowsTogether
	people int
}

// How raw loading is quickest: so many rows in a statement, so many statements in a transaction.
const (
	rowsTogether       = 50
	statementsTogether = 200
)

// openSQLite opens the file of a registry that is not served meanwhile, or only read here.
func openSQLite(file string) (*sql.DB, error) {
	pragmas := url.Values{"_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "cache_size(-49152)", "wal_autocheckpoint(4000)", "temp_store(MEMORY)",
	}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: file}).EscapedPath()+"?"+pragmas.Encode())
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

func (r *registry) sqliteFile() string { return filepath.Join(r.data(), "rollcall.db") }

// sqliteRows takes templates from a registry's file.
func sqliteRows(ctx context.Context, file string) (_ *rawRows, err error) {
	db, err := openSQLite(file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rows, err := db.QueryContext(ctx, fmt.Sprintf("SELECT * FROM participants ORDER BY seq LIMIT %d", templateRows))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	r := &rawRows{}
	if r.columns, err = rows.Columns(); err != nil {
		return nil, err
	}
	for rows.Next() {
		row, to := make([]any, len(r.columns)), make([]any, len(r.columns))
		for i := range row {
			to[i] = &row[i]
		}
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		r.templates = append(r.templates, row)
	}
	return r, errors.Join(rows.Err(), r.locate())
}

// openRawSQLite opens the file of an empty registry that nobody serves, for rows as those.
func openRawSQLite(ctx context.Context, empty *registry, rows *rawRows) (*rawSQLite, error) {
	db, err := openSQLite(empty.sqliteFile())
	if err != nil {
		return nil, err
	}
	r := &rawSQLite{rawRows: rows, dir: empty.dir, db: db}
	for into, count := range map[**sql.Stmt]int{&r.one: 1, &r.many: rowsTogether} {
		values := "(" + strings.TrimSuffix(strings.Repeat("?,", len(rows.columns)), ",") + ")"
		text := "INSERT INTO participants (" + strings.Join(rows.columns, ", ") + ") VALUES " +
			strings.Join(slices.Repeat([]string{values}, count), ", ")
		stmt, err := db.PrepareContext(ctx, text)
		if err != nil {
			return nil, errors.Join(err, db.Close())
		}
		*into = stmt
	}
	return r, nil
}

// close closes and removes the file.
func (r *rawSQLite) close() error {
	return errors.Join(r.one.Close(), r.many.Close(), r.db.Close(), os.RemoveAll(r.dir))
}

// inTransaction makes what do does durable.
func (r *rawSQLite) inTransaction(ctx context.Context, do func(tx *sql.Tx) error) error {
	tx, err := r.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// bulk adds so many people in large transactions.
func (r *rawSQLite) bulk(ctx context.Context, people int) (measures, error) {
	began := time.Now()
	for end := r.people + people; r.people < end; {
		err := r.inTransaction(ctx, func(tx *sql.Tx) error {
			many, one := tx.StmtContext(ctx, r.many), tx.StmtContext(ctx, r.one) //nolint:sqlclosecheck // the transaction closes them
			var args []any
			for range statementsTogether {
				stmt, count := many, rowsTogether
				if end-r.people < rowsTogether {
					stmt, count = one, min(1, end-r.people)
				}
				if count == 0 {
					break
				}
				args = args[:0]
				for range count {
					args = r.row(args, r.people)
					r.people++
				}
				if _, err := stmt.ExecContext(ctx, args...); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return per(people, time.Since(began)), nil
}

// singles adds people, each in a transaction of its own.
func (r *rawSQLite) singles(ctx context.Context, period time.Duration) (measures, error) {
	first, began := r.people, time.Now()
	for time.Since(began) < period {
		if err := r.commit(ctx, 1); err != nil {
			return nil, err
		}
	}
	return per(r.people-first, time.Since(began)), nil
}

// commit adds so many people in one transaction, a statement each.
func (r *rawSQLite) commit(ctx context.Context, people int) error {
	return r.inTransaction(ctx, func(tx *sql.Tx) error {
		one := tx.StmtContext(ctx, r.one) //nolint:sqlclosecheck // the transaction closes it
		for range people {
			if _, err := one.ExecContext(ctx, r.row(nil, r.people)...); err != nil {
				return err
			}
			r.people++
		}
		return nil
	})
}

// writers is how many add people at the same time in coalesced.
const writers = 64

// coalesced has writers add one person after the other; those who wait share a transaction.
func (r *rawSQLite) coalesced(ctx context.Context, period time.Duration) (measures, error) {
	waiting := make(chan chan error, writers)
	began := time.Now()
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			done := make(chan error)
			for time.Since(began) < period {
				waiting <- done
				if <-done != nil {
					return
				}
			}
		})
	}
	go func() {
		group.Wait()
		close(waiting)
	}()
	first := r.people
	var failed error
	for one := range waiting {
		together := []chan error{one}
		for range len(waiting) {
			together = append(together, <-waiting)
		}
		err := r.commit(ctx, len(together))
		failed = errors.Join(failed, err)
		for _, done := range together {
			done <- err
		}
	}
	return per(r.people-first, time.Since(began)), failed
}

// readColumns reads what an extract shows of everybody, and nothing more.
const readColumns = "SELECT identifier, first_name, last_name, email, mobile_phone, secondary_id FROM participants ORDER BY study_id, seq"

// readSQLite reads the columns of an extract from a registry's file.
func readSQLite(ctx context.Context, file string) (_ measures, err error) {
	db, err := openSQLite(file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	began := time.Now()
	rows, err := db.QueryContext(ctx, readColumns)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	people := 0
	var a, b, c, d, e, f sql.RawBytes
	for ; rows.Next(); people++ {
		if err := rows.Scan(&a, &b, &c, &d, &e, &f); err != nil {
			return nil, err
		}
	}
	return per(people, time.Since(began)), rows.Err()
}
