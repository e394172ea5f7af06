package storetest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"rollcall/internal/registry"
)

var queryModelLaws = []law{
	{"whatever is asked of whomever, a query finds whom a plain search would", func(b *bed) {
		b.study.Segments = []registry.Segment{{ID: uuid.UUID{1}, Name: "One", Rule: "true"}}
		b.putStudy(b.study)
		m := newQueryModel(b, 250)
		rapid.Check(b.T, func(t *rapid.T) {
			q := m.query(t)
			want := m.find(&q)
			got, err := b.Query(b.ctx, b.study.ID, &q)
			if err != nil {
				t.Fatalf("%+v: %v", q, err)
			}
			if got.Total != want.Total || !slices.Equal(seqs(got.Participants), seqs(want.Participants)) ||
				!slices.Equal(got.AddedAt, want.AddedAt) {
				t.Fatalf("%+v\nfound %d: %v %v\nwant %d: %v %v", q, got.Total, seqs(got.Participants), got.AddedAt,
					want.Total, seqs(want.Participants), want.AddedAt)
			}
		})
	}},
}

// queryModel answers queries by looking at everybody.
type queryModel struct {
	people  []*registry.Participant // in order of creation
	addedAt map[registry.ID]time.Time
	sites   []registry.SiteID
}

// The values of the model's participants: few, so that queries match, and unlike in case, in
// width and in what a database may take for its own.
var (
	modelTexts   = []string{"", "", "Ann", "ann", "ANN 2", "Ärzte", "äRZTE", "a%", "a_", "x'y", "straße", "STRAẞE", "10", "9"}
	modelNumbers = []string{"", "", "1", "2", "10", "-3", "2.5", "100"}
	modelFields  = []registry.Field{registry.FirstName, registry.LastName, registry.City, registry.Country, registry.SecondaryID}
	modelCustom  = []registry.CustomField{
		{Name: "Note", Type: registry.TextField}, {Name: "Dose", Type: registry.DecimalField},
		{Name: "SecondaryIdentifier", Type: registry.TextField},
	}
)

// newQueryModel adds n random participants, the same at every run, and what becomes of some of them.
func newQueryModel(b *bed, n int) *queryModel {
	random := rand.New(rand.NewPCG(1, 2))
	one := func(from []string) string { return from[random.IntN(len(from))] }
	m := &queryModel{people: b.people(n), addedAt: map[registry.ID]time.Time{}, sites: []registry.SiteID{registry.StudyLevel, b.north, b.south}}
	out := b.adding()
	for _, p := range m.people {
		p.Site = m.sites[random.IntN(3)]
		for _, f := range modelFields {
			p.Details[f] = one(modelTexts)
		}
		p.Custom = map[string]string{"Note": one(modelTexts), "Dose": one(modelNumbers)}
		p.Invitation = []registry.InvitationStatus{"", registry.InvitationPending, registry.InvitationApproved}[random.IntN(3)]
		if random.IntN(2) == 0 {
			p.EnrolledAt = now.Add(time.Duration(random.IntN(5)) * time.Hour)
		}
		switch random.IntN(8) {
		case 0:
			p.Status = registry.StatusRemoved
		case 1:
			p.WithdrawnAt = now
		}
		if random.IntN(3) == 0 {
			out.Memberships = append(out.Memberships, registry.Membership{Segment: uuid.UUID{1}, Participant: p.ID, Member: true})
			m.addedAt[p.ID] = now
		}
	}
	more := b.adding(m.people...)
	more.Memberships = out.Memberships
	b.must(b.write(more))
	return m
}

