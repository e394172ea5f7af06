package roster

import (
	"strings"
	"sync"

	"rollcall/internal/registry"
)

// columnKey names a column: a fixed one, or that of a custom field.
type columnKey struct {
	fixed  int
	custom string // "": a fixed one
}

func detail(f registry.Field) columnKey { return columnKey{fixed: int(f)} }

// customField is the column of a custom field. The one of the secondary identifier is a detail.
func customField(name string) columnKey {
	if registry.Fold(name) == registry.Fold(registry.SecondaryIdentifierField) {
		return detail(registry.SecondaryID)
	}
	return columnKey{custom: name}
}

// column is nil for a custom field that nobody has a value of.
func (r *Roster) column(key columnKey) *column {
	if key.custom != "" {
		return r.custom[key.custom]
	}
	return r.fixed[key.fixed]
}

// condition is one thing that a query asks of a participant: that a column has a value, or that
// one of several columns has a text in it.
type condition struct {
	column columnKey
	value  string

	within scope
	text   string // not "": looked for within
}

// scope is where a text is looked for.
type scope uint8

const (
	inDetails scope = iota // the identifier and what MyDataHelps calls demographics
	inCustom               // there and in the custom fields, the secondary identifier among them
)

// searched tells whether a text is looked for in a detail.
func (s scope) searched(f registry.Field) bool {
	switch f {
	case registry.SecondaryID:
		return s == inCustom
	case registry.Country, registry.HospitalNumber: // no demographics of MyDataHelps
		return false
	default:
		return true
	}
}

// columns lists the columns of a scope.
func (r *Roster) columns(s scope) []*column {
	list := []*column{r.fixed[identifierColumn], r.fixed[phoneColumn]}
	for f := range registry.FieldCount {
		if s.searched(f) {
			list = append(list, r.fixed[f])
		}
	}
	if s == inCustom {
		for _, c := range r.custom {
			list = append(list, c)
		}
	}
	return list
}

// answer is who fulfils a condition. It is kept, and follows what changes.
type answer struct {
	mu      sync.Mutex // held by who brings it up to date
	rows    bitmap     // nil: not known
	era     int
	changes int // of the era that it has seen

	used int64
}

// maxAnswers is how many answers are kept: an eighth of a byte a participant each.
const maxAnswers = 32

// conditions lists what a query asks for.
func conditions(q *registry.Query) []condition {
	var all []condition
	is := func(fixed int, value string) {
		all = append(all, condition{column: columnKey{fixed: fixed}, value: value})
	}
	if text := registry.Fold(q.Text); text != "" {
		c := condition{text: text}
		if q.TextInCustom {
			c.within = inCustom
		}
		all = append(all, c)
	}
	for _, f := range q.Filters {
		c := condition{column: detail(f.Field), value: registry.Fold(f.Value)}
		if f.Custom != "" {
			c.column = customField(f.Custom)
		}
		all = append(all, c)
	}
	if q.Site != nil {
		is(siteColumn, siteValue(*q.Site))
	}
	if q.Status != "" {
		is(statusColumn, string(q.Status))
	}
	if q.Invitation != nil {
		is(invitationColumn, registry.Fold(string(*q.Invitation)))
	}
	if q.Participate != nil {
		is(participateColumn, string(*q.Participate))
	}
	if q.Enrolled != nil {
		is(enrolledColumn, truth(*q.Enrolled))
	}
	if q.Withdrawn != nil {
		is(withdrawnColumn, truth(*q.Withdrawn))
	}
	return all
}

// Find answers how many participants a query finds, and the Seqs of those on its page. The
// roster has to know the members of the query's segment.
func (r *Roster) Find(q *registry.Query) (seqs []int64, total int) {
	found, everybody := r.matching(q)
	total = r.people
	if !everybody {
		total = found.count()
	}
	limit := min(q.Limit, max(total-q.Offset, 0))
	if limit == 0 {
		return nil, total
	}
	var rows []uint32
	switch o := r.order(q.Sort); {
	case o != nil && everybody:
		rows = o.page(nil, nil, q.Sort.Descending, q.Offset, limit)
	case o != nil:
		rows = o.page(nil, found, q.Sort.Descending, q.Offset, limit)
	case q.Sort.Key == registry.ByInserted && q.Sort.Descending:
		rows = found.descending(nil, q.Offset, limit)
	default:
		rows = found.ascending(nil, q.Offset, limit)
	}
	seqs = make([]int64, len(rows))
	for i, row := range rows {
		seqs[i] = r.seqs[row]
	}
	return seqs, total
}

