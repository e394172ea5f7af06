-- What the browser interface needs, and requests that may come again.

-- +goose Up

-- Browsers that are signed in. The key is the SHA-256 of a session's token, which is not kept;
-- the stamp tells whether the user's password is still the one that the session was begun with.
CREATE TABLE sessions (
  study_id    INTEGER NOT NULL DEFAULT 0, -- the deployment
  session_key TEXT NOT NULL,
  username    TEXT NOT NULL,
  stamp       TEXT NOT NULL,
  begun_at    INTEGER NOT NULL,
  until       INTEGER NOT NULL,
  PRIMARY KEY (study_id, session_key)
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_end ON sessions (until);

-- Under which key a request may come again, of whoever submitted the job; '' for none.
ALTER TABLE jobs ADD COLUMN repeat_key TEXT NOT NULL DEFAULT '';
CREATE UNIQUE INDEX jobs_by_repeat ON jobs (study_id, submitted_by, repeat_key) WHERE repeat_key <> '';
