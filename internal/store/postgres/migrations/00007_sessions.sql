-- What the browser interface needs, and requests that may come again.

-- +goose Up

-- Browsers that are signed in. The key is the SHA-256 of a session's token, which is not kept;
-- the stamp tells whether the user's password is still the one that the session was begun with.
CREATE TABLE sessions (
  study_id    BIGINT NOT NULL DEFAULT 0, -- the deployment
  session_key TEXT COLLATE "C" NOT NULL,
  username    TEXT COLLATE "C" NOT NULL,
  stamp       TEXT COLLATE "C" NOT NULL,
  begun_at    BIGINT NOT NULL,
  until       BIGINT NOT NULL,
  PRIMARY KEY (study_id, session_key)
);
CREATE INDEX sessions_by_end ON sessions (until);

-- Under which key a request may come again, of whoever submitted the job; '' for none.
ALTER TABLE jobs ADD COLUMN repeat_key TEXT COLLATE "C" NOT NULL DEFAULT '';
CREATE UNIQUE INDEX jobs_by_repeat ON jobs (study_id, submitted_by, repeat_key) WHERE repeat_key <> '';