// matching finds whom a query finds, and tells whether that is everybody who exists. The set may
// be the roster's own.
func (r *Roster) matching(q *registry.Query) (found bitmap, everybody bool) {
	found = r.listed
	if q.Status != "" {
		found = r.present
	}
	asked := conditions(q)
	if len(asked) == 0 && q.Segment == nil {
		return found, found.count() == r.people
	}
	found = append(bitmap(nil), found...)
	if q.Segment != nil {
		found.and(r.segments[*q.Segment])
	}
	for _, c := range asked {
		found.and(r.answer(c))
	}
	return found, false
}

// answer answers who fulfils a condition.
func (r *Roster) answer(c condition) bitmap {
	a := r.kept(c)
	a.mu.Lock()
	defer a.mu.Unlock()
	missed := 0
	if a.rows != nil && a.era == r.era {
		missed = len(r.changed) - a.changes
	}
	if a.rows == nil || a.era != r.era || missed > len(r.seqs)/64+1000 {
		a.rows = r.all(c)
	} else if missed > 0 {
		a.rows = a.rows.grown(len(r.seqs))
		for _, row := range r.changed[a.changes:] {
			a.rows.put(row, r.fulfils(c, row))
		}
	}
	a.era, a.changes = r.era, len(r.changed)
	return a.rows
}

// kept finds or makes the answer that is kept for a condition, and forgets the one that has not
// been used for longest if there are too many.
func (r *Roster) kept(c condition) *answer {
	r.memory.Lock()
	defer r.memory.Unlock()
	a := r.asked[c]
	if a == nil {
		a = &answer{}
		if len(r.asked) >= maxAnswers {
			var oldest condition
			used := r.clock + 1
			for other, kept := range r.asked {
				if kept.used < used {
					oldest, used = other, kept.used
				}
			}
			delete(r.asked, oldest)
		}
		r.asked[c] = a
	}
	r.clock++
	a.used = r.clock
	return a
}

// all finds everybody who fulfils a condition.
func (r *Roster) all(c condition) bitmap {
	if c.text == "" {
		if column := r.column(c.column); column != nil {
			return column.equal(c.value, len(r.seqs))
		}
		found := bitmapFor(len(r.seqs))
		if c.value == "" {
			found.fill(0, len(r.seqs))
		}
		return found
	}
	found := bitmapFor(len(r.seqs))
	for _, column := range r.columns(c.within) {
		column.contains(c.text, found)
	}
	return found
}

// fulfils tells whether one row fulfils a condition.
func (r *Roster) fulfils(c condition, row uint32) bool {
	if c.text == "" {
		column := r.column(c.column)
		return (column == nil && c.value == "") || (column != nil && string(column.of(row)) == c.value)
	}
	for _, column := range r.columns(c.within) {
		if strings.Contains(string(column.of(row)), c.text) {
			return true
		}
	}
	return false
}

// orderKey names an order.
type orderKey struct {
	column columnKey
	number bool
}

// keptOrder is an order that is kept, and follows what changes.
type keptOrder struct {
	mu sync.Mutex // held by who brings it up to date
	order
	known   bool
	era     int
	changes int
}

// order answers the order of a sort; nil for the order of creation.
func (r *Roster) order(s registry.Sort) *order {
	key, ok := r.sortedBy(s)
	if !ok {
		return nil
	}
	r.memory.Lock()
	o := r.orders[key]
	if o == nil {
		o = &keptOrder{}
		r.orders[key] = o
	}
	r.memory.Unlock()

	o.mu.Lock()
	defer o.mu.Unlock()
	if o.column == nil {
		o.column, o.number = r.column(key.column), key.number
	}
	switch {
	case !o.known || o.era != r.era || len(r.changed)-o.changes > len(r.seqs)/16+1000:
		o.build(r.present, len(r.seqs))
	case o.changes < len(r.changed):
		o.follow(r.changed[o.changes:], r.present, len(r.seqs))
	}
	o.known, o.era, o.changes = true, r.era, len(r.changed)
	return &o.order
}

// sortedBy is the order of a sort; false for the order of creation, which is also that of what
// nobody has.
func (r *Roster) sortedBy(s registry.Sort) (orderKey, bool) {
	switch s.Key {
	default: // ByInserted
		return orderKey{}, false
	case registry.ByIdentifier:
		return orderKey{column: columnKey{fixed: identifierColumn}}, true
	case registry.ByInvitation:
		return orderKey{column: columnKey{fixed: invitationColumn}}, true
	case registry.ByEnrolled:
		return orderKey{column: columnKey{fixed: enrolledAtColumn}}, true
	case registry.ByField:
		return orderKey{column: detail(s.Field)}, true
	case registry.ByCustom:
		key := orderKey{column: customField(s.Custom.Name)}
		key.number = s.Custom.Type == registry.IntegerField || s.Custom.Type == registry.DecimalField
		return key, r.column(key.column) != nil
	}
}
