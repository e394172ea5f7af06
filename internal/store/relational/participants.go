package relational

import (
	"context"
	"strings"

	"rollcall/internal/registry"
)

var (
	participantByKey = selectParticipant + " WHERE study_id = $1 AND identifier_key = $2"
	participantByID  = selectParticipant + " WHERE study_id = $1 AND id = $2"

	// Pages are read along an index, see eventsOfStudy.
	participantsOf = "SELECT " + strings.Join(participantColumns, ", ") + ` FROM
		(SELECT * FROM participants WHERE (study_id, seq) > ($1, $2) ORDER BY study_id, seq LIMIT $3) AS page
		WHERE study_id = $1 ORDER BY seq`
	participantsAt = "SELECT " + strings.Join(participantColumns, ", ") + ` FROM
		(SELECT * FROM participants WHERE (study_id, site_id, seq) > ($1, $2, $3) ORDER BY study_id, site_id, seq LIMIT $4) AS page
		WHERE study_id = $1 AND site_id = $2 ORDER BY seq`
)

// ParticipantByIdentifier implements registry.Reader.
func (db *DB) ParticipantByIdentifier(ctx context.Context, study registry.StudyID, identifier string) (*registry.Participant, error) {
	p, _, err := queryOne(ctx, db.engine.Lookup(), db.scanParticipant, participantByKey, int64(study), registry.Fold(identifier))
	return orNil(p, db.engine.Classify("find a participant by identifier", err))
}

// ParticipantByID implements registry.Reader.
func (db *DB) ParticipantByID(ctx context.Context, study registry.StudyID, id registry.ID) (*registry.Participant, error) {
	p, _, err := queryOne(ctx, db.engine.Lookup(), db.scanParticipant, participantByID, int64(study), id)
	return orNil(p, db.engine.Classify("find a participant by id", err))
}

func orNil(p *registry.Participant, err error) (*registry.Participant, error) {
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Participants implements registry.Reader.
func (db *DB) Participants(
	ctx context.Context, study registry.StudyID, site *registry.SiteID, afterSeq int64, limit int,
) ([]*registry.Participant, error) {
	var list []*registry.Participant
	var err error
	if site == nil {
		list, err = query(ctx, db.engine.Read(), db.scanParticipant, participantsOf, int64(study), afterSeq, max(limit, 0))
	} else {
		list, err = query(ctx, db.engine.Read(), db.scanParticipant, participantsAt, int64(study), int64(*site), afterSeq, max(limit, 0))
	}
	return list, db.engine.Classify("list participants", err)
}
