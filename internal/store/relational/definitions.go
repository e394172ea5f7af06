package relational

import (
	"context"
	"slices"
	"time"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/config"
	"rollcall/internal/registry"
)

// Define implements config.Store.
func (db *DB) Define(ctx context.Context, fn func(ctx context.Context, d config.Tx) error) error {
	return db.inStudy(ctx, 0, func(ctx context.Context, t *tx) error { return fn(ctx, &definitionTx{t}) })
}

// definitionTx is a transaction that changes what an operator defines: studies with their
// sites, users and service accounts. Like tx, its first error ends it.
type definitionTx struct{ *tx }

// Studies lists every study in order of creation.
func (d *definitionTx) Studies(ctx context.Context) ([]*registry.Study, error) {
	return definitionRead(ctx, d, "read studies", readStudies)
}

// Users lists every user in order of creation.
func (d *definitionTx) Users(ctx context.Context) ([]*access.User, error) {
	return definitionRead(ctx, d, "read users", readUsers)
}

// ServiceAccounts lists every service account in order of creation.
func (d *definitionTx) ServiceAccounts(ctx context.Context) ([]*access.ServiceAccount, error) {
	return definitionRead(ctx, d, "read service accounts", readServiceAccounts)
}

func definitionRead[T any](ctx context.Context, d *definitionTx, doing string, read func(context.Context, Querier) ([]T, error)) ([]T, error) {
	if d.err != nil {
		return nil, d.err
	}
	all, err := read(ctx, d.w)
	if err := d.fail(doing, err); err != nil {
		return nil, err
	}
	return all, nil
}

// Record remembers events of a study, 0 for the deployment.
func (d *definitionTx) Record(ctx context.Context, study registry.StudyID, at time.Time, events []audit.Event) error {
	if d.err != nil {
		return d.err
	}
	d.study = study
	return d.fail("record audit events", d.recordEvents(ctx, at, events))
}

// change runs write and counts the version up.
func (d *definitionTx) change(ctx context.Context, doing, version string, write func() error) error {
	if d.err != nil {
		return d.err
	}
	err := write()
	if err == nil {
		_, err = d.w.Exec(ctx, "UPDATE versions SET version = version + 1 WHERE name = $1", version)
	}
	return d.fail(doing, err)
}

// PutStudy adds the study (its ID is 0) or updates it, with its sites, custom fields and
// segments, and sets the IDs of the study and of its new sites. Sites that are not listed stay;
// custom fields and segments that are not listed go.
func (d *definitionTx) PutStudy(ctx context.Context, s *registry.Study) error {
	return d.change(ctx, "store a study", catalogVersion, func() error {
		if s.ID != 0 {
			if err := d.w.Lock(ctx, s.ID); err != nil {
				return err
			}
		}
		before, err := readStudy(ctx, d.w, s.ID) // nil for a new one
		if err != nil {
			return err
		}
		if err := d.free(ctx, "SELECT study_id FROM studies WHERE oid_key = $1", registry.Fold(s.OID), int64(s.ID)); err != nil {
			return err
		}
		if err := d.free(ctx, "SELECT study_id FROM studies WHERE guid = $1", s.GUID, int64(s.ID)); err != nil {
			return err
		}
		if err := d.putStudyRow(ctx, s); err != nil {
			return err
		}
		for i := range s.Sites {
			if err := d.putSite(ctx, s.ID, &s.Sites[i]); err != nil {
				return err
			}
		}
		if err := d.putFields(ctx, s); err != nil {
			return err
		}
		if err := d.putSegments(ctx, s); err != nil {
			return err
		}
		return d.countRules(ctx, before, s)
	})
}

