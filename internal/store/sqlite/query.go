package sqlite

import (
	"context"
	"fmt"
	"strings"
	"time"

	"rollcall/internal/registry"
)

// clauses gathers the parts of a query over participants p.
type clauses struct {
	from  string
	where []string
	args  []any
}

func (c *clauses) and(condition string, args ...any) {
	c.where = append(c.where, condition)
	c.args = append(c.args, args...)
}

// text is what goes between SELECT and ORDER BY.
func (c *clauses) text() string {
	return " FROM " + c.from + " WHERE " + strings.Join(c.where, " AND ")
}

// Query implements registry.Reader. Total and page are read in one snapshot.
func (db *DB) Query(ctx context.Context, study registry.StudyID, q *registry.Query) (*registry.Page, error) {
	found := matching(study, q)
	order, orderArgs := ordering(q.Sort)
	columns := "p." + strings.Join(participantColumns, ", p.")
	if q.Segment != nil {
		columns += ", m.added_at"
	}
	page := &registry.Page{}
	err := db.inSnapshot(ctx, func(in querier) error {
		total, err := countMatching(ctx, in, study, q, found)
		if err != nil {
			return err
		}
		page.Total = int(total)
		if q.Limit <= 0 || q.Offset >= page.Total {
			return nil
		}
		args := append(append(append([]any{}, found.args...), orderArgs...), q.Limit, q.Offset)
		rows, err := query(ctx, in, scanFound(q.Segment != nil),
			"SELECT "+columns+found.text()+" ORDER BY "+order+" LIMIT ? OFFSET ?", args...)
		if err != nil {
			return err
		}
		for _, row := range rows {
			page.Participants = append(page.Participants, row.participant)
			if q.Segment != nil {
				page.AddedAt = append(page.AddedAt, row.addedAt)
			}
		}
		return nil
	})
	if err != nil {
		return nil, classify("query participants", err)
	}
	return page, nil
}

// matching says whom a query finds.
func matching(study registry.StudyID, q *registry.Query) *clauses {
	c := &clauses{from: "participants p"}
	if q.Segment != nil {
		c.from = "segment_members m JOIN participants p ON p.study_id = m.study_id AND p.id = m.participant_id"
		c.and("m.study_id = ? AND m.segment_id = ?", int64(study), blob(*q.Segment))
	} else {
		c.and("p.study_id = ?", int64(study))
	}
	c.and("p.status <> 'removed'")
	if q.Site != nil {
		c.and("p.site_id = ?", int64(*q.Site))
	}
	if text := registry.Fold(q.Text); text != "" {
		if q.TextInCustom {
			c.and("(instr(p.search_text, ?) > 0 OR instr(p.custom_text, ?) > 0)", text, text)
		} else {
			c.and("instr(p.search_text, ?) > 0", text)
		}
	}
	for _, f := range q.Filters {
		c.filter(f)
	}
	return c
}

// filter asks for one value. The folded text is looked through first: it is cheaper than
// folding the value of every row.
func (c *clauses) filter(f registry.Filter) {
	column, searched, args := "p."+detailColumns[f.Field], "p.search_text", []any(nil)
	if f.Custom != "" {
		column, searched, args = customExpression(f.Custom)
	} else if f.Field == registry.SecondaryID {
		searched = "p.custom_text"
	}
	if f.Value == "" {
		c.and("coalesce("+column+", '') = ''", args...)
		return
	}
	key := registry.Fold(f.Value)
	c.and("instr("+searched+", ?) > 0", key)
	c.and(foldFunction+"("+column+") = ?", append(args, key)...)
}

// customExpression reads a custom field out of the row.
func customExpression(name string) (column, searched string, args []any) {
	if registry.Fold(name) == registry.Fold(registry.SecondaryIdentifierField) {
		return "p." + detailColumns[registry.SecondaryID], "p.custom_text", nil
	}
	return "json_extract(nullif(p.custom, ''), ?)", "p.custom_text", []any{`$."` + name + `"`}
}

// ordering is the ORDER BY of a sort: people without the value last, ties by order of creation.
func ordering(s registry.Sort) (order string, args []any) {
	direction := " ASC"
	if s.Descending {
		direction = " DESC"
	}
	if s.Key == registry.ByInserted {
		return "p.seq" + direction, nil
	}
	value := ""
	switch s.Key {
	default: // ByInserted is above
	case registry.ByIdentifier:
		value = "p.identifier_key"
	case registry.ByInvitation:
		value = "nullif(p.invitation, '')"
	case registry.ByEnrolled:
		value = "p.enrolled_at"
	case registry.ByField:
		value = foldFunction + "(nullif(p." + detailColumns[s.Field] + ", ''))"
	case registry.ByCustom:
		column, _, columnArgs := customExpression(s.Custom.Name)
		args = columnArgs
		value = foldFunction + "(nullif(" + column + ", ''))"
		if s.Custom.Type == registry.IntegerField || s.Custom.Type == registry.DecimalField {
			value = "CAST(nullif(" + column + ", '') AS NUMERIC)"
		}
	}
	args = append(args, args...) // the value stands in the clause twice
	return fmt.Sprintf("%s IS NULL, %s%s, p.seq", value, value, direction), args
}

// countMatching counts whom a query finds. Everybody is counted without looking at anybody.
func countMatching(ctx context.Context, in querier, study registry.StudyID, q *registry.Query, found *clauses) (int64, error) {
	if q.Segment == nil && q.Site == nil && q.Text == "" && len(q.Filters) == 0 {
		total, _, err := queryOne(ctx, in, scanValue[int64],
			`SELECT (SELECT count(*) FROM participants WHERE study_id = $1)
			      - (SELECT count(*) FROM participants WHERE study_id = $1 AND status = 'removed')`, int64(study))
		return total, err
	}
	total, _, err := queryOne(ctx, in, scanValue[int64], "SELECT count(*)"+found.text(), found.args...)
	return total, err
}

// found is one row of a query.
type found struct {
	participant *registry.Participant
	addedAt     time.Time
}

// scanFound reads a row of participantColumns, with the date of a segment after them.
func scanFound(dated bool) func(scanner) (found, error) {
	return func(row scanner) (found, error) {
		var micros int64
		var f found
		var err error
		if dated {
			f.participant, err = scanParticipant(withMore{row, []any{&micros}})
			f.addedAt = time.UnixMicro(micros).UTC()
		} else {
			f.participant, err = scanParticipant(row)
		}
		return f, err
	}
}

// withMore scans further columns after those that are asked for.
type withMore struct {
	scanner
	more []any
}

// Scan implements scanner.
func (w withMore) Scan(dest ...any) error { return w.scanner.Scan(append(dest, w.more...)...) }

// SegmentsOf implements registry.Reader.
func (db *DB) SegmentsOf(ctx context.Context, study registry.StudyID, id registry.ID) ([]registry.SegmentMember, error) {
	members, err := query(ctx, &db.queries, func(row scanner) (registry.SegmentMember, error) {
		var m registry.SegmentMember
		var micros int64
		err := row.Scan(&m.Segment, &micros)
		m.AddedAt = time.UnixMicro(micros).UTC()
		return m, err
	}, `SELECT m.segment_id, m.added_at FROM segment_members m
	    JOIN segments s ON s.study_id = m.study_id AND s.id = m.segment_id
	    WHERE m.study_id = $1 AND m.participant_id = $2 ORDER BY s.position`, int64(study), blob(id))
	return members, classify("list a participant's segments", err)
}
