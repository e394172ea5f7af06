-- Queries are answered from rosters in memory, see docs/adr/0016: what only searches read goes.

-- +goose Up
DROP INDEX participants_by_text;
ALTER TABLE participants
  DROP COLUMN search_text,
  DROP COLUMN custom_text,
  DROP COLUMN folds;

-- Grows when members of segments change without a change of their own.
ALTER TABLE study_counters ADD COLUMN memberships BIGINT NOT NULL DEFAULT 0;
