package roster

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"rollcall/internal/registry"
)

// The values of made-up participants: few, so that queries match, and unlike in case and width.
var (
	texts   = []string{"", "", "Ann", "ann", "ANN 2", "Ärzte", "äRZTE", "a%", "straße", "STRAẞE", "10", "a\x00", "a"}
	numbers = []string{"", "1", "2", "10", "-3", "2.5", "1e2", "100", "-0.5", "x"}
	fields  = []registry.Field{registry.FirstName, registry.LastName, registry.Country, registry.SecondaryID, registry.MobilePhone}
	customs = []registry.CustomField{
		{Name: "Note", Type: registry.TextField}, {Name: "Dose", Type: registry.DecimalField},
		{Name: "SecondaryIdentifier", Type: registry.TextField}, {Name: "Nobody", Type: registry.IntegerField},
	}
	segment = uuid.UUID{7}
)

// model is a roster and the participants who should be in it, in order of creation.
type model struct {
	roster  *Roster
	people  []*registry.Participant
	members map[registry.ID]bool
	last    int64
}

func one[T any](random *rand.Rand, from []T) T { return from[random.IntN(len(from))] }

func (m *model) randomize(random *rand.Rand, p *registry.Participant) {
	for _, f := range fields {
		p.Details[f] = one(random, texts)
	}
	p.Details[registry.MobilePhone] = one(random, []string{"", "+1 5557778888", "+32 470123456", "+1 55"})
	p.Details[registry.Email] = fmt.Sprintf("Someone.%d@example.org", random.IntN(1_000_000))
	p.Custom = map[string]string{"Note": one(random, texts), "Dose": one(random, numbers)}
	p.Site = registry.SiteID(random.IntN(3))
	p.Status = one(random, []registry.ParticipantStatus{registry.StatusAvailable, registry.StatusAvailable, registry.StatusLocked, registry.StatusRemoved})
	p.Invitation = one(random, []registry.InvitationStatus{"", registry.InvitationPending, registry.InvitationNotInvited})
	p.Participate = one(random, []registry.ParticipateStatus{"", registry.ParticipateCreated})
	p.Enrolled = random.IntN(2) == 0
	p.EnrolledAt, p.WithdrawnAt = time.Time{}, time.Time{}
	if random.IntN(2) == 0 {
		p.EnrolledAt = time.UnixMicro(int64(random.IntN(5) - 2))
	}
	if random.IntN(5) == 0 {
		p.WithdrawnAt = time.UnixMicro(1)
	}
}

func (m *model) add(random *rand.Rand) {
	m.last += 1 + int64(random.IntN(2))
	p := &registry.Participant{ID: uuid.UUID{1}, Seq: m.last, Identifier: fmt.Sprintf("P-%06d", random.IntN(1_000_000))}
	p.ID[14], p.ID[15] = byte(m.last>>8), byte(m.last)
	if random.IntN(500) == 0 {
		p.ID[0] = 0 // out of order
	}
	m.randomize(random, p)
	m.people = append(m.people, p)
	m.roster.Put(p)
}

func (m *model) change(random *rand.Rand) {
	if len(m.people) == 0 {
		return
	}
	i := random.IntN(len(m.people))
	switch random.IntN(4) {
	case 0:
		m.roster.Drop(m.people[i].ID)
		delete(m.members, m.people[i].ID)
		m.people = slices.Delete(m.people, i, i+1)
	case 1:
		m.members[m.people[i].ID] = !m.members[m.people[i].ID]
		m.roster.PutMember(segment, m.people[i].ID, m.members[m.people[i].ID])
	default:
		m.randomize(random, m.people[i])
		m.roster.Put(m.people[i])
	}
}

func newModel(random *rand.Rand, n int) *model {
	m := &model{roster: New(), members: map[registry.ID]bool{}}
	for range n {
		m.add(random)
	}
	var members []registry.ID
	for _, p := range m.people {
		if random.IntN(3) == 0 {
			m.members[p.ID] = true
			members = append(members, p.ID)
		}
	}
	m.roster.PutSegment(segment, append(members, uuid.UUID{99}))
	return m
}

func TestFind(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 100, 5000} { // 5000 e-mail addresses have signs
		t.Run(strconv.Itoa(size), func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(1, uint64(size)))
			m := newModel(random, size)
			rapid.Check(t, func(t *rapid.T) {
				for range rapid.IntRange(0, 20).Draw(t, "changes") {
					m.change(random)
				}
				for range rapid.IntRange(0, 3).Draw(t, "more people") {
					m.add(random)
				}
				q := m.query(t)
				want, total := m.find(&q)
				got, counted := m.roster.Find(&q)
				if counted != total || !slices.Equal(got, want) {
					t.Fatalf("%+v\nfound %d: %v\nwant %d: %v", q, counted, got, total, want)
				}
			})
		})
	}
}

func pointer[T any](t *rapid.T, name string, values ...T) *T {
	if rapid.IntRange(0, 3).Draw(t, name+" asked") > 0 {
		return nil
	}
	v := rapid.SampledFrom(values).Draw(t, name)
	return &v
}

