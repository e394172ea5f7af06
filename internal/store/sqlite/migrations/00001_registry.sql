-- The registry: studies, participants, what they hold and what is remembered about them.
-- Times are microseconds since 1970 in UTC. A *_key column is its neighbour case-folded by
-- registry.Fold. Every key leads with study_id but for what belongs to the whole deployment.

-- +goose Up
CREATE TABLE versions (
  name    TEXT PRIMARY KEY,
  version INTEGER NOT NULL
) STRICT;
INSERT INTO versions (name, version) VALUES ('catalog', 1), ('access', 1);

CREATE TABLE studies (
  id                INTEGER PRIMARY KEY AUTOINCREMENT,
  oid               TEXT NOT NULL,
  oid_key           TEXT NOT NULL UNIQUE,
  guid              BLOB NOT NULL UNIQUE,
  identifier        TEXT NOT NULL,
  name              TEXT NOT NULL,
  status            TEXT NOT NULL,
  participate       INTEGER NOT NULL,
  id_method         TEXT NOT NULL,
  id_template       TEXT NOT NULL,
  identifier_prefix TEXT NOT NULL,
  cap               INTEGER NOT NULL,
  enforce_cap       INTEGER NOT NULL,
  enroll_on_create  INTEGER NOT NULL,
  unique_contacts   INTEGER NOT NULL,
  bulk_contract     TEXT NOT NULL
) STRICT;

-- Sites are found by id and by OID in the whole deployment.
CREATE TABLE sites (
  id          INTEGER PRIMARY KEY AUTOINCREMENT,
  study_id    INTEGER NOT NULL REFERENCES studies (id),
  oid         TEXT NOT NULL,
  oid_key     TEXT NOT NULL UNIQUE,
  code        TEXT NOT NULL,
  code_key    TEXT NOT NULL,
  name        TEXT NOT NULL,
  status      TEXT NOT NULL,
  enforce_cap INTEGER NOT NULL,
  UNIQUE (study_id, code_key)
) STRICT;

CREATE TABLE custom_fields (
  study_id INTEGER NOT NULL REFERENCES studies (id),
  name_key TEXT NOT NULL,
  name     TEXT NOT NULL,
  type     TEXT NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (study_id, name_key)
) STRICT, WITHOUT ROWID;

CREATE TABLE segments (
  study_id INTEGER NOT NULL REFERENCES studies (id),
  id       BLOB NOT NULL,
  name     TEXT NOT NULL,
  rule     TEXT NOT NULL,
  position INTEGER NOT NULL,
  PRIMARY KEY (study_id, id)
) STRICT, WITHOUT ROWID;

