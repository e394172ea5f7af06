package sqlite

import (
	"context"
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

// Query implements registry.Reader. Total and page are read in one snapshot. The page is found
// by number first and read in full after that, so that the search and the sort carry no rows. A page that
// is not full tells the total by itself.
func (db *DB) Query(ctx context.Context, study registry.StudyID, q *registry.Query) (*registry.Page, error) {
	found := matching(study, q)
	page := &registry.Page{}
	err := db.inSnapshot(ctx, func(in querier) error {
		var hits []hit
		var err error
		if q.Limit > 0 {
			if hits, err = pageOf(ctx, in, q, found); err != nil {
				return err
			}
		}
		page.Total = q.Offset + len(hits)
		if len(hits) == q.Limit || (len(hits) == 0 && q.Offset > 0) { // there may be more, or fewer
			total, err := countMatching(ctx, in, study, q, found)
			if err != nil {
				return err
			}
			page.Total = int(total)
		}
		return readHits(ctx, in, study, q, hits, page)
	})
	if err != nil {
		return nil, classify("query participants", err)
	}
	return page, nil
}

// matching says whom a query finds. The removed are few and have an index of their own, so
// that a query without further conditions reads no rows.
func matching(study registry.StudyID, q *registry.Query) *clauses {
	c := &clauses{from: "participants p"}
	if q.Segment != nil {
		c.from = "segment_members m JOIN participants p ON p.study_id = m.study_id AND p.id = m.participant_id"
		c.and("m.study_id = ? AND m.segment_id = ?", int64(study), blob(*q.Segment))
	} else {
		c.and("p.study_id = ?", int64(study))
	}
	c.and("p.seq NOT IN (SELECT seq FROM participants WHERE study_id = ? AND status = 'removed')", int64(study))
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

// filter asks for one value. The folded text is looked through first, where it holds the
// value: that is cheaper than folding the value of every row.
func (c *clauses) filter(f registry.Filter) {
	column, args, searched := "p."+detailColumns[f.Field], []any(nil), searchColumn(f.Field)
	if f.Custom != "" {
		column, args = customExpression(f.Custom)
		searched = "custom_text"
	}
	if f.Value == "" {
		c.and("coalesce("+column+", '') = ''", args...)
		return
	}
	key := registry.Fold(f.Value)
	if searched != "" {
		c.and("instr(p."+searched+", ?) > 0", key)
	}
	c.and(foldFunction+"("+column+") = ?", append(args, key)...)
}

// customExpression reads a custom field out of the row; NULL where it is not set.
func customExpression(name string) (column string, args []any) {
	if registry.Fold(name) == registry.Fold(registry.SecondaryIdentifierField) {
		return "p." + detailColumns[registry.SecondaryID], nil
	}
	return "json_extract(nullif(p.custom, ''), ?)", []any{"$." + string(appendJSON(nil, name))}
}

// hit is one participant of a page.
type hit struct {
	seq     int64
	addedAt int64 // to the segment, if one was asked for
}

// pageOf finds a page: people without the value last, ties by order of creation.
func pageOf(ctx context.Context, in querier, q *registry.Query, found *clauses) ([]hit, error) {
	columns := "p.seq AS seq, 0 AS added_at"
	if q.Segment != nil {
		columns = "p.seq AS seq, m.added_at AS added_at"
	}
	direction := " ASC"
	if q.Sort.Descending {
		direction = " DESC"
	}
	value, order, args := sortValue(q.Sort)
	if value != "" {
		columns += ", " + value + " AS value"
	}
	order += direction
	if q.Sort.Key != registry.ByInserted && q.Sort.Key != registry.ByIdentifier { // those everybody has, and alone
		order = "value IS NULL, " + order + ", seq"
	}
	args = append(append(args, found.args...), q.Limit, q.Offset)
	return query(ctx, in, func(row scanner) (hit, error) {
		var h hit
		return h, row.Scan(&h.seq, &h.addedAt)
	}, "SELECT seq, added_at FROM (SELECT "+columns+found.text()+") ORDER BY "+order+" LIMIT ? OFFSET ?", args...)
}

// sortValue is the expression to sort by, NULL where it is not set, with its arguments, and
// how that value is ordered. No expression: the order is one of seq alone.
func sortValue(s registry.Sort) (value, order string, args []any) {
	switch s.Key {
	default: // ByInserted
		return "", "seq", nil
	case registry.ByIdentifier:
		return "p.identifier_key", "value", nil
	case registry.ByInvitation:
		return "nullif(p.invitation, '')", "value", nil
	case registry.ByEnrolled:
		return "p.enrolled_at", "value", nil
	case registry.ByField:
		return "nullif(p." + detailColumns[s.Field] + ", '')", folded("value"), nil
	case registry.ByCustom:
		column, args := customExpression(s.Custom.Name)
		value = "nullif(" + column + ", '')"
		if s.Custom.Type == registry.IntegerField || s.Custom.Type == registry.DecimalField {
			return value, "CAST(value AS NUMERIC)", args
		}
		return value, folded("value"), args
	}
}

// readHits reads the participants of a page in its order.
func readHits(ctx context.Context, in querier, study registry.StudyID, q *registry.Query, hits []hit, page *registry.Page) error {
	bySeq := make(map[int64]*registry.Participant, len(hits))
	err := inChunks(anys(hits, func(h hit) any { return h.seq }), func(list string, args []any) error {
		people, err := query(ctx, in, scanParticipant,
			selectParticipant+" WHERE study_id = ? AND seq IN ("+list+")", append([]any{int64(study)}, args...)...)
		for _, p := range people {
			bySeq[p.Seq] = p
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, h := range hits {
		page.Participants = append(page.Participants, bySeq[h.seq])
		if q.Segment != nil {
			page.AddedAt = append(page.AddedAt, time.UnixMicro(h.addedAt).UTC())
		}
	}
	return nil
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
