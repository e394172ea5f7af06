package relational

import (
	"context"

	"rollcall/internal/audit"
	"rollcall/internal/registry"
)

// CheckNumbering looks at the numbers of all events of a study.
func (db *DB) CheckNumbering(ctx context.Context, study registry.StudyID) (audit.Numbering, error) {
	var n audit.Numbering
	err := db.engine.Survey(ctx, func(q Querier) (err error) {
		if n.Last, err = tallyVersion(ctx, q, study); err != nil {
			return err
		}
		var end int64
		read := func(row scanner) (audit.Numbering, error) {
			read := audit.Numbering{Last: n.Last}
			return read, row.Scan(&read.Events, &read.Breaks, &end)
		}
		n, _, err = queryOne(ctx, q, read, `SELECT count(*), coalesce(sum(CASE WHEN seq <> due THEN 1 ELSE 0 END), 0), coalesce(max(seq + width - 1), 0)
			FROM (SELECT seq, width, lag(seq + width, 1, 1) OVER (ORDER BY seq) AS due FROM audit_events WHERE study_id = $1) AS numbered`, int64(study))
		if err == nil && end != n.Last {
			n.Breaks++
		}
		return err
	})
	return n, db.engine.Classify("check the numbers of events", err)
}
