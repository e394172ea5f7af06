package relational

import (
	"context"

	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/registry"
)

// erase deletes participants and every personal value about them: their rows, claims, codes,
// memberships and invitations, and what their audit events say of them.
func (t *tx) erase(ctx context.Context, ids []registry.ID) error {
	for _, id := range ids {
		for _, text := range []string{
			"DELETE FROM participants WHERE study_id = $1 AND id = $2",
			"DELETE FROM contact_claims WHERE study_id = $1 AND participant_id = $2",
			"DELETE FROM access_codes WHERE of_study = $1 AND participant_id = $2",
			"DELETE FROM segment_members WHERE study_id = $1 AND participant_id = $2",
			"DELETE FROM invitations WHERE study_id = $1 AND participant_id = $2",
		} {
			if _, err := t.w.Exec(ctx, text, int64(t.study), id); err != nil {
				return err
			}
		}
		if err := t.eraseEvents(ctx, id); err != nil {
			return err
		}
		delete(t.places, id)
		t.w.Erased()
	}
	return nil
}

// storedFields are the encoded field changes of one event.
type storedFields struct {
	seq  int64
	text string
}

// eraseEvents takes what they say of a participant out of audit events. The events stay, and
// the names of the fields that changed.
func (t *tx) eraseEvents(ctx context.Context, id registry.ID) error {
	events, err := query(ctx, t.w, func(row scanner) (storedFields, error) {
		var f storedFields
		return f, row.Scan(&f.seq, &f.text)
	}, "SELECT seq, fields FROM audit_events WHERE study_id = $1 AND participant_id = $2 AND NOT erased", int64(t.study), id)
	if err != nil {
		return err
	}
	return t.w.Update(ctx, "UPDATE audit_events SET erased = TRUE, identifier = '', fields = $1 WHERE study_id = $2 AND seq = $3", len(events),
		func(args []any, i int) ([]any, error) {
			fields, err := decodeFields(events[i].text)
			for j := range fields {
				fields[j].Old, fields[j].New = "", ""
			}
			return append(args, string(appendFields(nil, fields)), int64(t.study), events[i].seq), err
		})
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
		_, erased, err := queryOne(ctx, t.w, scanValue[int64],
			"SELECT seq FROM audit_events WHERE study_id = $1 AND participant_id = $2 AND erased LIMIT 1", int64(t.study), id)
		if err == nil && erased {
			err = t.eraseEvents(ctx, id)
		}
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
		list, err := query(ctx, t.w, scanValue[string], `SELECT DISTINCT identifier FROM audit_events
			WHERE study_id = $1 AND participant_id = $2 AND NOT erased ORDER BY identifier`, int64(t.study), id)
		if err := t.fail("read a participant's identifiers", err); err != nil {
			return nil, err
		}
		if len(list) > 0 {
			known[id] = list
		}
	}
	return known, nil
}
