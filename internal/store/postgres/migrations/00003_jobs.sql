-- Background work: one row a job, its output in parts.

-- +goose Up
CREATE TABLE jobs (
  study_id     BIGINT NOT NULL,
  id           UUID NOT NULL,
  site_id      BIGINT NOT NULL,
  kind         TEXT COLLATE "C" NOT NULL,
  state        TEXT COLLATE "C" NOT NULL,
  submitted_by TEXT COLLATE "C" NOT NULL,
  role         TEXT COLLATE "C" NOT NULL,
  dialect      TEXT COLLATE "C" NOT NULL,
  request_id   TEXT COLLATE "C" NOT NULL,
  source_file  TEXT COLLATE "C" NOT NULL,
  upload       TEXT COLLATE "C" NOT NULL,
  size         BIGINT NOT NULL,
  params       BYTEA,
  parts        BIGINT NOT NULL DEFAULT 0,   -- steps that have committed
  output_parts BIGINT NOT NULL DEFAULT 0,   -- steps among them that had output
  cursor       BYTEA,
  row_count    BIGINT NOT NULL DEFAULT 0,
  failed_count BIGINT NOT NULL DEFAULT 0,
  error        TEXT COLLATE "C" NOT NULL DEFAULT '',
  created_at   BIGINT NOT NULL,
  updated_at   BIGINT NOT NULL,
  started_at   BIGINT,
  completed_at BIGINT,
  PRIMARY KEY (study_id, id)
);
CREATE INDEX jobs_by_id ON jobs (id);
CREATE INDEX jobs_unfinished ON jobs (state, created_at)
  WHERE state IN ('queued', 'in progress');

CREATE TABLE job_output (
  study_id BIGINT NOT NULL,
  job_id   UUID NOT NULL,
  part     BIGINT NOT NULL,
  bytes    BYTEA NOT NULL,
  PRIMARY KEY (study_id, job_id, part)
);
