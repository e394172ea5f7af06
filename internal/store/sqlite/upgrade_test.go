package sqlite_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"

	"rollcall/internal/store/sqlite"
	"rollcall/internal/store/storetest"
)

// migrated is a database file whose migrations run one at a time.
type migrated struct {
	db         *sql.DB
	migrations *goose.Provider
}

func stepwise(t *testing.T, path string) *migrated {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=foreign_keys(ON)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	migrations, err := goose.NewProvider(database.DialectSQLite3, db, os.DirFS("migrations"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	return &migrated{db, migrations}
}

func (m *migrated) Up(t testing.TB) int64 {
	t.Helper()
	done, err := m.migrations.UpByOne(t.Context())
	if errors.Is(err, goose.ErrNoNextVersion) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return done.Source.Version
}

// query reads rows, each value as text.
func (m *migrated) query(t testing.TB, text string) []map[string]string {
	t.Helper()
	rows, err := m.db.QueryContext(t.Context(), text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]string
	for rows.Next() {
		values := make([]any, len(names))
		into := make([]any, len(names))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		row := map[string]string{}
		for i, name := range names {
			row[name] = fmt.Sprint(values[i])
			if values[i] == nil {
				row[name] = storetest.Null
			}
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func (m *migrated) Schema(t testing.TB) []string {
	t.Helper()
	var all []string
	for _, row := range m.query(t, "SELECT type, name, coalesce(sql, '') AS text FROM sqlite_schema ORDER BY type, name") {
		all = append(all, row["type"]+" "+row["name"]+": "+row["text"])
	}
	return all
}

func (m *migrated) Tables(t testing.TB) []storetest.Table {
	t.Helper()
	var all []storetest.Table
	const ours = `SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' AND name <> 'goose_db_version' ORDER BY rowid`
	for _, table := range m.query(t, ours) {
		columns := map[string]string{}
		for _, column := range m.query(t, "SELECT name, type FROM pragma_table_info('"+table["name"]+"')") {
			columns[column["name"]] = column["type"]
		}
		all = append(all, storetest.Table{Name: table["name"], Columns: columns})
	}
	return all
}

func (m *migrated) Insert(t testing.TB, table string, row map[string]any) {
	t.Helper()
	var names, places []string
	var values []any
	for name, value := range row {
		names, places, values = append(names, name), append(places, "?"), append(values, value)
	}
	text := "INSERT INTO " + table + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(places, ", ") + ")"
	if _, err := m.db.ExecContext(t.Context(), text, values...); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
}

func (m *migrated) Rows(t testing.TB, table string) []map[string]string {
	t.Helper()
	return m.query(t, "SELECT * FROM "+table)
}

// TestUpgrades: an upgraded file is like a new one, and whoever was in it still is.
func TestUpgrades(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fresh, old := filepath.Join(dir, "fresh.db"), filepath.Join(dir, "old.db")
	open(t, fresh)
	db, err := sqlite.Open(t.Context(), sqlite.Config{Path: old}) // makes the file and no schema
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	storetest.RunUpgrades(t, stepwise(t, old), stepwise(t, fresh))
	if err := open(t, old).Ready(t.Context()); err != nil {
		t.Errorf("ready: %v", err)
	}
}
