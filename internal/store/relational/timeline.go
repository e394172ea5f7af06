package relational

import (
	"context"
	"fmt"
	"math"
	"strings"

	"rollcall/internal/audit"
	"rollcall/internal/registry"
	"rollcall/internal/store/trail"
)

// recentReach is how many of a study's last events are looked through for those of some sites.
const recentReach = 2000

// ParticipantEvents reads the events about one participant, newest first, up to limit from
// before a number on; 0 begins with the newest.
func (db *DB) ParticipantEvents(ctx context.Context, study registry.StudyID, id registry.ID, before int64, limit int) ([]audit.Event, error) {
	if before <= 0 {
		before = math.MaxInt64
	}
	records, err := query(ctx, db.engine.Read(), scanRecord, "SELECT "+eventsRead+
		" FROM audit_events WHERE study_id = $1 AND participant_id = $2 AND seq < $3 ORDER BY seq DESC LIMIT $4",
		int64(study), id, before, max(limit, 0))
	return eventsOf(records), db.engine.Classify("read a participant's events", err)
}

// RecentEvents reads up to limit of the last events of a study, newest first. With sites, it is
// those about participants who are at one of them now, as far back as some thousand events.
func (db *DB) RecentEvents(ctx context.Context, study registry.StudyID, sites []registry.SiteID, limit int) ([]audit.Event, error) {
	text, args := "SELECT "+eventsRead+" FROM audit_events WHERE study_id = $1 ORDER BY seq DESC LIMIT $2", []any{int64(study), max(limit, 0)}
	if sites != nil {
		places := []string{"-1"}
		for _, site := range sites {
			args = append(args, int64(site))
			places = append(places, fmt.Sprintf("$%d", len(args)))
		}
		text = "SELECT " + eventsRead + fmt.Sprintf(" FROM (SELECT * FROM audit_events WHERE study_id = $1 ORDER BY seq DESC LIMIT %d) AS e", recentReach) +
			" WHERE EXISTS (SELECT 1 FROM participants p WHERE p.study_id = $1 AND p.id = e.participant_id AND p.site_id IN (" +
			strings.Join(places, ", ") + ")) ORDER BY seq DESC LIMIT $2"
	}
	records, err := query(ctx, db.engine.Read(), scanRecord, text, args...)
	return eventsOf(records), db.engine.Classify("read recent events", err)
}

func eventsOf(records []trail.Record) []audit.Event {
	events := make([]audit.Event, len(records))
	for i := range records {
		events[i] = records[i].Event
	}
	return events
}