-- One column for each registry.Field, '' for "not set".
CREATE TABLE participants (
  study_id                 INTEGER NOT NULL,
  seq                      INTEGER NOT NULL,
  id                       BLOB NOT NULL,
  identifier               TEXT NOT NULL,
  identifier_key           TEXT NOT NULL,
  oid                      TEXT NOT NULL,
  site_id                  INTEGER NOT NULL,
  status                   TEXT NOT NULL,
  first_name               TEXT NOT NULL DEFAULT '',
  middle_name              TEXT NOT NULL DEFAULT '',
  last_name                TEXT NOT NULL DEFAULT '',
  secondary_id             TEXT NOT NULL DEFAULT '',
  email                    TEXT NOT NULL DEFAULT '',
  mobile_phone             TEXT NOT NULL DEFAULT '',
  street1                  TEXT NOT NULL DEFAULT '',
  street2                  TEXT NOT NULL DEFAULT '',
  country                  TEXT NOT NULL DEFAULT '',
  city                     TEXT NOT NULL DEFAULT '',
  state                    TEXT NOT NULL DEFAULT '',
  postal_code              TEXT NOT NULL DEFAULT '',
  date_of_birth            TEXT NOT NULL DEFAULT '',
  hospital_number          TEXT NOT NULL DEFAULT '',
  gender                   TEXT NOT NULL DEFAULT '',
  preferred_language       TEXT NOT NULL DEFAULT '',
  time_zone                TEXT NOT NULL DEFAULT '',
  utc_offset               TEXT NOT NULL DEFAULT '',
  unsubscribed_from_emails TEXT NOT NULL DEFAULT '',
  unsubscribed_from_sms    TEXT NOT NULL DEFAULT '',
  custom                   TEXT NOT NULL DEFAULT '',   -- a JSON object of texts, '' for none
  participate              TEXT NOT NULL DEFAULT '',
  access_code              BLOB,                       -- sealed; NULL until registered
  invitation               TEXT NOT NULL DEFAULT '',
  enrolled                 INTEGER NOT NULL DEFAULT 0,
  enrolled_at              INTEGER,
  withdrawn_at             INTEGER,
  exclude_from_export      INTEGER NOT NULL DEFAULT 0,
  link_id                  BLOB NOT NULL,
  created_at               INTEGER NOT NULL,
  created_by               TEXT NOT NULL,
  updated_at               INTEGER NOT NULL,
  updated_by               TEXT NOT NULL,
  PRIMARY KEY (study_id, seq),
  UNIQUE (study_id, id),
  UNIQUE (study_id, identifier_key),
  UNIQUE (study_id, oid)
) STRICT;
CREATE INDEX participants_by_site ON participants (study_id, site_id, seq);

-- Who holds the sole right to a contact. Kinds as registry.ContactKind.
CREATE TABLE contact_claims (
  study_id       INTEGER NOT NULL,
  kind           INTEGER NOT NULL,
  contact_key    TEXT NOT NULL,
  participant_id BLOB NOT NULL,
  PRIMARY KEY (study_id, kind, contact_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX contact_claims_by_participant ON contact_claims (study_id, participant_id);

-- Access codes are unique in the whole deployment; the fingerprint is a keyed hash.
CREATE TABLE access_codes (
  fingerprint    BLOB PRIMARY KEY,
  study_id       INTEGER NOT NULL,
  participant_id BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX access_codes_by_participant ON access_codes (study_id, participant_id);

-- Study 0 stands for the deployment: it has audit events and nothing else.
CREATE TABLE study_counters (
  study_id       INTEGER PRIMARY KEY,
  last_seq       INTEGER NOT NULL DEFAULT 0,
  counted        INTEGER NOT NULL DEFAULT 0,
  last_audit_seq INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO study_counters (study_id) VALUES (0);

CREATE TABLE site_counters (
  study_id    INTEGER NOT NULL,
  site_id     INTEGER NOT NULL,
  last_number INTEGER NOT NULL,
  PRIMARY KEY (study_id, site_id)
) STRICT, WITHOUT ROWID;

-- The rowid grows in commit order: it is the order of events across studies.
CREATE TABLE audit_events (
  position       INTEGER PRIMARY KEY,
  study_id       INTEGER NOT NULL,
  seq            INTEGER NOT NULL,   -- of the first field change
  width          INTEGER NOT NULL,   -- how many numbers the event takes
  at             INTEGER NOT NULL,
  actor          TEXT NOT NULL,
  role           TEXT NOT NULL,
  dialect        TEXT NOT NULL,
  request_id     TEXT NOT NULL,
  reason         TEXT NOT NULL,
  action         TEXT NOT NULL,
  participant_id BLOB,
  identifier     TEXT NOT NULL,
  fields         TEXT NOT NULL,      -- JSON: [["field","old","new"],...], '' for none
  erased         INTEGER NOT NULL DEFAULT 0,
  UNIQUE (study_id, seq)
) STRICT;
CREATE INDEX audit_events_by_participant ON audit_events (study_id, participant_id)
  WHERE participant_id IS NOT NULL;

-- Keys that the server made for itself.
CREATE TABLE server_keys (
  name   TEXT PRIMARY KEY,
  secret BLOB NOT NULL
) STRICT, WITHOUT ROWID;