func (m *model) query(t *rapid.T) registry.Query {
	q := registry.Query{
		Text: rapid.SampledFrom([]string{
			"", "", "", "N", "ann", "ä", "%", "p-00", "ẞE", "1", "nobody", "SOMEONE", "one.1", "12", "123", "1234", "example.org", "5557", "+3247", "+155",
		}).Draw(t, "text"),
		TextInCustom: rapid.Bool().Draw(t, "in custom"),
		Sort: registry.Sort{
			Key:        registry.SortKey(rapid.IntRange(0, int(registry.ByCustom)).Draw(t, "key")),
			Field:      rapid.SampledFrom(append(fields, registry.Email)).Draw(t, "sort field"),
			Custom:     rapid.SampledFrom(customs).Draw(t, "sort custom"),
			Descending: rapid.Bool().Draw(t, "descending"),
		},
		Offset:      rapid.SampledFrom([]int{0, 0, 1, 20, len(m.people) / 2, len(m.people), math.MaxInt32}).Draw(t, "offset"),
		Limit:       rapid.IntRange(0, 40).Draw(t, "limit"),
		Segment:     pointer(t, "segment", segment),
		Site:        pointer(t, "site", registry.SiteID(0), registry.SiteID(1), registry.SiteID(9)),
		Invitation:  pointer(t, "invitation", registry.InvitationNotSet, registry.InvitationPending),
		Participate: pointer(t, "participate", registry.NotRegistered, registry.ParticipateCreated, registry.ParticipateStopped),
		Enrolled:    pointer(t, "enrolled", true, false),
		Withdrawn:   pointer(t, "withdrawn", true, false),
	}
	if status := pointer(t, "status", registry.StatusRemoved, registry.StatusAvailable, registry.StatusLocked); status != nil {
		q.Status = *status
	}
	for i := range rapid.IntRange(0, 2).Draw(t, "filters") {
		f := registry.Filter{Field: rapid.SampledFrom(fields).Draw(t, fmt.Sprint("field ", i))}
		if rapid.Bool().Draw(t, fmt.Sprint("custom ", i)) {
			f.Custom = rapid.SampledFrom(customs).Draw(t, fmt.Sprint("custom field ", i)).Name
		}
		f.Value = rapid.SampledFrom(slices.Concat(texts, numbers)).Draw(t, fmt.Sprint("value ", i))
		q.Filters = append(q.Filters, f)
	}
	return q
}

// find answers a query by looking at everybody.
func (m *model) find(q *registry.Query) (seqs []int64, total int) {
	var found []*registry.Participant
	for _, p := range m.people {
		if m.stands(q, p) && m.has(q, p) {
			found = append(found, p)
		}
	}
	slices.SortStableFunc(found, func(a, b *registry.Participant) int { return comparePeople(q.Sort, a, b) })
	for _, p := range found[min(q.Offset, len(found)):min(q.Offset+q.Limit, len(found))] {
		seqs = append(seqs, p.Seq)
	}
	return seqs, len(found)
}

func matches[T comparable](asked *T, is T) bool { return asked == nil || *asked == is }

func (m *model) stands(q *registry.Query, p *registry.Participant) bool {
	if q.Status == "" && p.Status == registry.StatusRemoved || q.Status != "" && q.Status != p.Status {
		return false
	}
	return (q.Segment == nil || m.members[p.ID]) && matches(q.Site, p.Site) && matches(q.Invitation, p.Invitation) &&
		matches(q.Participate, p.ParticipateNow()) && matches(q.Enrolled, p.Enrolled) && matches(q.Withdrawn, p.Withdrawn())
}

func (m *model) has(q *registry.Query, p *registry.Participant) bool {
	for _, f := range q.Filters {
		value := p.Details[f.Field]
		if f.Custom != "" {
			value = p.CustomValue(f.Custom)
		}
		if registry.Fold(value) != registry.Fold(f.Value) {
			return false
		}
	}
	searched := []string{p.Identifier, registry.PhoneForMyDataHelps(p.Details[registry.MobilePhone])}
	for _, f := range registry.Fields() {
		if f != registry.SecondaryID && f != registry.Country && f != registry.HospitalNumber {
			searched = append(searched, p.Details[f])
		}
	}
	if q.TextInCustom {
		searched = append(searched, p.Details[registry.SecondaryID], p.Custom["Note"], p.Custom["Dose"])
	}
	return slices.ContainsFunc(searched, func(s string) bool {
		return strings.Contains(registry.Fold(s), registry.Fold(q.Text))
	})
}

// comparePeople compares two participants who come in order of creation.
func comparePeople(s registry.Sort, a, b *registry.Participant) int {
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
			return fmt.Sprintf("%03d", 100+p.EnrolledAt.UnixMicro())
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
	if s.Key == registry.ByCustom && s.Custom.Type != registry.TextField {
		i, _ := strconv.ParseFloat(x, 64) // what is no number counts as 0
		j, _ := strconv.ParseFloat(y, 64)
		order = cmp.Compare(i, j)
	}
	if s.Descending {
		return -order
	}
	return order
}

func TestPutOutOfOrder(t *testing.T) {
	t.Parallel()
	r := New()
	r.Put(&registry.Participant{ID: uuid.UUID{5}, Seq: 5})
	if r.Put(&registry.Participant{ID: uuid.UUID{4}, Seq: 4}) {
		t.Fatal("somebody who was created before is taken")
	}
	if r.Len() != 1 || r.Last() != 5 {
		t.Fatalf("%d people, the last is %d", r.Len(), r.Last())
	}
}
