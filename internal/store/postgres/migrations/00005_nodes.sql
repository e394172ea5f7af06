-- What several nodes on one database share: leases of jobs, the files of jobs that have ended,
-- turns and failures of signing in, and request budgets.

-- +goose Up

-- The token of a lease grows each time that a node takes the job; only its holder may write
-- into the job. Lease_until goes by the database's own clock. Output is the key of the file
-- that holds the whole output once the job has ended; until then it is in job_output.
ALTER TABLE jobs
  ADD COLUMN output      TEXT COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN lease_token BIGINT NOT NULL DEFAULT 0,
  ADD COLUMN lease_node  TEXT COLLATE "C" NOT NULL DEFAULT '',
  ADD COLUMN lease_until BIGINT NOT NULL DEFAULT 0;
UPDATE jobs SET upload = 'uploads/' || upload WHERE upload <> '';

-- Erased participants who are still to be taken out of the files of jobs that had ended. People
-- is a JSON array of their names in those files; the row goes when none holds them any more.
CREATE TABLE erasures (
  study_id BIGINT NOT NULL,
  id       UUID NOT NULL,
  at       BIGINT NOT NULL,
  people   TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (study_id, id)
);

-- Client addresses that try, or have lately failed, to sign in. Failures is a JSON array of
-- their times; turn_until goes by the database's own clock.
CREATE TABLE sign_ins (
  study_id   BIGINT NOT NULL DEFAULT 0,
  address    TEXT COLLATE "C" NOT NULL,
  turn       BIGINT NOT NULL DEFAULT 0,
  turn_until BIGINT NOT NULL DEFAULT 0,
  failures   TEXT COLLATE "C" NOT NULL DEFAULT '[]',
  updated_at BIGINT NOT NULL,
  PRIMARY KEY (study_id, address)
);
CREATE INDEX sign_ins_by_time ON sign_ins (updated_at);

-- How many requests each account or address has made, or set aside, in the running window.
CREATE TABLE request_budgets (
  study_id     BIGINT NOT NULL DEFAULT 0,
  payer        TEXT COLLATE "C" NOT NULL,
  window_start BIGINT NOT NULL,
  spent        BIGINT NOT NULL,
  PRIMARY KEY (study_id, payer)
);
CREATE INDEX request_budgets_by_window ON request_budgets (window_start);
