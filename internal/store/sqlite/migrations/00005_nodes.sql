-- What several nodes on one database share: leases of jobs, the files of jobs that have ended,
-- turns and failures of signing in, and request budgets. Here it is what outlives the process.

-- +goose Up

-- Both engines name their columns alike, so that a registry can be copied from one to the other.
ALTER TABLE studies RENAME COLUMN id TO study_id;
ALTER TABLE access_codes RENAME COLUMN study_id TO of_study;
ALTER TABLE access_codes ADD COLUMN study_id INTEGER NOT NULL DEFAULT 0; -- the deployment

-- The token of a lease grows each time that a node takes the job; only its holder may write
-- into the job. Lease_until goes by the database's own clock. Output is the key of the file
-- that holds the whole output once the job has ended; until then it is in job_output.
ALTER TABLE jobs ADD COLUMN output      TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN lease_token INTEGER NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN lease_node  TEXT NOT NULL DEFAULT '';
ALTER TABLE jobs ADD COLUMN lease_until INTEGER NOT NULL DEFAULT 0;
UPDATE jobs SET upload = 'uploads/' || upload WHERE upload <> '';

-- Erased participants who are still to be taken out of the files of jobs that had ended. People
-- is a JSON array of their names in those files; the row goes when none holds them any more.
CREATE TABLE erasures (
  study_id INTEGER NOT NULL,
  id       BLOB NOT NULL,
  at       INTEGER NOT NULL,
  people   TEXT NOT NULL,
  PRIMARY KEY (study_id, id)
) STRICT, WITHOUT ROWID;

-- Client addresses that try, or have lately failed, to sign in. Failures is a JSON array of
-- their times; turn_until goes by the database's own clock.
CREATE TABLE sign_ins (
  study_id   INTEGER NOT NULL DEFAULT 0,
  address    TEXT NOT NULL,
  turn       INTEGER NOT NULL DEFAULT 0,
  turn_until INTEGER NOT NULL DEFAULT 0,
  failures   TEXT NOT NULL DEFAULT '[]',
  updated_at INTEGER NOT NULL,
  PRIMARY KEY (study_id, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX sign_ins_by_time ON sign_ins (updated_at);

-- How many requests each account or address has made, or set aside, in the running window.
CREATE TABLE request_budgets (
  study_id     INTEGER NOT NULL DEFAULT 0,
  payer        TEXT NOT NULL,
  window_start INTEGER NOT NULL,
  spent        INTEGER NOT NULL,
  PRIMARY KEY (study_id, payer)
) STRICT, WITHOUT ROWID;
CREATE INDEX request_budgets_by_window ON request_budgets (window_start);
