package postgres_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"rollcall/internal/store/storetest"
)

// stepped is a database whose migrations run one at a time.
type stepped struct {
	conn       *pgx.Conn
	migrations *goose.Provider
}

func stepwise(t *testing.T, url string) *stepped {
	t.Helper()
	config, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	pool := stdlib.OpenDB(*config)
	t.Cleanup(func() { _ = pool.Close() })
	migrations, err := goose.NewProvider(database.DialectPostgres, pool, os.DirFS("migrations"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	return &stepped{connect(t, url), migrations}
}

func (s *stepped) Up(t testing.TB) int64 {
	t.Helper()
	done, err := s.migrations.UpByOne(t.Context())
	if errors.Is(err, goose.ErrNoNextVersion) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return done.Source.Version
}

func (s *stepped) Schema(t testing.TB) []string {
	t.Helper()
	return schema(t, s.conn)
}

func (s *stepped) Tables(t testing.TB) []storetest.Table {
	t.Helper()
	var all []storetest.Table
	const ours = `SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
		AND relname <> 'goose_db_version' ORDER BY oid`
	for _, name := range texts(t, s.conn, ours) {
		columns := map[string]string{}
		for _, column := range texts(t, s.conn, `SELECT column_name || ' ' || upper(data_type) FROM information_schema.columns
			WHERE table_schema = 'public' AND table_name = '`+name+`'`) {
			column, kind, _ := strings.Cut(column, " ")
			columns[column] = kind
		}
		all = append(all, storetest.Table{Name: name, Columns: columns})
	}
	return all
}

func (s *stepped) Insert(t testing.TB, table string, row map[string]any) {
	t.Helper()
	var names, places []string
	var values []any
	for name, value := range row {
		names, values = append(names, name), append(values, value)
		places = append(places, fmt.Sprintf("$%d", len(values)))
	}
	text := "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(places, ", ") + ")"
	if _, err := s.conn.Exec(t.Context(), text, values...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

func (s *stepped) Rows(t testing.TB, table string) []map[string]string {
	t.Helper()
	rows, err := s.conn.Query(t.Context(), "SELECT to_jsonb(x) FROM "+table+" x")
	if err != nil {
		t.Fatal(err)
	}
	read, err := pgx.CollectRows(rows, pgx.RowTo[map[string]any])
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]string
	for _, values := range read {
		row := map[string]string{}
		for name, value := range values {
			row[name] = fmt.Sprint(value)
			if value == nil {
				row[name] = storetest.Null
			}
		}
		all = append(all, row)
	}
	return all
}

// TestUpgrades: an upgraded database is like a new one, and whoever was in it still is.
func TestUpgrades(t *testing.T) {
	t.Parallel()
	url := server.Database(t)
	storetest.RunUpgrades(t, stepwise(t, url), stepwise(t, migrated(t)))
	if err := open(t, url).Ready(t.Context()); err != nil {
		t.Errorf("ready: %v", err)
	}
}
