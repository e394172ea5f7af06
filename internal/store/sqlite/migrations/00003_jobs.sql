-- Background work: one row a job, its output in parts.

-- +goose Up
CREATE TABLE jobs (
  study_id     INTEGER NOT NULL,
  id           BLOB NOT NULL,
  site_id      INTEGER NOT NULL,
  kind         TEXT NOT NULL,
  state        TEXT NOT NULL,
  submitted_by TEXT NOT NULL,
  role         TEXT NOT NULL,
  dialect      TEXT NOT NULL,
  request_id   TEXT NOT NULL,
  source_file  TEXT NOT NULL,
  upload       TEXT NOT NULL,
  size         INTEGER NOT NULL,
  params       BLOB,
  parts        INTEGER NOT NULL DEFAULT 0,   -- steps that have committed
  output_parts INTEGER NOT NULL DEFAULT 0,   -- steps among them that had output
  cursor       BLOB,
  row_count    INTEGER NOT NULL DEFAULT 0,
  failed_count INTEGER NOT NULL DEFAULT 0,
  error        TEXT NOT NULL DEFAULT '',
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL,
  started_at   INTEGER,
  completed_at INTEGER,
  PRIMARY KEY (study_id, id)
) STRICT;
CREATE INDEX jobs_by_id ON jobs (id);
CREATE INDEX jobs_unfinished ON jobs (state, created_at)
  WHERE state IN ('queued', 'in progress');

CREATE TABLE job_output (
  study_id INTEGER NOT NULL,
  job_id   BLOB NOT NULL,
  part     INTEGER NOT NULL,
  bytes    BLOB NOT NULL,
  PRIMARY KEY (study_id, job_id, part)
) STRICT;