// countRules counts the version of the study's rules up if they may hold for others than
// before. New sites have no participants yet.
func (d *definitionTx) countRules(ctx context.Context, before, s *registry.Study) error {
	more := 0
	if before == nil {
		before = s
	}
	same := slices.Equal(before.CustomFields, s.CustomFields) &&
		slices.EqualFunc(before.Segments, s.Segments, func(a, b registry.Segment) bool { return a.ID == b.ID && a.Rule == b.Rule })
	for _, site := range s.Sites {
		was, existed := before.Site(site.ID)
		same = same && (!existed || was.Code == site.Code)
	}
	if !same {
		more = 1
	}
	version, _, err := queryOne(ctx, d.w, scanValue[int64],
		"UPDATE studies SET rules_version = rules_version + $1 WHERE study_id = $2 RETURNING rules_version", more, int64(s.ID))
	s.RulesVersion = version
	return err
}

// free answers fault.Conflict if the query finds somebody else to have the name. The deployment
// is locked, so that nobody takes it before this commits.
func (d *definitionTx) free(ctx context.Context, text string, name any, self int64) error {
	holder, found, err := queryOne(ctx, d.w, scanValue[int64], text, name)
	if err == nil && found && holder != self {
		err = Clash(nil)
	}
	return err
}

func (d *definitionTx) putStudyRow(ctx context.Context, s *registry.Study) error {
	args := []any{s.OID, registry.Fold(s.OID), s.GUID, s.Identifier, s.Name, string(s.Status), s.Participate,
		string(s.IDMethod), s.IDTemplate, s.IdentifierPrefix, s.Cap, s.EnforceCap, s.EnrollOnCreate, s.UniqueContacts, string(s.BulkContract)}
	const columns = `oid, oid_key, guid, identifier, name, status, participate, id_method, id_template,
		identifier_prefix, cap, enforce_cap, enroll_on_create, unique_contacts, bulk_contract`
	const values = "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
	if s.ID != 0 {
		n, err := d.w.Exec(ctx, "UPDATE studies SET ("+columns+") = "+values+" WHERE study_id = $16", append(args, int64(s.ID))...)
		if err == nil && n == 0 {
			err = studyUnknown()
		}
		return err
	}
	id, _, err := queryOne(ctx, d.w, scanValue[int64],
		"INSERT INTO studies ("+columns+") VALUES "+values+" RETURNING study_id", args...)
	if err != nil {
		return err
	}
	s.ID = registry.StudyID(id)
	_, err = d.w.Exec(ctx, "INSERT INTO study_counters (study_id) VALUES ($1)", id)
	return err
}

func (d *definitionTx) putSite(ctx context.Context, study registry.StudyID, s *registry.Site) error {
	s.Study = study
	if err := d.free(ctx, "SELECT id FROM sites WHERE oid_key = $1", registry.Fold(s.OID), int64(s.ID)); err != nil {
		return err
	}
	args := []any{int64(study), s.OID, registry.Fold(s.OID), s.Code, registry.Fold(s.Code), s.Name, string(s.Status), s.EnforceCap}
	if s.ID != 0 {
		n, err := d.w.Exec(ctx, `UPDATE sites SET oid = $2, oid_key = $3, code = $4, code_key = $5, name = $6, status = $7, enforce_cap = $8
			WHERE study_id = $1 AND id = $9`, append(args, int64(s.ID))...)
		if err == nil && n == 0 {
			err = siteUnknown()
		}
		return err
	}
	id, _, err := queryOne(ctx, d.w, scanValue[int64],
		"INSERT INTO sites (study_id, oid, oid_key, code, code_key, name, status, enforce_cap) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id", args...)
	s.ID = registry.SiteID(id)
	return err
}

