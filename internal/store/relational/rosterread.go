package relational

import (
	"context"
	"database/sql"
	"strings"

	"rollcall/internal/registry"
	"rollcall/internal/store/roster"
)

// A roster is read with all texts of a row joined to one: the row is then few values, which is
// what reading a row costs by.
var joinedColumns = append(append([]string{"identifier"}, detailColumns[:]...), "status", "participate", "invitation", "custom")

// selectRoster is the query for a study's whole roster.
func selectRoster(d Dialect) string {
	return "SELECT seq, id, site_id, enrolled, enrolled_at, withdrawn_at, " + d.Joined(joinedColumns) +
		" FROM participants WHERE study_id = $1 AND seq > $2 ORDER BY study_id, seq"
}

// readers of a roster work ahead of who puts the rows into it by so many batches of so many rows.
const (
	batchesAhead = 4
	batchRows    = 512
)

// readAll reads a study's roster.
func (db *DB) readAll(ctx context.Context, in Querier, study registry.StudyID) (*roster.Roster, error) {
	r := roster.New()
	whole, err := db.readJoined(ctx, in, study, r, func(registry.ID) {})
	if err != nil || whole {
		return r, err
	}
	r = roster.New() // a text holds the separator
	err = each(ctx, in, db.scanParticipant, func(p *registry.Participant) error {
		r.Put(p)
		return nil
	}, selectParticipant+" WHERE study_id = $1 ORDER BY study_id, seq", int64(study))
	return r, err
}

// readJoined puts those into the roster who come after all that it knows, calls with each of
// them, and tells whether it could take every row apart.
func (db *DB) readJoined(ctx context.Context, in Querier, study registry.StudyID, r *roster.Roster, with func(registry.ID)) (whole bool, err error) {
	full, empty, done := make(chan []rosterRow, batchesAhead), make(chan []rosterRow, batchesAhead), make(chan struct{})
	for range batchesAhead {
		empty <- nil // they grow as rows come: mostly there are few
	}
	after := r.Last()
	whole = true
	go func() { // rows are put into the roster beside the reading; it ends before this returns
		defer close(done)
		into := registry.Participant{Custom: map[string]string{}}
		for batch := range full {
			for i := range batch {
				whole = whole && db.takeApart(&batch[i], &into) && r.Put(&into)
			}
			empty <- batch[:0]
		}
	}()
	batch := <-empty
	err = each(ctx, in, scanRosterRow, func(row rosterRow) error {
		with(row.id)
		if batch = append(batch, row); len(batch) == batchRows {
			full <- batch
			batch = <-empty
		}
		return nil
	}, selectRoster(db.engine), int64(study), after)
	full <- batch
	close(full)
	<-done
	return whole, err
}

// rosterRow is what is read of a participant.
type rosterRow struct {
	seq                int64
	id                 registry.ID
	site               registry.SiteID
	enrolled           bool
	enrolledAt, leftAt sql.NullInt64
	joined             string
}

func scanRosterRow(row scanner) (rosterRow, error) {
	var r rosterRow
	return r, row.Scan(&r.seq, &r.id, &r.site, &r.enrolled, &r.enrolledAt, &r.leftAt, &r.joined)
}

// takeApart makes a participant of a row, as far as rosters look at one. It answers false for a
// row that cannot be taken apart.
func (db *DB) takeApart(row *rosterRow, p *registry.Participant) bool {
	separator := db.engine.Separator()
	rest, whole := row.joined, true
	next := func() (text string) {
		var found bool
		text, rest, found = strings.Cut(rest, separator)
		whole = whole && found
		return text
	}
	p.Seq, p.ID, p.Site, p.Enrolled = row.seq, row.id, row.site, row.enrolled
	p.EnrolledAt, p.WithdrawnAt = timeOrZero(row.enrolledAt), timeOrZero(row.leftAt)
	p.Identifier = next()
	for f := range p.Details {
		p.Details[f] = next()
	}
	p.Status, p.Participate = registry.ParticipantStatus(next()), registry.ParticipateStatus(next())
	p.Invitation = registry.InvitationStatus(next())
	if !whole || strings.Contains(rest, separator) {
		return false
	}
	clear(p.Custom)
	if rest == "" || eachMember(rest, func(name, value string) { p.Custom[db.engine.Outer(name)] = db.engine.Outer(value) }) {
		return true
	}
	custom, err := db.decodeCustom(rest)
	for name, value := range custom {
		p.Custom[name] = value
	}
	return err == nil
}
