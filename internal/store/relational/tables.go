package relational

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"
	"hash"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// kind is the kind of a column's values.
type kind uint8

const (
	integer kind = iota
	text
	boolean
	bytesKind
	identity // a UUID
	customs  // custom fields, which each engine writes in its own form
)

// column is one column of a table, as both engines name it.
type column struct {
	name string
	kind kind
}

// table is one table of a registry: what a copy of it has to hold. The first keys columns are
// its primary key.
type table struct {
	name    string
	keys    int
	columns []column
	page    int // rows read at a time
}

func columnsOf(kinds ...any) []column {
	var all []column
	for i := 0; i < len(kinds); i += 2 {
		for name := range strings.FieldsSeq(kinds[i+1].(string)) {
			all = append(all, column{name, kinds[i].(kind)})
		}
	}
	return all
}

// pageRows is how many rows of a table are read and written at a time.
const pageRows = 1000

// tables lists what a registry is, in an order in which references are there before they are
// needed. Numbers that run on (versions, counters) come last, when a copy is whole, and what is
// only of the moment is left out: budgets, and who is signing in.
func tables() []table {
	participants := columnsOf(integer, "study_id seq", identity, "id")
	for _, name := range append(placeColumns[:len(placeColumns):len(placeColumns)], stateColumns...) {
		participants = append(participants, column{name, participantKind(name)})
	}
	return []table{
		{name: "server_keys", keys: 1, columns: columnsOf(text, "name", bytesKind, "secret")},
		{name: "studies", keys: 1, columns: columnsOf(integer, "study_id", text, "oid oid_key", identity, "guid",
			text, "identifier name status", boolean, "participate", text, "id_method id_template identifier_prefix",
			integer, "cap", boolean, "enforce_cap enroll_on_create unique_contacts", text, "bulk_contract", integer, "rules_version")},
		{name: "sites", keys: 2, columns: columnsOf(integer, "study_id id", text, "oid oid_key code code_key name status", boolean, "enforce_cap")},
		{name: "custom_fields", keys: 2, columns: columnsOf(integer, "study_id", text, "name_key name type", integer, "position")},
		{name: "segments", keys: 2, columns: columnsOf(integer, "study_id", identity, "id", text, "name rule", integer, "position")},
		{name: "users", keys: 1, columns: columnsOf(integer, "id", text, "username username_key password_hash")},
		{name: "user_grants", keys: 3, columns: columnsOf(integer, "study_id user_id position site_id", text, "role")},
		{name: "service_accounts", keys: 1, columns: columnsOf(integer, "id", text, "name")},
		{name: "service_account_studies", keys: 3, columns: columnsOf(integer, "study_id account_id position")},
		{name: "service_account_keys", keys: 2, columns: columnsOf(integer, "account_id position", text, "pem")},
		{name: "participants", keys: 2, columns: participants},
		{name: "contact_claims", keys: 3, columns: columnsOf(integer, "study_id kind", text, "contact_key", identity, "participant_id")},
		{name: "access_codes", keys: 1, columns: columnsOf(bytesKind, "fingerprint", integer, "of_study", identity, "participant_id")},
		{name: "site_counters", keys: 2, columns: columnsOf(integer, "study_id site_id last_number")},
		{name: "audit_events", keys: 2, columns: columnsOf(integer, "study_id seq position width at",
			text, "actor role dialect request_id reason action", identity, "participant_id", text, "identifier fields", boolean, "erased")},
		{name: "jobs", keys: 2, columns: columnsOf(integer, "study_id", identity, "id", integer, "site_id",
			text, "kind state submitted_by role dialect request_id source_file upload", integer, "size", bytesKind, "params",
			integer, "parts output_parts", bytesKind, "cursor", integer, "row_count failed_count", text, "error output",
			integer, "created_at updated_at started_at completed_at lease_token", text, "repeat_key")},
		{name: "job_output", keys: 3, page: 16, columns: columnsOf(integer, "study_id", identity, "job_id", integer, "part", bytesKind, "bytes")},
		{name: "segment_members", keys: 3, columns: columnsOf(integer, "study_id", identity, "segment_id participant_id", integer, "added_at")},
		{name: "invitations", keys: 2, columns: columnsOf(integer, "study_id", identity, "participant_id", text, "state", integer, "attempts queued_at updated_at")},
		{name: "used_assertions", keys: 2, columns: columnsOf(text, "account jti", integer, "expires_at")},
		{name: "sessions", keys: 2, columns: columnsOf(integer, "study_id", text, "session_key username stamp", integer, "begun_at until")},
		{name: "erasures", keys: 2, columns: columnsOf(integer, "study_id", identity, "id", integer, "at", text, "people")},
	}
}

