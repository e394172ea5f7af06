package sqlite

import (
	"context"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/registry"
)

// member writes who belongs to which segment. Those who were members already keep their date.
func (t *tx) member(ctx context.Context, at time.Time, memberships []registry.Membership) error {
	added := make([]registry.Membership, 0, len(memberships))
	left := map[uuid.UUID][]any{}
	for _, m := range memberships {
		if m.Member {
			added = append(added, m)
		} else {
			left[m.Segment] = append(left[m.Segment], blob(m.Participant))
		}
	}
	for segment, people := range left {
		err := inChunks(people, func(list string, args []any) error {
			_, err := t.exec(ctx, "DELETE FROM segment_members WHERE study_id = ? AND segment_id = ? AND participant_id IN ("+list+")",
				append([]any{int64(t.study), blob(segment)}, args...)...)
			return err
		})
		if err != nil {
			return err
		}
	}
	_, err := t.insertAll(ctx, t.db.set.members, len(added), func(args []any, row int) ([]any, error) {
		m := added[row]
		return append(args, int64(t.study), blob(m.Segment), blob(m.Participant), at.UnixMicro()), nil
	})
	return err
}

// queueInvitations queues an invitation for each participant who has none.
func (t *tx) queueInvitations(ctx context.Context, at time.Time, ids []registry.ID) error {
	_, err := t.insertAll(ctx, t.db.set.invitations, len(ids), func(args []any, row int) ([]any, error) {
		return append(args, int64(t.study), blob(ids[row]), string(registry.InvitationQueued), at.UnixMicro(), at.UnixMicro()), nil
	})
	return err
}
