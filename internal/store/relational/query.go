package relational

import (
	"context"
	"fmt"
	"strings"
	"time"

	"rollcall/internal/registry"
)

// clauses gathers the parts of a query over participants p.
type clauses struct {
	Dialect

	from  string
	where []string
	args  []any
}

// bind makes a parameter of a value.
func (c *clauses) bind(value any) string {
	c.args = append(c.args, value)
	return fmt.Sprintf("$%d", len(c.args))
}

func (c *clauses) and(condition string) { c.where = append(c.where, condition) }

// text is what goes between SELECT and ORDER BY.
func (c *clauses) text() string {
	return " FROM " + c.from + " WHERE " + strings.Join(c.where, " AND ")
}

// Query implements registry.Reader. Total and page are read in one snapshot. The page is found
// by number first and read in full after that, so that the search and the sort carry no rows. A page that
// is not full tells the total by itself.
func (db *DB) Query(ctx context.Context, study registry.StudyID, q *registry.Query) (*registry.Page, error) {
	page := &registry.Page{}
	err := db.engine.Snapshot(ctx, func(in Querier) error {
		*page = registry.Page{}
		var hits []hit
		var err error
		if q.Limit > 0 {
			if hits, err = db.pageOf(ctx, in, study, q); err != nil {
				return err
			}
		}
		page.Total = q.Offset + len(hits)
		if len(hits) == q.Limit || (len(hits) == 0 && q.Offset > 0) { // there may be more, or fewer
			total, err := db.countMatching(ctx, in, study, q)
			if err != nil {
				return err
			}
			page.Total = int(total)
		}
		return db.readHits(ctx, in, study, q, hits, page)
	})
	if err != nil {
		return nil, db.engine.Classify("query participants", err)
	}
	return page, nil
}

// matching says whom a query finds. The removed are few and have an index of their own, so
// that a query without further conditions reads no rows.
func (db *DB) matching(study registry.StudyID, q *registry.Query) *clauses {
	c := &clauses{Dialect: db.engine, from: "participants p"}
	if q.Segment != nil {
		c.from = "segment_members m JOIN participants p ON p.study_id = m.study_id AND p.id = m.participant_id"
		c.and("m.study_id = " + c.bind(int64(study)) + " AND m.segment_id = " + c.bind(*q.Segment))
	} else {
		c.and("p.study_id = " + c.bind(int64(study)))
	}
	c.and("p.seq NOT IN (SELECT seq FROM participants WHERE study_id = " + c.bind(int64(study)) + " AND status = 'removed')")
	if q.Site != nil {
		c.and("p.site_id = " + c.bind(int64(*q.Site)))
	}
	if text := registry.Fold(q.Text); text != "" {
		in := c.Contains("p."+searchText, text, c.bind)
		if q.TextInCustom {
			in = "(" + in + " OR " + c.Contains("p."+customText, text, c.bind) + ")"
		}
		c.and(in)
	}
	for _, f := range q.Filters {
		c.filter(f)
	}
	return c
}

// filter asks for one value. The folded text is looked through first, where it holds the
// value: that is cheaper than folding the value of every row.
func (c *clauses) filter(f registry.Filter) {
	value, key, searched := c.detail(f.Field)
	if f.Custom != "" {
		value, key, searched = c.custom(f.Custom)
	}
	if f.Value == "" {
		c.and("coalesce(" + value + ", '') = ''")
		return
	}
	wanted := registry.Fold(f.Value)
	if searched != "" {
		c.and(c.Contains("p."+searched, wanted, c.bind))
	}
	c.and(c.Folded(value, key, c.bind) + " = " + c.bind(wanted))
}

// detail is the value of a detail, the key of its fold, and the search text that holds it.
func (c *clauses) detail(f registry.Field) (value, key, searched string) {
	return "p." + detailColumns[f], DetailKey(f), SearchedIn(f)
}

// custom is the same of a custom field; its value is NULL where it is not set.
func (c *clauses) custom(name string) (value, key, searched string) {
	if registry.Fold(name) == registry.Fold(registry.SecondaryIdentifierField) {
		return c.detail(registry.SecondaryID)
	}
	return c.CustomValue(name, c.bind), CustomKey(name), customText
}

// hit is one participant of a page.
type hit struct {
	seq     int64
	addedAt int64 // to the segment, if one was asked for
}