// running are the tables whose rows are written last, in the transaction that ends a copy.
func running() []table {
	return []table{
		{name: "study_counters", keys: 1, columns: columnsOf(integer, "study_id last_seq counted last_audit_seq")},
		{name: "versions", keys: 1, columns: columnsOf(text, "name", integer, "version")},
	}
}

func participantKind(name string) kind {
	switch name {
	case "site_id", "enrolled_at", "withdrawn_at", "created_at", "updated_at":
		return integer
	case "enrolled", "exclude_from_export":
		return boolean
	case "access_code":
		return bytesKind
	case "custom":
		return customs
	case "link_id":
		return identity
	default:
		return text
	}
}

func (t *table) names() []string {
	all := make([]string, len(t.columns))
	for i, c := range t.columns {
		all[i] = c.name
	}
	return all
}

func (t *table) rows() int {
	if t.page > 0 {
		return t.page
	}
	return pageRows
}

// after is the query for the rows after a key, or from the first on: with the number of columns
// of the key as parameters, or none.
func (t *table) after(first bool) string {
	keys := t.names()[:t.keys]
	text := "SELECT " + strings.Join(t.names(), ", ") + " FROM " + t.name
	if !first {
		places := make([]string, t.keys)
		for i := range places {
			places[i] = fmt.Sprintf("$%d", i+1)
		}
		text += " WHERE (" + strings.Join(keys, ", ") + ") > (" + strings.Join(places, ", ") + ")"
	}
	return text + " ORDER BY " + strings.Join(keys, ", ") + fmt.Sprintf(" LIMIT %d", t.rows())
}

// last is the query for the key of the last row.
func (t *table) last() string {
	keys := t.names()[:t.keys]
	return "SELECT " + strings.Join(keys, ", ") + " FROM " + t.name + " ORDER BY " + strings.Join(keys, " DESC, ") + " DESC LIMIT 1"
}

// fields are the values of custom fields, in no engine's form.
type fields map[string]string

// scan reads a row of the first n columns of a database as values that [DB.bindable] binds.
func (t *table) scan(db *DB, n int) func(row scanner) ([]any, error) {
	return func(row scanner) ([]any, error) {
		dest := make([]any, n)
		for i, c := range t.columns[:n] {
			switch c.kind {
			case integer:
				dest[i] = new(sql.NullInt64)
			case text, customs:
				dest[i] = new(string)
			case boolean:
				dest[i] = new(bool)
			case bytesKind:
				dest[i] = new([]byte)
			case identity:
				dest[i] = new(uuid.NullUUID)
			}
		}
		if err := row.Scan(dest...); err != nil {
			return nil, err
		}
		for i, c := range t.columns[:n] {
			dest[i] = value(dest[i])
			if c.kind == customs {
				values, err := db.decodeCustom(dest[i].(string))
				if err != nil {
					return nil, err
				}
				dest[i] = fields(values)
			}
		}
		return dest, nil
	}
}

// bindable appends the values of a row as this database keeps them.
func (db *DB) bindable(to, row []any) []any {
	for _, v := range row {
		if custom, ok := v.(fields); ok {
			v = db.encodeCustom(custom)
		}
		to = append(to, v)
	}
	return to
}

// value is what was scanned, as an argument.
func value(scanned any) any {
	switch v := scanned.(type) {
	case *sql.NullInt64:
		if v.Valid {
			return v.Int64
		}
	case *string:
		return *v
	case *bool:
		return *v
	case *[]byte:
		if *v != nil {
			return *v
		}
	case *uuid.NullUUID:
		if v.Valid {
			return v.UUID
		}
	}
	return nil
}

// Sum is the count and the checksum of a table's rows in the order of their keys.
type Sum struct {
	Table    string
	Rows     int64
	Checksum [sha256.Size]byte
}

// addTo adds a row to a checksum: each value with its kind and length, so that no two rows
// add the same bytes.
func addTo(sum hash.Hash, row []any) {
	var head [9]byte
	put := func(kind byte, content []byte) {
		head[0] = kind
		binary.BigEndian.PutUint64(head[1:], uint64(len(content)))
		sum.Write(head[:])
		sum.Write(content)
	}
	for _, v := range row {
		switch v := v.(type) {
		case nil:
			put('-', nil)
		case int64:
			put('i', binary.BigEndian.AppendUint64(nil, uint64(v))) //nolint:gosec // the bits are what counts
		case string:
			put('s', []byte(v))
		case bool:
			if v {
				put('1', nil)
			} else {
				put('0', nil)
			}
		case []byte:
			put('b', v)
		case uuid.UUID:
			put('u', v[:])
		case fields:
			put('f', nil)
			for _, name := range slices.Sorted(maps.Keys(v)) {
				put('n', []byte(name))
				put('v', []byte(v[name]))
			}
			put('e', nil)
		}
	}
}
