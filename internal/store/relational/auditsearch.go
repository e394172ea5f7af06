package relational

import (
	"context"
	"fmt"
	"math"

	"rollcall/internal/audit"
	"rollcall/internal/registry"
)

// SearchEvents reads the events of a study that a search asks for, newest first.
func (db *DB) SearchEvents(ctx context.Context, study registry.StudyID, s audit.Search) ([]audit.Event, error) {
	before := s.Before
	if before <= 0 {
		before = math.MaxInt64
	}
	args := []any{int64(study), before}
	text := "SELECT " + eventsRead + " FROM audit_events WHERE study_id = $1 AND seq < $2"
	and := func(condition string, value any) {
		args = append(args, value)
		text += fmt.Sprintf(" AND "+condition, len(args))
	}
	if s.Actor != "" {
		and("actor = $%d", s.Actor)
	}
	if s.Action != "" {
		and("action = $%d", string(s.Action))
	}
	if s.Participant != nil {
		and("participant_id = $%d", *s.Participant)
	}
	if s.Identifier != "" {
		and("identifier = $%d", s.Identifier)
	}
	if !s.From.IsZero() {
		and("at >= $%d", s.From.UnixMicro())
	}
	if !s.To.IsZero() {
		and("at < $%d", s.To.UnixMicro())
	}
	args = append(args, max(s.Limit, 0))
	records, err := query(ctx, db.engine.Read(), scanRecord, text+fmt.Sprintf(" ORDER BY seq DESC LIMIT $%d", len(args)), args...)
	return eventsOf(records), db.engine.Classify("search the audit trail", err)
}
