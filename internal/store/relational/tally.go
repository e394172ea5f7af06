package relational

import (
	"context"
	"time"

	"rollcall/internal/registry"
)

// dayMicros is a day of times in the database.
const dayMicros = int64(24 * time.Hour / time.Microsecond)

// TallyVersion reads what a tally's Version would be now. It is cheap.
func (db *DB) TallyVersion(ctx context.Context, study registry.StudyID) (int64, error) {
	version, err := tallyVersion(ctx, db.engine.Read(), study)
	return version, db.engine.Classify("read the number of the last event", err)
}

func tallyVersion(ctx context.Context, q Querier, study registry.StudyID) (int64, error) {
	version, found, err := queryOne(ctx, q, scanValue[int64], "SELECT last_audit_seq FROM study_counters WHERE study_id = $1", int64(study))
	if err == nil && !found {
		err = studyUnknown()
	}
	return version, err
}

// Tally counts a study's participants. It looks at all of them.
func (db *DB) Tally(ctx context.Context, study registry.StudyID) (*registry.Tally, error) {
	var tally *registry.Tally
	err := db.engine.Survey(ctx, func(q Querier) (err error) {
		tally = &registry.Tally{}
		if tally.Version, err = tallyVersion(ctx, q, study); err != nil {
			return err
		}
		tally.Groups, err = query(ctx, q, func(row scanner) (registry.TallyGroup, error) {
			var g registry.TallyGroup
			return g, row.Scan(&g.Site, (*string)(&g.Status), &g.Withdrawn, &g.Enrolled, (*string)(&g.Participate), &g.Count)
		}, `SELECT site_id, status, withdrawn_at IS NOT NULL AS gone, enrolled, participate, count(*) FROM participants
		    WHERE study_id = $1 GROUP BY site_id, status, withdrawn_at IS NOT NULL, enrolled, participate
		    ORDER BY site_id, status, gone, enrolled, participate`, int64(study))
		if err != nil {
			return err
		}
		tally.Days, err = query(ctx, q, func(row scanner) (registry.TallyDay, error) {
			var d registry.TallyDay
			var day int64
			err := row.Scan(&d.Site, &day, &d.Count)
			d.Day = time.UnixMicro(day * dayMicros).UTC()
			return d, err
		}, `SELECT site_id, enrolled_at / $2 AS day, count(*) FROM participants
		    WHERE study_id = $1 AND enrolled_at IS NOT NULL AND status <> 'removed' GROUP BY site_id, enrolled_at / $2 ORDER BY day, site_id`,
			int64(study), dayMicros)
		return err
	})
	if err != nil {
		return nil, db.engine.Classify("count participants", err)
	}
	return tally, nil
}
