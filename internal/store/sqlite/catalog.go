package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"rollcall/internal/registry"
)

// querier prepares and keeps statements of one connection or pool.
type querier interface {
	get(ctx context.Context, query string) (*sql.Stmt, error)
}

// query runs a query and scans all its rows.
func query[T any](ctx context.Context, q querier, scan func(scanner) (T, error), text string, args ...any) ([]T, error) {
	stmt, err := q.get(ctx, text)
	if err != nil {
		return nil, err
	}
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return nil, err
	}
	return scanAll(rows, scan)
}

// queryOne runs a query for one row; found is false if there is none.
func queryOne[T any](ctx context.Context, q querier, scan func(scanner) (T, error), text string, args ...any) (one T, found bool, err error) {
	stmt, err := q.get(ctx, text)
	if err != nil {
		return one, false, err
	}
	one, err = scan(stmt.QueryRowContext(ctx, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return one, false, nil
	}
	return one, err == nil, err
}

// scanValue reads a row of one column.
func scanValue[T any](row scanner) (T, error) {
	var v T
	err := row.Scan(&v)
	return v, err
}

// snapshot is one read transaction: every query in it sees the same state.
type snapshot struct{ tx *sql.Tx }

func (s snapshot) get(ctx context.Context, text string) (*sql.Stmt, error) {
	return s.tx.PrepareContext(ctx, text) // closed with the transaction
}

// inSnapshot runs fn in one read transaction.
func (db *DB) inSnapshot(ctx context.Context, fn func(q querier) error) error {
	tx, err := db.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // it has only read
	return fn(snapshot{tx})
}

const versionQuery = "SELECT version FROM versions WHERE name = $1"

// The names of the versions that are counted.
const (
	catalogVersion = "catalog"
	accessVersion  = "access"
)

func readVersion(ctx context.Context, q querier, name string) (int64, error) {
	version, found, err := queryOne(ctx, q, scanValue[int64], versionQuery, name)
	if err == nil && !found {
		err = errors.New("no version is stored: " + name)
	}
	return version, err
}

// CatalogVersion implements registry.Store.
func (db *DB) CatalogVersion(ctx context.Context) (int64, error) {
	version, err := readVersion(ctx, &db.queries, catalogVersion)
	return version, classify("read the catalog's version", err)
}

// Catalog implements registry.Store.
func (db *DB) Catalog(ctx context.Context) (*registry.Catalog, error) {
	var catalog *registry.Catalog
	err := db.inSnapshot(ctx, func(q querier) error {
		version, err := readVersion(ctx, q, catalogVersion)
		if err != nil {
			return err
		}
		studies, err := readStudies(ctx, q)
		if err != nil {
			return err
		}
		catalog = registry.NewCatalog(version, studies)
		return nil
	})
	if err != nil {
		return nil, classify("read the catalog", err)
	}
	return catalog, nil
}

const (
	selectStudies = `SELECT id, oid, guid, identifier, name, status, participate, id_method, id_template,
		identifier_prefix, cap, enforce_cap, enroll_on_create, unique_contacts, bulk_contract, rules_version FROM studies`
	selectSites    = "SELECT study_id, id, oid, code, name, status, enforce_cap FROM sites"
	selectFields   = "SELECT study_id, name, type FROM custom_fields"
	selectSegments = "SELECT study_id, id, name, rule FROM segments"
)

// readStudies reads every study in order of creation.
func readStudies(ctx context.Context, q querier) ([]*registry.Study, error) {
	studies, err := query(ctx, q, scanStudy, selectStudies+" ORDER BY id")
	if err != nil {
		return nil, err
	}
	byID := make(map[registry.StudyID]*registry.Study, len(studies))
	for _, s := range studies {
		byID[s.ID] = s
	}
	sites, err := query(ctx, q, scanSite, selectSites+" ORDER BY id")
	if err != nil {
		return nil, err
	}
	for _, site := range sites {
		s := byID[site.Study]
		s.Sites = append(s.Sites, site)
	}
	fields, err := query(ctx, q, scanField, selectFields+" ORDER BY study_id, position")
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		s := byID[f.study]
		s.CustomFields = append(s.CustomFields, f.CustomField)
	}
	segments, err := query(ctx, q, scanSegment, selectSegments+" ORDER BY study_id, position")
	if err != nil {
		return nil, err
	}
	for _, g := range segments {
		s := byID[g.study]
		s.Segments = append(s.Segments, g.Segment)
	}
	return studies, nil
}

// readStudy reads one study; nil if there is none.
func readStudy(ctx context.Context, q querier, id registry.StudyID) (*registry.Study, error) {
	study, found, err := queryOne(ctx, q, scanStudy, selectStudies+" WHERE id = $1", int64(id))
	if err != nil || !found {
		return nil, err
	}
	study.Sites, err = query(ctx, q, scanSite, selectSites+" WHERE study_id = $1 ORDER BY id", int64(id))
	if err != nil {
		return nil, err
	}
	fields, err := query(ctx, q, scanField, selectFields+" WHERE study_id = $1 ORDER BY position", int64(id))
	if err != nil {
		return nil, err
	}
	for _, f := range fields {
		study.CustomFields = append(study.CustomFields, f.CustomField)
	}
	segments, err := query(ctx, q, scanSegment, selectSegments+" WHERE study_id = $1 ORDER BY position", int64(id))
	if err != nil {
		return nil, err
	}
	for _, g := range segments {
		study.Segments = append(study.Segments, g.Segment)
	}
	return study, nil
}

func scanStudy(row scanner) (*registry.Study, error) {
	s := &registry.Study{}
	err := row.Scan(&s.ID, &s.OID, &s.GUID, &s.Identifier, &s.Name, &s.Status, &s.Participate, &s.IDMethod,
		&s.IDTemplate, &s.IdentifierPrefix, &s.Cap, &s.EnforceCap, &s.EnrollOnCreate, &s.UniqueContacts, &s.BulkContract,
		&s.RulesVersion)
	return s, err
}

func scanSite(row scanner) (registry.Site, error) {
	var s registry.Site
	err := row.Scan(&s.Study, &s.ID, &s.OID, &s.Code, &s.Name, &s.Status, &s.EnforceCap)
	return s, err
}

type studyField struct {
	registry.CustomField
	study registry.StudyID
}

func scanField(row scanner) (studyField, error) {
	var f studyField
	err := row.Scan(&f.study, &f.Name, &f.Type)
	return f, err
}

type studySegment struct {
	registry.Segment
	study registry.StudyID
}

func scanSegment(row scanner) (studySegment, error) {
	var g studySegment
	err := row.Scan(&g.study, &g.ID, &g.Name, &g.Rule)
	return g, err
}