// query draws a query.
func (m *queryModel) query(t *rapid.T) registry.Query {
	q := registry.Query{
		Text:         rapid.SampledFrom([]string{"", "", "N", "ann", "ä", "%", "_", "'", "p-00", "ẞE", "1", "nobody"}).Draw(t, "text"),
		TextInCustom: rapid.Bool().Draw(t, "in custom"),
		Sort: registry.Sort{
			Key:        registry.SortKey(rapid.IntRange(0, int(registry.ByCustom)).Draw(t, "key")),
			Field:      rapid.SampledFrom(modelFields).Draw(t, "sort field"),
			Custom:     rapid.SampledFrom(modelCustom).Draw(t, "sort custom"),
			Descending: rapid.Bool().Draw(t, "descending"),
		},
		Offset: rapid.IntRange(0, 60).Draw(t, "offset"),
		Limit:  rapid.IntRange(0, 40).Draw(t, "limit"),
	}
	if rapid.IntRange(0, 2).Draw(t, "segment") == 0 {
		q.Segment = &uuid.UUID{1}
	}
	if rapid.IntRange(0, 2).Draw(t, "at site") == 0 {
		site := rapid.SampledFrom(m.sites).Draw(t, "site")
		q.Site = &site
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "filters") {
		f := registry.Filter{Field: rapid.SampledFrom(modelFields).Draw(t, fmt.Sprint("field ", i))}
		if rapid.Bool().Draw(t, fmt.Sprint("custom ", i)) {
			f.Custom = rapid.SampledFrom(modelCustom).Draw(t, fmt.Sprint("custom field ", i)).Name
		}
		f.Value = rapid.SampledFrom(slices.Concat(modelTexts, modelNumbers)).Draw(t, fmt.Sprint("value ", i))
		q.Filters = append(q.Filters, f)
	}
	return q
}

// find answers a query by looking at everybody.
func (m *queryModel) find(q *registry.Query) *registry.Page {
	var found []*registry.Participant
	for _, p := range m.people {
		if m.matches(q, p) {
			found = append(found, p)
		}
	}
	slices.SortStableFunc(found, func(a, b *registry.Participant) int { return modelOrder(q.Sort, a, b) })
	page := &registry.Page{Total: len(found)}
	page.Participants = found[min(q.Offset, len(found)):min(q.Offset+q.Limit, len(found))]
	if q.Segment != nil {
		for _, p := range page.Participants {
			page.AddedAt = append(page.AddedAt, m.addedAt[p.ID])
		}
	}
	return page
}

func (m *queryModel) matches(q *registry.Query, p *registry.Participant) bool {
	_, member := m.addedAt[p.ID]
	if p.Status == registry.StatusRemoved || (q.Segment != nil && !member) || (q.Site != nil && *q.Site != p.Site) {
		return false
	}
	for _, f := range q.Filters {
		value := p.Details[f.Field]
		if f.Custom != "" {
			value = p.CustomValue(f.Custom)
		}
		if registry.Fold(value) != registry.Fold(f.Value) {
			return false
		}
	}
	texts := []string{p.Identifier}
	for _, f := range registry.Fields() {
		if f != registry.SecondaryID && f != registry.Country && f != registry.HospitalNumber {
			texts = append(texts, p.Details[f])
		}
	}
	if q.TextInCustom {
		texts = append(texts, p.Details[registry.SecondaryID], p.Custom["Note"], p.Custom["Dose"])
	}
	return slices.ContainsFunc(texts, func(s string) bool {
		return strings.Contains(registry.Fold(s), registry.Fold(q.Text))
	})
}

// modelOrder compares two participants who come in order of creation.
func modelOrder(s registry.Sort, a, b *registry.Participant) int {
	value := func(p *registry.Participant) string {
		switch s.Key {
		case registry.ByIdentifier:
			return p.Identifier
		case registry.ByInvitation:
			return string(p.Invitation)
		case registry.ByEnrolled:
			if p.EnrolledAt.IsZero() {
				return ""
			}
			return p.EnrolledAt.Format(time.RFC3339)
		case registry.ByField:
			return p.Details[s.Field]
		case registry.ByCustom:
			return p.CustomValue(s.Custom.Name)
		default:
			return fmt.Sprintf("%09d", p.Seq)
		}
	}
	x, y := registry.Fold(value(a)), registry.Fold(value(b))
	if (x == "") != (y == "") {
		return strings.Compare(y, x) // the one without comes last, whichever the direction
	}
	order := strings.Compare(x, y)
	if s.Key == registry.ByCustom && s.Custom.Type == registry.DecimalField {
		i, _ := strconv.ParseFloat(x, 64) // a number, or "" on both sides
		j, _ := strconv.ParseFloat(y, 64)
		order = cmp.Compare(i, j)
	}
	if s.Descending {
		return -order
	}
	return order
}
