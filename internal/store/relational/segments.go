package relational

import (
	"context"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/registry"
)

// member writes who belongs to which segment. Those who were members already keep their date.
func (t *tx) member(ctx context.Context, at time.Time, out *registry.Outcome) error {
	if len(out.Memberships) == 0 {
		return nil
	}
	written := make(map[registry.ID]bool, len(out.Writes)) // rosters hear of them by their events
	for _, w := range out.Writes {
		written[w.Participant.ID] = true
	}
	var theirs, others []registry.Membership
	for _, m := range out.Memberships {
		if written[m.Participant] {
			theirs = append(theirs, m)
		} else {
			others = append(others, m)
		}
	}
	if _, err := t.putMemberships(ctx, at, theirs); err != nil {
		return err
	}
	changed, err := t.putMemberships(ctx, at, others)
	if err != nil {
		return err
	}
	return countMemberships(ctx, t.w, t.study, changed)
}

// putMemberships tells how many have become members, or are no longer.
func (t *tx) putMemberships(ctx context.Context, at time.Time, memberships []registry.Membership) (changed int64, err error) {
	added := make([]registry.Membership, 0, len(memberships))
	left := map[uuid.UUID][]any{}
	for _, m := range memberships {
		if m.Member {
			added = append(added, m)
		} else {
			left[m.Segment] = append(left[m.Segment], m.Participant)
		}
	}
	for segment, people := range left {
		err := t.db.engine.In("participant_id", 3, people, func(condition string, args []any) error {
			n, err := t.w.Exec(ctx, "DELETE FROM segment_members WHERE study_id = $1 AND segment_id = $2 AND "+condition,
				append([]any{int64(t.study), segment}, args...)...)
			changed += n
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	n, err := t.w.Insert(ctx, t.db.set.members, len(added), func(args []any, row int) ([]any, error) {
		m := added[row]
		return append(args, int64(t.study), m.Segment, m.Participant, at.UnixMicro()), nil
	})
	return changed + n, err
}

// countMemberships counts on if memberships changed of which no audit event tells, see
// [position].
func countMemberships(ctx context.Context, w Transaction, study registry.StudyID, changed int64) error {
	if changed == 0 {
		return nil
	}
	_, err := w.Exec(ctx, "UPDATE study_counters SET memberships = memberships + 1 WHERE study_id = $1", int64(study))
	return err
}

// SegmentsOf implements registry.Reader.
func (db *DB) SegmentsOf(ctx context.Context, study registry.StudyID, id registry.ID) ([]registry.SegmentMember, error) {
	members, err := query(ctx, db.engine.Read(), func(row scanner) (registry.SegmentMember, error) {
		var m registry.SegmentMember
		var micros int64
		err := row.Scan(&m.Segment, &micros)
		m.AddedAt = time.UnixMicro(micros).UTC()
		return m, err
	}, `SELECT m.segment_id, m.added_at FROM segment_members m
	    JOIN segments s ON s.study_id = m.study_id AND s.id = m.segment_id
	    WHERE m.study_id = $1 AND m.participant_id = $2 ORDER BY s.position`, int64(study), id)
	return members, db.engine.Classify("list a participant's segments", err)
}

// queueInvitations queues an invitation for each participant who has none.
func (t *tx) queueInvitations(ctx context.Context, at time.Time, ids []registry.ID) error {
	_, err := t.w.Insert(ctx, t.db.set.invitations, len(ids), func(args []any, row int) ([]any, error) {
		return append(args, int64(t.study), ids[row], string(registry.InvitationQueued), at.UnixMicro(), at.UnixMicro()), nil
	})
	return err
}
