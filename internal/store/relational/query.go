package relational

import (
	"context"
	"time"

	"rollcall/internal/registry"
)

// nearStart is up to which offset the list of everybody is read from the database while the
// study's roster has not been read.
const nearStart = 10_000

// Query implements registry.Reader. The study's roster finds whom to show and counts them all;
// who is shown is read from the database, in the picture for which the roster has answered.
func (db *DB) Query(ctx context.Context, study registry.StudyID, q *registry.Query) (*registry.Page, error) {
	page, err := db.query(ctx, study, q)
	if err != nil {
		return nil, db.engine.Classify("query participants", err)
	}
	return page, nil
}

func (db *DB) query(ctx context.Context, study registry.StudyID, q *registry.Query) (*registry.Page, error) {
	k := db.rosters.of(study)
	if plain(q) && !k.read() {
		return db.firstPages(ctx, study, k, q)
	}
	for {
		if err := db.awaitRoster(ctx, study, k); err != nil {
			return nil, err
		}
		var page *registry.Page
		err := db.engine.Snapshot(ctx, func(in Querier) error {
			page = nil
			at, err := readPosition(ctx, in, study)
			if err != nil {
				return err
			}
			seqs, total, fits := k.ask(at, q)
			if fits == rosterBehind {
				if err := db.catchUp(ctx, in, study, k, at, q.Segment); err != nil {
					return err
				}
				seqs, total, fits = k.ask(at, q)
			}
			if fits != rosterFits {
				return nil // a new picture is later than any that the roster has seen
			}
			page = &registry.Page{Total: total}
			return db.readPage(ctx, in, study, q, seqs, page)
		})
		if err != nil || page != nil {
			return page, err
		}
		if err := k.settle(ctx); err != nil {
			return nil, err
		}
	}
}

// plain tells whether a query asks for everybody in the order of creation, near the start.
func plain(q *registry.Query) bool {
	return q.Text == "" && q.Segment == nil && len(q.Filters) == 0 && q.Site == nil &&
		q.Status == "" && q.Invitation == nil && q.Participate == nil && q.Enrolled == nil && q.Withdrawn == nil &&
		q.Sort.Key == registry.ByInserted && !q.Sort.Descending && q.Offset <= nearStart
}

const removedOf = "(SELECT seq FROM participants WHERE study_id = $1 AND status = 'removed')" // few, with an index of their own

// firstPages answers a plain query without the roster, so that a server need not read everybody
// before it shows anybody. It counts everybody once, and again only if something has changed.
// Where reading the roster takes a while it begins now: who lists people searches them next.
func (db *DB) firstPages(ctx context.Context, study registry.StudyID, k *keptRoster, q *registry.Query) (*registry.Page, error) {
	page := &registry.Page{}
	err := db.engine.Snapshot(ctx, func(in Querier) error {
		*page = registry.Page{}
		at, err := readPosition(ctx, in, study)
		if err != nil {
			return err
		}
		if page.Total, err = k.count(ctx, in, study, at); err != nil {
			return err
		}
		seqs, err := query(ctx, in, scanValue[int64],
			"SELECT seq FROM participants WHERE study_id = $1 AND seq NOT IN "+removedOf+" ORDER BY seq LIMIT $2 OFFSET $3",
			int64(study), q.Limit, q.Offset)
		if err != nil {
			return err
		}
		return db.readPage(ctx, in, study, q, seqs, page)
	})
	if err == nil && page.Total > nearStart {
		db.beginRoster(study, k)
	}
	return page, err
}

// count counts who is listed in the picture at a position.
func (k *keptRoster) count(ctx context.Context, in Querier, study registry.StudyID, at position) (int, error) {
	k.mu.RLock()
	total, totalAt := k.total, k.totalAt
	k.mu.RUnlock()
	if total > 0 && totalAt == at {
		return total, nil
	}
	counted, _, err := queryOne(ctx, in, scanValue[int64],
		`SELECT (SELECT count(*) FROM participants WHERE study_id = $1) - (SELECT count(*) FROM `+removedOf+` AS removed)`, int64(study))
	if err != nil {
		return 0, err
	}
	k.mu.Lock()
	k.total, k.totalAt = int(counted), at
	k.mu.Unlock()
	return int(counted), nil
}

// readPage reads the participants of a page in its order.
func (db *DB) readPage(ctx context.Context, in Querier, study registry.StudyID, q *registry.Query, seqs []int64, page *registry.Page) error {
	bySeq := make(map[int64]*registry.Participant, len(seqs))
	err := db.engine.In("seq", 2, anys(seqs), func(condition string, args []any) error {
		people, err := query(ctx, in, db.scanParticipant,
			selectParticipant+" WHERE study_id = $1 AND "+condition, append([]any{int64(study)}, args...)...)
		for _, p := range people {
			bySeq[p.Seq] = p
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, seq := range seqs {
		page.Participants = append(page.Participants, bySeq[seq])
	}
	if q.Segment == nil {
		return nil
	}
	return db.readAdded(ctx, in, study, q, page)
}

// readAdded reads when the participants of a page were added to the segment that was asked for.
func (db *DB) readAdded(ctx context.Context, in Querier, study registry.StudyID, q *registry.Query, page *registry.Page) error {
	ids := make([]any, len(page.Participants))
	for i, p := range page.Participants {
		ids[i] = p.ID
	}
	added := map[registry.ID]time.Time{}
	err := db.engine.In("participant_id", 3, ids, func(condition string, args []any) error {
		_, err := query(ctx, in, func(row scanner) (struct{}, error) {
			var id registry.ID
			var micros int64
			err := row.Scan(&id, &micros)
			added[id] = time.UnixMicro(micros).UTC()
			return struct{}{}, err
		}, "SELECT participant_id, added_at FROM segment_members WHERE study_id = $1 AND segment_id = $2 AND "+condition,
			append([]any{int64(study), *q.Segment}, args...)...)
		return err
	})
	for _, p := range page.Participants {
		page.AddedAt = append(page.AddedAt, added[p.ID])
	}
	return err
}
