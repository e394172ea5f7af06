package storetest

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Migrated is a database whose migrations run one at a time.
type Migrated interface {
	// Up runs the next migration and answers its version, 0 if there is none.
	Up(t testing.TB) int64

	// Schema describes every table, index and constraint.
	Schema(t testing.TB) []string

	// Tables lists our tables, those first to which others refer.
	Tables(t testing.TB) []Table

	// Insert inserts a row; columns that are not named get their defaults.
	Insert(t testing.TB, table string, row map[string]any)

	// Rows reads all rows of a table, each value as text, in any order.
	Rows(t testing.TB, table string) []map[string]string
}

// Table is a table with the type of each column, as the engine names it in capitals.
type Table struct {
	Name    string
	Columns map[string]string
}

// Null is how [Migrated] writes the value that is none.
const Null = "NULL"

// RunUpgrades proves that a database that was upgraded version by version, with rows in every
// table at each, has the schema of the fresh one, which is new and whole, and has lost nothing.
func RunUpgrades(t *testing.T, upgraded, fresh Migrated) {
	t.Helper()
	want := map[string][]map[string]string{}
	steps := 0
	for {
		version := upgraded.Up(t)
		if version == 0 {
			break
		}
		steps++
		for _, table := range upgraded.Tables(t) {
			rows := upgraded.Rows(t, table.Name)
			if before, ok := want[table.Name]; ok {
				if diff := cmp.Diff(texts(migratedRows(version, table, before)), texts(rows)); diff != "" {
					t.Errorf("%s at version %d (-want +got):\n%s", table.Name, version, diff)
				}
			}
		}
		for _, table := range upgraded.Tables(t) {
			upgraded.Insert(t, table.Name, sampleRow(version, table))
		}
		for _, table := range upgraded.Tables(t) {
			want[table.Name] = upgraded.Rows(t, table.Name)
			if len(want[table.Name]) == 0 {
				t.Errorf("nothing is in %s at version %d", table.Name, version)
			}
		}
	}
	if steps < 5 {
		t.Errorf("only %d migrations have run", steps)
	}
	if diff := cmp.Diff(fresh.Schema(t), upgraded.Schema(t)); diff != "" {
		t.Errorf("the schema (-fresh +upgraded):\n%s", diff)
	}
}

// sampleRow is a row that no other version has: its numbers are those that other tables'
// references of this version have too.
func sampleRow(version int64, table Table) map[string]any {
	row := map[string]any{}
	for name, kind := range table.Columns {
		switch kind {
		case "INTEGER", "BIGINT":
			row[name] = 100 + version
		case "TEXT":
			row[name] = fmt.Sprintf("%s.%s é %d", table.Name, name, version)
		case "BLOB", "UUID", "BYTEA":
			row[name] = []byte{0: byte(version), 15: 1}
		case "BOOLEAN":
			row[name] = true
		}
	}
	return row
}

// renamed are the columns of SQLite that version 5 named anew.
var renamed = map[string][2]string{"studies": {"id", "study_id"}, "access_codes": {"study_id", "of_study"}}

// searched are the columns of participants, of either engine, that version 6 dropped.
var searched = []string{"search_text", "custom_text", "folds"}

// migratedRows are a table's rows as a migration has to leave them: what it changes on purpose,
// and zero in every column that it adds.
func migratedRows(version int64, table Table, before []map[string]string) []map[string]string {
	var after []map[string]string
	for _, old := range before {
		row := maps.Clone(old)
		if names, ok := renamed[table.Name]; ok && version == 5 && row[names[1]] == "" {
			row[names[1]] = row[names[0]]
			delete(row, names[0])
		}
		if table.Name == "jobs" && version == 5 && row["upload"] != "" {
			row["upload"] = "uploads/" + row["upload"]
		}
		if table.Name == "participants" && version == 6 {
			for _, name := range searched {
				delete(row, name)
			}
		}
		for name, kind := range table.Columns {
			if _, ok := row[name]; ok {
				continue
			}
			switch kind {
			case "INTEGER", "BIGINT":
				row[name] = "0"
			case "TEXT":
				row[name] = ""
			default:
				row[name] = Null
			}
		}
		after = append(after, row)
	}
	return after
}

// texts writes each row as one text, in order.
func texts(rows []map[string]string) []string {
	var all []string
	for _, row := range rows {
		all = append(all, fmt.Sprint(row)) // in order of the columns' names
	}
	slices.Sort(all)
	return all
}
