package relational

import (
	"context"

	"rollcall/internal/access"
	"rollcall/internal/registry"
)

// AccessVersion implements access.Store.
func (db *DB) AccessVersion(ctx context.Context) (int64, error) {
	m := registry.MomentOf(ctx)
	if m == nil {
		version, err := readVersion(ctx, db.engine.Lookup(), accessVersion)
		return version, db.engine.Classify("read the directory's version", err)
	}
	versions, err := readVersions(ctx, db.engine.Lookup())
	if err != nil {
		return 0, db.engine.Classify("read the directory's version", err)
	}
	m.Keep(versions.catalog)
	return versions.access, nil
}

// Directory implements access.Store.
func (db *DB) Directory(ctx context.Context) (*access.Directory, error) {
	var directory *access.Directory
	err := db.engine.Snapshot(ctx, func(q Querier) error {
		version, err := readVersion(ctx, q, accessVersion)
		if err != nil {
			return err
		}
		users, err := readUsers(ctx, q)
		if err != nil {
			return err
		}
		accounts, err := readServiceAccounts(ctx, q)
		if err != nil {
			return err
		}
		directory = access.NewDirectory(version, users, accounts)
		return nil
	})
	if err != nil {
		return nil, db.engine.Classify("read the directory", err)
	}
	return directory, nil
}

// readUsers reads every user in order of creation.
func readUsers(ctx context.Context, q Querier) ([]*access.User, error) {
	users, err := query(ctx, q, func(row scanner) (*access.User, error) {
		u := &access.User{}
		return u, row.Scan(&u.ID, &u.Username, &u.PasswordHash)
	}, "SELECT id, username, password_hash FROM users ORDER BY id")
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]*access.User, len(users))
	for _, u := range users {
		byID[u.ID] = u
	}
	_, err = query(ctx, q, func(row scanner) (struct{}, error) {
		var user int64
		var g access.Grant
		if err := row.Scan(&user, &g.Study, &g.Site, &g.Role); err != nil {
			return struct{}{}, err
		}
		byID[user].Grants = append(byID[user].Grants, g)
		return struct{}{}, nil
	}, "SELECT user_id, study_id, site_id, role FROM user_grants ORDER BY user_id, position")
	return users, err
}

// readServiceAccounts reads every service account in order of creation.
func readServiceAccounts(ctx context.Context, q Querier) ([]*access.ServiceAccount, error) {
	accounts, err := query(ctx, q, func(row scanner) (*access.ServiceAccount, error) {
		a := &access.ServiceAccount{}
		return a, row.Scan(&a.ID, &a.Name)
	}, "SELECT id, name FROM service_accounts ORDER BY id")
	if err != nil {
		return nil, err
	}
	byID := make(map[int64]*access.ServiceAccount, len(accounts))
	for _, a := range accounts {
		byID[a.ID] = a
	}
	_, err = query(ctx, q, func(row scanner) (struct{}, error) {
		var account int64
		var study registry.StudyID
		if err := row.Scan(&account, &study); err != nil {
			return struct{}{}, err
		}
		byID[account].Studies = append(byID[account].Studies, study)
		return struct{}{}, nil
	}, "SELECT account_id, study_id FROM service_account_studies ORDER BY account_id, position")
	if err != nil {
		return nil, err
	}
	_, err = query(ctx, q, func(row scanner) (struct{}, error) {
		var account int64
		var key string
		if err := row.Scan(&account, &key); err != nil {
			return struct{}{}, err
		}
		byID[account].Keys = append(byID[account].Keys, key)
		return struct{}{}, nil
	}, "SELECT account_id, pem FROM service_account_keys ORDER BY account_id, position")
	return accounts, err
}