func (d *definitionTx) putFields(ctx context.Context, s *registry.Study) error {
	if _, err := d.w.Exec(ctx, "DELETE FROM custom_fields WHERE study_id = $1", int64(s.ID)); err != nil {
		return err
	}
	for i, f := range s.CustomFields {
		_, err := d.w.Exec(ctx, "INSERT INTO custom_fields (study_id, name_key, name, type, position) VALUES ($1, $2, $3, $4, $5)",
			int64(s.ID), registry.Fold(f.Name), f.Name, string(f.Type), i)
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *definitionTx) putSegments(ctx context.Context, s *registry.Study) error {
	if _, err := d.w.Exec(ctx, "DELETE FROM segments WHERE study_id = $1", int64(s.ID)); err != nil {
		return err
	}
	for i, g := range s.Segments {
		_, err := d.w.Exec(ctx, "INSERT INTO segments (study_id, id, name, rule, position) VALUES ($1, $2, $3, $4, $5)",
			int64(s.ID), g.ID, g.Name, g.Rule, i)
		if err != nil {
			return err
		}
	}
	gone, err := d.w.Exec(ctx, `DELETE FROM segment_members WHERE study_id = $1
		AND segment_id NOT IN (SELECT id FROM segments WHERE study_id = $1)`, int64(s.ID))
	if err != nil {
		return err
	}
	return countMemberships(ctx, d.w, s.ID, gone)
}

// PutUser adds the user (its ID is 0) or updates them, with their grants, and sets the ID.
func (d *definitionTx) PutUser(ctx context.Context, u *access.User) error {
	return d.change(ctx, "store a user", accessVersion, func() error {
		text, args := "INSERT INTO users (username, username_key, password_hash) VALUES ($1, $2, $3) RETURNING id",
			[]any{u.Username, registry.Fold(u.Username), u.PasswordHash}
		if u.ID != 0 {
			text, args = "UPDATE users SET username = $1, username_key = $2, password_hash = $3 WHERE id = $4 RETURNING id", append(args, u.ID)
		}
		id, found, err := queryOne(ctx, d.w, scanValue[int64], text, args...)
		if err == nil && !found {
			err = holderUnknown("user")
		}
		if err != nil {
			return err
		}
		u.ID = id
		if _, err := d.w.Exec(ctx, "DELETE FROM user_grants WHERE user_id = $1", id); err != nil {
			return err
		}
		for i, g := range u.Grants {
			_, err := d.w.Exec(ctx, "INSERT INTO user_grants (user_id, study_id, site_id, role, position) VALUES ($1, $2, $3, $4, $5)",
				id, int64(g.Study), int64(g.Site), string(g.Role), i)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// PutServiceAccount adds the service account (its ID is 0) or updates it, with its studies and
// keys, and sets the ID.
func (d *definitionTx) PutServiceAccount(ctx context.Context, a *access.ServiceAccount) error {
	return d.change(ctx, "store a service account", accessVersion, func() error {
		text, args := "INSERT INTO service_accounts (name) VALUES ($1) RETURNING id", []any{a.Name}
		if a.ID != 0 {
			text, args = "UPDATE service_accounts SET name = $1 WHERE id = $2 RETURNING id", append(args, a.ID)
		}
		id, found, err := queryOne(ctx, d.w, scanValue[int64], text, args...)
		if err == nil && !found {
			err = holderUnknown("service account")
		}
		if err != nil {
			return err
		}
		a.ID = id
		return d.putAccountParts(ctx, a)
	})
}

func (d *definitionTx) putAccountParts(ctx context.Context, a *access.ServiceAccount) error {
	for _, table := range []string{"service_account_studies", "service_account_keys"} {
		if _, err := d.w.Exec(ctx, "DELETE FROM "+table+" WHERE account_id = $1", a.ID); err != nil {
			return err
		}
	}
	for i, study := range a.Studies {
		_, err := d.w.Exec(ctx, "INSERT INTO service_account_studies (account_id, study_id, position) VALUES ($1, $2, $3)",
			a.ID, int64(study), i)
		if err != nil {
			return err
		}
	}
	for i, key := range a.Keys {
		_, err := d.w.Exec(ctx, "INSERT INTO service_account_keys (account_id, position, pem) VALUES ($1, $2, $3)", a.ID, i, key)
		if err != nil {
			return err
		}
	}
	return nil
}
