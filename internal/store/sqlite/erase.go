package sqlite

import (
	"context"

	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/registry"
)

// eraseEvents takes what they say of a participant out of audit events. The events stay, and
// the names of the fields that changed.
const eraseEvents = `UPDATE audit_events SET erased = 1, identifier = '', fields = CASE fields WHEN '' THEN '' ELSE
	(SELECT json_group_array(json_array(json_extract(value, '$[0]'), '', '')) FROM json_each(fields)) END
	WHERE study_id = $1 AND participant_id = $2 AND erased = 0`

// erase deletes participants and every personal value about them: their rows, claims, codes,
// memberships and invitations, and what their audit events say of them.
func (t *tx) erase(ctx context.Context, ids []registry.ID) error {
	for _, id := range ids {
		for _, text := range []string{
			"DELETE FROM participants WHERE study_id = $1 AND id = $2",
			"DELETE FROM contact_claims WHERE study_id = $1 AND participant_id = $2",
			"DELETE FROM access_codes WHERE study_id = $1 AND participant_id = $2",
			"DELETE FROM segment_members WHERE study_id = $1 AND participant_id = $2",
			"DELETE FROM invitations WHERE study_id = $1 AND participant_id = $2",
			eraseEvents,
		} {
			if _, err := t.exec(ctx, text, int64(t.study), blob(id)); err != nil {
				return err
			}
		}
		delete(t.places, id)
		t.erased = true
	}
	return nil
}

// eraseLate erases events just recorded about somebody who was erased before: what was read of
// a participant is remembered after it was read. Whom the outcome, if any, writes or deletes
// itself is not looked up.
func (t *tx) eraseLate(ctx context.Context, events []audit.Event, out *registry.Outcome) error {
	seen := map[registry.ID]bool{uuid.Nil: true}
	if out != nil {
		for _, w := range out.Writes {
			seen[w.Participant.ID] = true
		}
		for _, id := range out.Deleted {
			seen[id] = true
		}
	}
	for i := range events {
		id := events[i].Participant
		if seen[id] {
			continue
		}
		seen[id] = true
		_, err := t.exec(ctx, eraseEvents+` AND EXISTS
			(SELECT 1 FROM audit_events WHERE study_id = $1 AND participant_id = $2 AND erased = 1)`, int64(t.study), blob(id))
		if err != nil {
			return err
		}
	}
	return nil
}

// Identifiers implements registry.Tx.
func (t *tx) Identifiers(ctx context.Context, ids []registry.ID) (map[registry.ID][]string, error) {
	if t.err != nil {
		return nil, t.err
	}
	known := make(map[registry.ID][]string, len(ids))
	for _, id := range ids {
		list, err := query(ctx, t, scanValue[string], `SELECT DISTINCT identifier FROM audit_events
			WHERE study_id = $1 AND participant_id = $2 AND erased = 0 ORDER BY identifier`, int64(t.study), blob(id))
		if err := t.fail("read a participant's identifiers", err); err != nil {
			return nil, err
		}
		if len(list) > 0 {
			known[id] = list
		}
	}
	return known, nil
}
