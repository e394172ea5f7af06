package relational

import (
	"context"
	"fmt"
)

// consistency lists what must hold beyond what the schema can say. Each query answers one line
// of text for each violation.
var consistency = []string{
	`SELECT 'study ' || c.study_id || ': last_seq is ' || c.last_seq || ', but participant ' || max(p.seq) || ' exists'
	 FROM study_counters c JOIN participants p ON p.study_id = c.study_id
	 GROUP BY c.study_id HAVING max(p.seq) > c.last_seq`,

	`SELECT 'study ' || c.study_id || ': ' || c.counted || ' participants are counted, ' || count(p.seq) || ' count'
	 FROM study_counters c LEFT JOIN participants p
	   ON p.study_id = c.study_id AND p.status <> 'removed' AND p.withdrawn_at IS NULL
	 GROUP BY c.study_id HAVING count(p.seq) <> c.counted`,

	`SELECT 'study ' || p.study_id || ': ' || count(*) || ' participants of an unknown study'
	 FROM participants p WHERE NOT EXISTS (SELECT 1 FROM studies s WHERE s.study_id = p.study_id) GROUP BY p.study_id`,

	`SELECT 'study ' || p.study_id || ': participant ' || p.seq || ' is at a site that is not the study''s'
	 FROM participants p WHERE p.site_id <> 0
	   AND NOT EXISTS (SELECT 1 FROM sites s WHERE s.id = p.site_id AND s.study_id = p.study_id)`,

	`SELECT 'study ' || c.study_id || ': a contact claim of a participant who does not exist'
	 FROM contact_claims c WHERE NOT EXISTS
	   (SELECT 1 FROM participants p WHERE p.study_id = c.study_id AND p.id = c.participant_id)`,

	`SELECT 'study ' || c.of_study || ': an access code of a participant who does not exist'
	 FROM access_codes c WHERE NOT EXISTS
	   (SELECT 1 FROM participants p WHERE p.study_id = c.of_study AND p.id = c.participant_id)`,

	`SELECT 'study ' || study_id || ': audit event ' || seq || ' does not follow ' || (due - 1)
	 FROM (SELECT study_id, seq, lag(seq + width, 1, 1) OVER (PARTITION BY study_id ORDER BY seq) AS due FROM audit_events) AS e
	 WHERE seq <> due`,

	`SELECT 'study ' || c.study_id || ': last_audit_seq is ' || c.last_audit_seq || ', the last event ends at ' || coalesce(max(e.seq + e.width - 1), 0)
	 FROM study_counters c LEFT JOIN audit_events e ON e.study_id = c.study_id
	 GROUP BY c.study_id HAVING coalesce(max(e.seq + e.width - 1), 0) <> c.last_audit_seq`,

	`SELECT 'two studies have the OID ' || oid_key FROM studies GROUP BY oid_key HAVING count(*) > 1`,

	`SELECT 'two sites have the OID ' || oid_key FROM sites GROUP BY oid_key HAVING count(*) > 1`,

	`SELECT 'job output of a job that does not exist' FROM job_output o
	 WHERE NOT EXISTS (SELECT 1 FROM jobs j WHERE j.study_id = o.study_id AND j.id = o.job_id)
	 GROUP BY o.study_id, o.job_id`,
}

// widths finds events whose width is not that of their changes.
func widths(d Dialect) string {
	length := d.ArrayLength("fields")
	return `SELECT 'study ' || study_id || ': audit event ' || seq || ' has ' || CASE fields WHEN '' THEN 0 ELSE ` + length + ` END ||
	        ' changes and width ' || width
	 FROM audit_events WHERE width <> CASE fields WHEN '' THEN 1 ELSE ` + length + ` END`
}

// Check examines what is stored and lists what is wrong with it; nothing, if all is well. It
// reads everything and takes its time. What the engine itself checks comes first.
func (db *DB) Check(ctx context.Context, engineChecks ...func(ctx context.Context, q Querier) ([]string, error)) ([]string, error) {
	var problems []string
	err := db.engine.Survey(ctx, func(q Querier) error {
		problems = nil
		for _, check := range engineChecks {
			found, err := check(ctx, q)
			if err != nil {
				return err
			}
			problems = append(problems, found...)
		}
		for _, text := range append(consistency[:len(consistency):len(consistency)], widths(db.engine)) {
			lines, err := query(ctx, q, scanValue[string], fmt.Sprintf("SELECT * FROM (%s) AS found LIMIT %d", text, MaxProblems))
			if err != nil {
				return err
			}
			problems = append(problems, lines...)
		}
		return nil
	})
	return problems, db.engine.Classify("check the database", err)
}

// MaxProblems is how many problems of one kind Check names.
const MaxProblems = 20
