-- Who may do what where. All of it belongs to the whole deployment.

-- +goose Up
CREATE TABLE users (
  id            INTEGER PRIMARY KEY AUTOINCREMENT,
  username      TEXT NOT NULL,
  username_key  TEXT NOT NULL UNIQUE,
  password_hash TEXT NOT NULL
) STRICT;

-- site_id 0 is a role in the study as a whole.
CREATE TABLE user_grants (
  user_id  INTEGER NOT NULL REFERENCES users (id),
  study_id INTEGER NOT NULL REFERENCES studies (id),
  site_id  INTEGER NOT NULL,
  role     TEXT NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (user_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE service_accounts (
  id   INTEGER PRIMARY KEY AUTOINCREMENT,
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE service_account_studies (
  account_id INTEGER NOT NULL REFERENCES service_accounts (id),
  study_id   INTEGER NOT NULL REFERENCES studies (id),
  position   INTEGER NOT NULL,
  PRIMARY KEY (account_id, position)
) STRICT, WITHOUT ROWID;

CREATE TABLE service_account_keys (
  account_id INTEGER NOT NULL REFERENCES service_accounts (id),
  position   INTEGER NOT NULL,
  pem        TEXT NOT NULL,
  PRIMARY KEY (account_id, position)
) STRICT, WITHOUT ROWID;
