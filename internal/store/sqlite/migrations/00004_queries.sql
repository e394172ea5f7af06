-- What the query engine, segments, invitations and service accounts' sign-in need.

-- +goose Up

-- Folded text that a search looks through: what every search sees, and the custom fields.
ALTER TABLE participants ADD COLUMN search_text TEXT NOT NULL DEFAULT '';
ALTER TABLE participants ADD COLUMN custom_text TEXT NOT NULL DEFAULT '';

-- Those whom no query finds; few, so that counting all others is counting these.
CREATE INDEX participants_removed ON participants (study_id, seq) WHERE status = 'removed';

-- Grows with every change on which the rules of segments may depend.
ALTER TABLE studies ADD COLUMN rules_version INTEGER NOT NULL DEFAULT 0;

CREATE TABLE segment_members (
  study_id       INTEGER NOT NULL,
  segment_id     BLOB NOT NULL,
  participant_id BLOB NOT NULL,
  added_at       INTEGER NOT NULL,
  PRIMARY KEY (study_id, segment_id, participant_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX segment_members_by_participant ON segment_members (study_id, participant_id);

-- Invitations to be sent. States: queued, sent, failed.
CREATE TABLE invitations (
  study_id       INTEGER NOT NULL,
  participant_id BLOB NOT NULL,
  state          TEXT NOT NULL,
  attempts       INTEGER NOT NULL DEFAULT 0,
  queued_at      INTEGER NOT NULL,
  updated_at     INTEGER NOT NULL,
  PRIMARY KEY (study_id, participant_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX invitations_by_state ON invitations (study_id, state, queued_at);

-- Assertions that have been used, until they would have expired anyway.
CREATE TABLE used_assertions (
  account    TEXT NOT NULL,
  jti        TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (account, jti)
) STRICT, WITHOUT ROWID;
CREATE INDEX used_assertions_by_expiry ON used_assertions (expires_at);
