package mydatahelps

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"rollcall/internal/httpx"
	"rollcall/internal/registry"
)

// described is a JSON text that encoding/json has written.
type described = json.RawMessage

// describedParticipant is the participant object as encoding/json writes it: what is documented,
// by which what writes itself is judged.
type describedParticipant struct {
	ID                    string     `json:"id"`
	Enrolled              bool       `json:"enrolled"`
	InvitationStatus      *string    `json:"invitationStatus"`
	InsertedDate          string     `json:"insertedDate"`
	EnrollmentDate        *string    `json:"enrollmentDate"`
	WithdrawDate          *string    `json:"withdrawDate"`
	ParticipantIdentifier string     `json:"participantIdentifier"`
	SecondaryIdentifier   *described `json:"secondaryIdentifier,omitempty"`
	LinkIdentifier        string     `json:"linkIdentifier"`
	Demographics          described  `json:"demographics"`
	CustomFields          described  `json:"customFields"`
	ExcludeFromExport     bool       `json:"excludeFromExport"`
	InstitutionCode       string     `json:"institutionCode"`
	AddedToSegmentDate    *string    `json:"addedToSegmentDate,omitempty"`
	AccountEmail          *string    `json:"accountEmail"`
	AccountMobilePhone    *string    `json:"accountMobilePhone"`
	ViewRecordLink        *string    `json:"viewParticipantRecordLink"` // always null: there is no such page
}

