package sqlite

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
	 FROM participants p WHERE NOT EXISTS (SELECT 1 FROM studies s WHERE s.id = p.study_id) GROUP BY p.study_id`,

	`SELECT 'study ' || p.study_id || ': participant ' || p.seq || ' is at a site that is not the study''s'
	 FROM participants p WHERE p.site_id <> 0
	   AND NOT EXISTS (SELECT 1 FROM sites s WHERE s.id = p.site_id AND s.study_id = p.study_id)`,

	`SELECT 'study ' || c.study_id || ': a contact claim of a participant who does not exist'
	 FROM contact_claims c WHERE NOT EXISTS
	   (SELECT 1 FROM participants p WHERE p.study_id = c.study_id AND p.id = c.participant_id)`,

	`SELECT 'study ' || c.study_id || ': an access code of a participant who does not exist'
	 FROM access_codes c WHERE NOT EXISTS
	   (SELECT 1 FROM participants p WHERE p.study_id = c.study_id AND p.id = c.participant_id)`,

	`SELECT 'study ' || study_id || ': audit event ' || seq || ' does not follow ' || (due - 1)
	 FROM (SELECT study_id, seq, lag(seq + width, 1, 1) OVER (PARTITION BY study_id ORDER BY seq) AS due FROM audit_events)
	 WHERE seq <> due`,

	`SELECT 'study ' || study_id || ': audit event ' || seq || ' has ' || iif(fields = '', 0, json_array_length(fields)) || ' changes and width ' || width
	 FROM audit_events WHERE width <> iif(fields = '', 1, json_array_length(fields))`,

	`SELECT 'study ' || c.study_id || ': last_audit_seq is ' || c.last_audit_seq || ', the last event ends at ' || coalesce(max(e.seq + e.width - 1), 0)
	 FROM study_counters c LEFT JOIN audit_events e ON e.study_id = c.study_id
	 GROUP BY c.study_id HAVING coalesce(max(e.seq + e.width - 1), 0) <> c.last_audit_seq`,

	`SELECT 'job output of a job that does not exist' FROM job_output o
	 WHERE NOT EXISTS (SELECT 1 FROM jobs j WHERE j.study_id = o.study_id AND j.id = o.job_id)
	 GROUP BY o.study_id, o.job_id`,
}

// maxProblems is how many problems of one kind Check names.
const maxProblems = 20

// Check examines the whole database and lists what is wrong with it; nothing, if all is well.
// It reads everything and takes its time.
func (db *DB) Check(ctx context.Context) ([]string, error) {
	var problems []string
	err := db.inSnapshot(ctx, func(q querier) error {
		pages, err := query(ctx, q, scanValue[string], fmt.Sprintf("PRAGMA integrity_check(%d)", maxProblems))
		if err != nil {
			return err
		}
		for _, line := range pages {
			if line != "ok" {
				problems = append(problems, line)
			}
		}
		orphans, err := query(ctx, q, scanOrphan, "PRAGMA foreign_key_check")
		if err != nil {
			return err
		}
		problems = append(problems, orphans[:min(len(orphans), maxProblems)]...)
		for _, text := range consistency {
			lines, err := query(ctx, q, scanValue[string], fmt.Sprintf("SELECT * FROM (%s) LIMIT %d", text, maxProblems))
			if err != nil {
				return err
			}
			problems = append(problems, lines...)
		}
		return nil
	})
	return problems, classify("check the database", err)
}

func scanOrphan(row scanner) (string, error) {
	var table, parent string
	var rowid *int64
	var key int64
	if err := row.Scan(&table, &rowid, &parent, &key); err != nil {
		return "", err
	}
	return fmt.Sprintf("table %s has a row that refers to a row missing in %s", table, parent), nil
}
