-- What the query engine, segments, invitations and service accounts' sign-in need.

-- +goose Up
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- Folded text that a search looks through: what every search sees, and the custom fields.
-- Folds holds the folded form of those values that lower() does not fold as registry.Fold
-- does, as a JSON object by column, and by name for custom fields; '' for none.
ALTER TABLE participants
  ADD COLUMN search_text TEXT COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN custom_text TEXT COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN folds JSONB;

-- New rows wait in the index's own list until it is full: an import hardly notices the index.
CREATE INDEX participants_by_text ON participants USING gin (search_text gin_trgm_ops)
  WITH (fastupdate = on, gin_pending_list_limit = 65536);

-- Those whom no query finds; few, so that counting all others is counting these.
CREATE INDEX participants_removed ON participants (study_id, seq) WHERE status = 'removed';

-- Grows with every change on which the rules of segments may depend.
ALTER TABLE studies ADD COLUMN rules_version BIGINT NOT NULL DEFAULT 0;

CREATE TABLE segment_members (
  study_id       BIGINT NOT NULL,
  segment_id     UUID NOT NULL,
  participant_id UUID NOT NULL,
  added_at       BIGINT NOT NULL,
  PRIMARY KEY (study_id, segment_id, participant_id)
);
CREATE INDEX segment_members_by_participant ON segment_members (study_id, participant_id);

-- Invitations to be sent. States: queued, sent, failed.
CREATE TABLE invitations (
  study_id       BIGINT NOT NULL,
  participant_id UUID NOT NULL,
  state          TEXT COLLATE "C" NOT NULL,
  attempts       BIGINT NOT NULL DEFAULT 0,
  queued_at      BIGINT NOT NULL,
  updated_at     BIGINT NOT NULL,
  PRIMARY KEY (study_id, participant_id)
);
CREATE INDEX invitations_by_state ON invitations (study_id, state, queued_at);

-- Assertions that have been used, until they would have expired anyway.
CREATE TABLE used_assertions (
  study_id   BIGINT NOT NULL DEFAULT 0,
  account    TEXT COLLATE "C" NOT NULL,
  jti        TEXT COLLATE "C" NOT NULL,
  expires_at BIGINT NOT NULL,
  PRIMARY KEY (study_id, account, jti)
);
CREATE INDEX used_assertions_by_expiry ON used_assertions (expires_at);
