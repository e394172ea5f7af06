package relational

import (
	"context"
	"errors"

	"rollcall/internal/registry"
)

const versionQuery = "SELECT version FROM versions WHERE name = $1"

// The names of the versions that are counted.
const (
	catalogVersion = "catalog"
	accessVersion  = "access"
)

func readVersion(ctx context.Context, q Querier, name string) (int64, error) {
	version, found, err := queryOne(ctx, q, scanValue[int64], versionQuery, name)
	if err == nil && !found {
		err = errors.New("no version is stored: " + name)
	}
	return version, err
}

// Ping tells whether the database answers.
func (db *DB) Ping(ctx context.Context) error {
	_, err := db.CatalogVersion(ctx)
	return err
}

// bothVersions is one row: those of the directory and of the catalog.
const bothVersions = `SELECT a.version, c.version FROM versions AS a, versions AS c
	WHERE a.name = '` + accessVersion + `' AND c.name = '` + catalogVersion + `'`

type versionPair struct{ access, catalog int64 }

func scanVersions(row scanner) (v versionPair, err error) {
	err = row.Scan(&v.access, &v.catalog)
	return v, err
}

// readVersions reads both versions.
func readVersions(ctx context.Context, q Querier) (versionPair, error) {
	v, found, err := queryOne(ctx, q, scanVersions, bothVersions)
	if err == nil && !found {
		err = errors.New("no versions are stored")
	}
	return v, err
}

// CatalogVersion implements registry.Store.
func (db *DB) CatalogVersion(ctx context.Context) (int64, error) {
	if version, known := registry.MomentOf(ctx).Catalog(); known {
		return version, nil
	}
	version, err := readVersion(ctx, db.engine.Lookup(), catalogVersion)
	return version, db.engine.Classify("read the catalog's version", err)
}

// Catalog implements registry.Store.
func (db *DB) Catalog(ctx context.Context) (*registry.Catalog, error) {
	var catalog *registry.Catalog
	err := db.engine.Snapshot(ctx, func(q Querier) error {
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
		return nil, db.engine.Classify("read the catalog", err)
	}
	return catalog, nil
}

const (
	selectStudies = `SELECT study_id, oid, guid, identifier, name, status, participate, id_method, id_template,
		identifier_prefix, cap, enforce_cap, enroll_on_create, unique_contacts, bulk_contract, rules_version FROM studies`
	selectSites    = "SELECT study_id, id, oid, code, name, status, enforce_cap FROM sites"
	selectFields   = "SELECT study_id, name, type FROM custom_fields"
	selectSegments = "SELECT study_id, id, name, rule FROM segments"
)

// readStudies reads every study in order of creation.
func readStudies(ctx context.Context, q Querier) ([]*registry.Study, error) {
	studies, err := query(ctx, q, scanStudy, selectStudies+" ORDER BY study_id")
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
func readStudy(ctx context.Context, q Querier, id registry.StudyID) (*registry.Study, error) {
	study, found, err := queryOne(ctx, q, scanStudy, selectStudies+" WHERE study_id = $1", int64(id))
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