// encoded is what encoding/json makes of a value, without the escapes that only HTML needs.
func encoded(v any) described {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func textOrNil(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func describeDate(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	return textOrNil(t.UTC().Format(wireDate))
}

// describeMembers is an object of strings in the order given.
func describeMembers(pairs ...string) described {
	members := make([]string, 0, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		members = append(members, string(encoded(pairs[i]))+":"+string(encoded(pairs[i+1])))
	}
	return described("{" + strings.Join(members, ",") + "}")
}

func describeParticipant(study *registry.Study, p *registry.Participant, addedAt time.Time) describedParticipant {
	d := describedParticipant{
		ID: p.ID.String(), Enrolled: p.Enrolled, InvitationStatus: textOrNil(string(p.Invitation)),
		InsertedDate: p.CreatedAt.UTC().Format(wireDate), EnrollmentDate: describeDate(p.EnrolledAt),
		WithdrawDate: describeDate(p.WithdrawnAt), ParticipantIdentifier: p.Identifier, LinkIdentifier: p.LinkID.String(),
		ExcludeFromExport: p.ExcludeFromExport, InstitutionCode: study.SiteCode(p.Site), AddedToSegmentDate: describeDate(addedAt),
	}
	var details, custom []string
	for _, known := range demographics {
		if value := shown(p, known.field); value != "" {
			details = append(details, known.name, value)
		}
	}
	for _, field := range study.CustomFields {
		custom = append(custom, field.Name, p.CustomValue(field.Name))
	}
	d.Demographics, d.CustomFields = describeMembers(details...), describeMembers(custom...)
	if _, defined := study.CustomField(registry.SecondaryIdentifierField); defined {
		secondary := encoded(textOrNil(p.Details[registry.SecondaryID]))
		d.SecondaryIdentifier = &secondary
	}
	if p.Enrolled {
		d.AccountEmail, d.AccountMobilePhone = textOrNil(p.Details[registry.Email]), textOrNil(shown(p, registry.MobilePhone))
	}
	return d
}

func describedStudy(fields ...string) *registry.Study {
	study := &registry.Study{ID: 1, Sites: []registry.Site{{ID: 7, Code: "BOS\"TON"}}}
	for _, name := range fields {
		study.CustomFields = append(study.CustomFields, registry.CustomField{Name: name, Type: registry.TextField})
	}
	return study
}

// What a participant, a change and a page write of themselves is what encoding/json would.
func TestObjectsWriteThemselves(t *testing.T) {
	t.Parallel()
	studies := []*registry.Study{describedStudy(), describedStudy("Smoker", "secondaryIDENTIFIER", "a<b")}
	rapid.Check(t, func(t *rapid.T) {
		study := rapid.SampledFrom(studies).Draw(t, "study")
		p := drawParticipant(t)
		addedAt := drawTime(t, "addedAt")
		object := wireParticipant{study: study, of: p, addedAt: addedAt}
		want := describeParticipant(study, p, addedAt)
		same(t, object, want)
		change := taken{action: "add", result: object}
		type describedTaken struct {
			Action string               `json:"actionTaken"`
			Result describedParticipant `json:"result"`
		}
		same(t, change, describedTaken{"add", want})
		for _, n := range []int{0, 1, 3} {
			page := participantPage{number: n, total: 12 * n, participants: make([]wireParticipant, n)}
			bulk := bulkAnswer{added: n, updated: 2 * n, results: make([]taken, n)}
			objects, changes := make([]describedParticipant, n), make([]describedTaken, n)
			for i := range n {
				page.participants[i], objects[i] = object, want
				bulk.results[i], changes[i] = change, describedTaken{"add", want}
			}
			same(t, page, struct {
				PageNumber        int                    `json:"pageNumber"`
				TotalParticipants int                    `json:"totalParticipants"`
				Participants      []describedParticipant `json:"participants"`
			}{n, 12 * n, objects})
			same(t, bulk, struct {
				TotalAdded   int              `json:"totalAdded"`
				TotalUpdated int              `json:"totalUpdated"`
				Results      []describedTaken `json:"results"`
			}{n, 2 * n, changes})
		}
	})
}

func same(t *rapid.T, own httpx.JSONAppender, described any) {
	if got, want := string(own.AppendJSON(nil)), string(encoded(described)); got != want {
		t.Fatalf("it writes\n%s\nwant\n%s", got, want)
	}
}

func drawTime(t *rapid.T, label string) time.Time {
	micros := rapid.Int64Range(0, 4_000_000_000_000_000).Draw(t, label)
	if micros%3 == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros)
}

func drawParticipant(t *rapid.T) *registry.Participant {
	text := rapid.OneOf(rapid.Just(""), rapid.String(), rapid.SampledFrom([]string{"+1 5557778888", "<b>&", "\u2028", "\xff", "\x00\x1f"}))
	guid := rapid.Custom(func(t *rapid.T) (id uuid.UUID) {
		copy(id[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes"))
		return id
	})
	p := &registry.Participant{
		ID: guid.Draw(t, "id"), LinkID: guid.Draw(t, "link"), Identifier: text.Draw(t, "identifier"),
		Site: rapid.SampledFrom([]registry.SiteID{registry.StudyLevel, 7}).Draw(t, "site"), Enrolled: rapid.Bool().Draw(t, "enrolled"),
		Invitation:        rapid.SampledFrom(append(invitationStatuses(), registry.InvitationNotSet)).Draw(t, "invitation"),
		ExcludeFromExport: rapid.Bool().Draw(t, "excluded"), CreatedAt: drawTime(t, "created"),
		EnrolledAt: drawTime(t, "enrolledAt"), WithdrawnAt: drawTime(t, "withdrawnAt"),
		Custom: map[string]string{"Smoker": text.Draw(t, "custom"), "a<b": text.Draw(t, "custom")},
	}
	for i := range p.Details {
		p.Details[i] = text.Draw(t, "detail")
	}
	return p
}

func BenchmarkParticipantObject(b *testing.B) {
	p := &registry.Participant{Identifier: "P-17156075", Enrolled: true, CreatedAt: time.UnixMicro(1), EnrolledAt: time.UnixMicro(1), Site: 7}
	for i := range p.Details {
		p.Details[i] = "41 Long Lane"
	}
	object := participantObject(describedStudy("Smoker", "FavoriteColor", "Weight"), p)
	buffer := make([]byte, 0, 2048)
	b.ReportAllocs()
	for b.Loop() {
		buffer = object.AppendJSON(buffer[:0])
	}
}
