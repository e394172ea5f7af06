-- Queries are answered from rosters in memory, see docs/adr/0016: what only searches read goes.

-- +goose Up
ALTER TABLE participants DROP COLUMN search_text;
ALTER TABLE participants DROP COLUMN custom_text;

-- Grows when members of segments change without a change of their own.
ALTER TABLE study_counters ADD COLUMN memberships INTEGER NOT NULL DEFAULT 0;
