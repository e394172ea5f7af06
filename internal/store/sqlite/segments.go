package sqlite

import (
	"context"
	"time"

	"rollcall/internal/registry"
)

// member writes who belongs to which segment. Those who were members already keep their date.
func (t *tx) member(ctx context.Context, at time.Time, memberships []registry.Membership) error {
	added := make([]registry.Membership, 0, len(memberships))
	for _, m := range memberships {
		if m.Member {
			added = append(added, m)
			continue
		}
		_, err := t.exec(ctx, "DELETE FROM segment_members WHERE study_id = $1 AND segment_id = $2 AND participant_id = $3",
			int64(t.study), blob(m.Segment), blob(m.Participant))
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