// pageOf finds a page: people without the value last, ties by order of creation.
func (db *DB) pageOf(ctx context.Context, in Querier, study registry.StudyID, q *registry.Query) ([]hit, error) {
	c := db.matching(study, q)
	columns := "p.seq AS seq, 0 AS added_at"
	if q.Segment != nil {
		columns = "p.seq AS seq, m.added_at AS added_at"
	}
	direction := " ASC"
	if q.Sort.Descending {
		direction = " DESC"
	}
	order := "seq" + direction
	if value := c.sortValue(q.Sort); value != "" {
		columns += ", " + value + " AS value"
		order = "value" + direction
		if q.Sort.Key != registry.ByIdentifier { // which everybody has, and alone
			order = "value IS NULL, " + order + ", seq"
		}
	}
	text := "SELECT seq, added_at FROM (SELECT " + columns + c.text() + ") AS found ORDER BY " + order +
		" LIMIT " + c.bind(q.Limit) + " OFFSET " + c.bind(q.Offset)
	return query(ctx, in, func(row scanner) (hit, error) {
		var h hit
		return h, row.Scan(&h.seq, &h.addedAt)
	}, text, c.args...)
}

// sortValue is the expression to sort by, NULL where it is not set; "" for the order of
// creation.
func (c *clauses) sortValue(s registry.Sort) string {
	switch s.Key {
	default: // ByInserted
		return ""
	case registry.ByIdentifier:
		return "p.identifier_key"
	case registry.ByInvitation:
		return "nullif(p.invitation, '')"
	case registry.ByEnrolled:
		return "p.enrolled_at"
	case registry.ByField:
		value, key, _ := c.detail(s.Field)
		return c.Folded("nullif("+value+", '')", key, c.bind)
	case registry.ByCustom:
		value, key, _ := c.custom(s.Custom.Name)
		value = "nullif(" + value + ", '')"
		if s.Custom.Type == registry.IntegerField || s.Custom.Type == registry.DecimalField {
			return c.Number(value)
		}
		return c.Folded(value, key, c.bind)
	}
}

// readHits reads the participants of a page in its order.
func (db *DB) readHits(ctx context.Context, in Querier, study registry.StudyID, q *registry.Query, hits []hit, page *registry.Page) error {
	bySeq := make(map[int64]*registry.Participant, len(hits))
	seqs := make([]any, len(hits))
	for i, h := range hits {
		seqs[i] = h.seq
	}
	err := db.engine.In("seq", 2, seqs, func(condition string, args []any) error {
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
	for _, h := range hits {
		page.Participants = append(page.Participants, bySeq[h.seq])
		if q.Segment != nil {
			page.AddedAt = append(page.AddedAt, time.UnixMicro(h.addedAt).UTC())
		}
	}
	return nil
}

// countMatching counts whom a query finds. Everybody is counted without looking at anybody.
func (db *DB) countMatching(ctx context.Context, in Querier, study registry.StudyID, q *registry.Query) (int64, error) {
	if q.Segment == nil && q.Site == nil && q.Text == "" && len(q.Filters) == 0 {
		total, _, err := queryOne(ctx, in, scanValue[int64],
			`SELECT (SELECT count(*) FROM participants WHERE study_id = $1)
			      - (SELECT count(*) FROM participants WHERE study_id = $1 AND status = 'removed')`, int64(study))
		return total, err
	}
	c := db.matching(study, q)
	total, _, err := queryOne(ctx, in, scanValue[int64], "SELECT count(*)"+c.text(), c.args...)
	return total, err
}

// SegmentsOf implements registry.Reader.
func (db *DB) SegmentsOf(ctx context.Context, study registry.StudyID, id registry.ID) ([]registry.SegmentMember, error) {
	members, err := query(ctx, db.engine.Read(), func(row scanner) (registry.SegmentMember, error) {
		var m registry.SegmentMember
		var micros int64
		err := row.Scan(&m.Segment, &micros)
		m.AddedAt = time.UnixMicro(micros).UTC()
		return m, err
	}, `SELECT m.segment_id, m.added_at FROM segment_members m
	    JOIN segments s ON s.study_id = m.study_id AND s.id = m.segment_id
	    WHERE m.study_id = $1 AND m.participant_id = $2 ORDER BY s.position`, int64(study), id)
	return members, db.engine.Classify("list a participant's segments", err)
}
