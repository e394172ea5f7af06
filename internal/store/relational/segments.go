package relational

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
			left[m.Segment] = append(left[m.Segment], m.Participant)
		}
	}
	for segment, people := range left {
		err := t.db.engine.In("participant_id", 3, people, func(condition string, args []any) error {
			_, err := t.w.Exec(ctx, "DELETE FROM segment_members WHERE study_id = $1 AND segment_id = $2 AND "+condition,
				append([]any{int64(t.study), segment}, args...)...)
			return err
		})
		if err != nil {
			return err
		}
	}
	_, err := t.w.Insert(ctx, t.db.set.members, len(added), func(args []any, row int) ([]any, error) {
		m := added[row]
		return append(args, int64(t.study), m.Segment, m.Participant, at.UnixMicro()), nil
	})
	return err
}

// queueInvitations queues an invitation for each participant who has none.
func (t *tx) queueInvitations(ctx context.Context, at time.Time, ids []registry.ID) error {
	_, err := t.w.Insert(ctx, t.db.set.invitations, len(ids), func(args []any, row int) ([]any, error) {
		return append(args, int64(t.study), ids[row], string(registry.InvitationQueued), at.UnixMicro(), at.UnixMicro()), nil
	})
	return err
}
