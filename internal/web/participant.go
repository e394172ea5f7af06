package web

import (
	"cmp"
	"net/http"

	"github.com/google/uuid"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// participantView is the page about one participant. What the reader may not see is not in it.
type participantView struct {
	*frame
	Identifier string
	Site       string
	Standing   badge
	Record     []fact
	Groups     []factGroup // contact data; empty for those who may not read it
	Hidden     bool        // there is contact data that they may not read
	Custom     []fact
	Segments   []segmentFact
	Code       *codeBox // nil if they may not read it or there is none
	Edit       string   // address; "" if they may not
	Acts       []actOffer
	Timeline   timeline
	List       string
}

type badge struct{ Key, Text string }

// fact is one thing that is known. A time is shown with its zone.
type fact struct {
	Name, Value string
	At          moment
}

type factGroup struct {
	Name  string
	Facts []fact
}

type segmentFact struct {
	Name, URL string
	Since     moment
}

// codeBox is where the access code is shown once it is asked for.
type codeBox struct {
	URL  string
	Code string // "" until it is asked for
}

// detailGroups are the details in the groups in which people look for them.
var detailGroups = []struct {
	name   string
	fields []registry.Field
}{
	{"person", []registry.Field{
		registry.FirstName, registry.MiddleName, registry.LastName, registry.DateOfBirth, registry.Gender,
		registry.SecondaryID, registry.HospitalNumber,
	}},
	{"contact", []registry.Field{
		registry.Email, registry.UnsubscribedFromEmails, registry.MobilePhone, registry.UnsubscribedFromSms,
		registry.PreferredLanguage, registry.TimeZone, registry.UTCOffset,
	}},
	{"address", []registry.Field{
		registry.Street1, registry.Street2, registry.PostalCode, registry.City, registry.State, registry.Country,
	}},
}

// participant finds the participant of the request's path. One whom the visitor may not see does
// not exist to them.
func (p *Pages) participant(v *visit) (*registry.Participant, error) {
	id, err := uuid.Parse(v.r.PathValue("participant"))
	if err != nil {
		return nil, errNobody()
	}
	found, err := p.Registry.FindByID(v.r.Context(), v.study.ID, id)
	if err != nil {
		return nil, err
	}
	if !v.may(access.BrowseParticipants, found.Site) {
		return nil, errNobody()
	}
	return found, nil
}

func errNobody() error {
	return fault.New(fault.NotFound, registry.ParticipantUnknown, "there is no such participant")
}

// showParticipant shows one participant:
//
//	GET /studies/{study}/participants/{participant}
func (p *Pages) showParticipant(v *visit, w http.ResponseWriter) error {
	person, err := p.participant(v)
	if err != nil {
		return err
	}
	page, err := p.participantView(v, person)
	if err != nil {
		return err
	}
	return p.page(w, http.StatusOK, "participant", page)
}

func (p *Pages) participantView(v *visit, person *registry.Participant) (*participantView, error) {
	contacts := v.may(access.ReadContacts, person.Site)
	page := &participantView{
		frame: v.frame, Identifier: person.Identifier, Site: v.siteName(person.Site), Standing: v.badge(person),
		Record: v.record(person), Hidden: !contacts, Acts: v.offers(person), List: peopleURL(v.study),
	}
	page.Title, page.Here = person.Identifier, "participants"
	var err error
	if contacts {
		page.Groups, page.Custom = v.details(person), v.customFacts(person)
		if page.Segments, err = p.segments(v, person); err != nil {
			return nil, err
		}
	}
	if v.mayWrite(person) && person.Listed() && v.writable(person) {
		page.Edit = participantURL(v.study, person) + "/edit"
	}
	if person.AccessCode != nil && v.may(access.ReadAccessCodes, person.Site) {
		page.Code = &codeBox{URL: participantURL(v.study, person) + "/access-code"}
	}
	page.Timeline, err = p.timeline(v, person, contacts, 0)
	return page, err
}

func (v *visit) badge(p *registry.Participant) badge {
	return badge{standingKey(p), v.words.standing(p)}
}

// record lists what is known of the record as such.
func (v *visit) record(p *registry.Participant) []fact {
	say := v.words.say
	enrolled := fact{Name: say("column.enrolled"), At: v.moment(p.EnrolledAt)}
	if !p.Enrolled {
		enrolled.Value = say("record.notEnrolled")
	}
	facts := []fact{
		{Name: say("column.site"), Value: v.siteName(p.Site)},
		enrolled,
		{Name: say("column.participate"), Value: cmp.Or(v.words.participate(p.ParticipateNow()), say("record.notRegistered"))},
		{Name: say("column.invitation"), Value: cmp.Or(v.words.invitation(p.Invitation), say("record.notInvited"))},
	}
	if p.Withdrawn() {
		facts = append(facts, fact{Name: say("record.withdrawn"), At: v.moment(p.WithdrawnAt)})
	}
	return append(facts,
		fact{Name: say("record.created"), Value: p.CreatedBy, At: v.moment(p.CreatedAt)},
		fact{Name: say("record.updated"), Value: p.UpdatedBy, At: v.moment(p.UpdatedAt)},
		fact{Name: say("record.oid"), Value: p.OID},
		fact{Name: say("record.id"), Value: p.ID.String()},
	)
}

// details lists the contact data that is set, in its groups.
func (v *visit) details(p *registry.Participant) []factGroup {
	var groups []factGroup
	for _, g := range detailGroups {
		group := factGroup{Name: v.words.say("group." + g.name)}
		for _, f := range g.fields {
			if value := p.Details[f]; value != "" {
				group.Facts = append(group.Facts, fact{Name: v.words.fieldName(f), Value: v.words.detail(f, value)})
			}
		}
		groups = append(groups, group)
	}
	return groups
}

// customFacts lists the study's own fields, set or not.
func (v *visit) customFacts(p *registry.Participant) []fact {
	var facts []fact
	for _, field := range v.study.CustomFields {
		if !isSecondary(field) {
			facts = append(facts, fact{Name: field.Name, Value: v.words.customValue(field, p.Custom[field.Name])})
		}
	}
	return facts
}

func (p *Pages) segments(v *visit, person *registry.Participant) ([]segmentFact, error) {
	members, err := p.Registry.SegmentsOf(v.r.Context(), v.study.ID, person.ID)
	if err != nil {
		return nil, err
	}
	var facts []segmentFact
	for _, m := range members {
		if s, ok := v.study.Segment(m.Segment); ok {
			facts = append(facts, segmentFact{s.Name, peopleURL(v.study) + "?segment=" + s.ID.String(), v.moment(m.AddedAt)})
		}
	}
	return facts, nil
}

// mayWrite tells whether the visitor may write this participant.
func (v *visit) mayWrite(p *registry.Participant) bool {
	return v.may(writeAt(p.Site), p.Site)
}

// writable tells whether the participant's study and site take changes now.
func (v *visit) writable(p *registry.Participant) bool {
	site, _ := v.study.Site(p.Site)
	return registry.CheckWritable(v.study, site) == nil
}

// writeAt is the operation of writing participants at a place.
func writeAt(site registry.SiteID) access.Operation {
	if site == registry.StudyLevel {
		return access.WriteStudyLevel
	}
	return access.WriteParticipants
}

// showAccessCode shows a participant's access code, which is remembered before it is shown:
//
//	POST /studies/{study}/participants/{participant}/access-code
func (p *Pages) showAccessCode(v *visit, w http.ResponseWriter) error {
	person, err := p.participant(v)
	if err != nil {
		return err
	}
	origin, err := v.must(access.ReadAccessCodes, person.Site)
	if err != nil {
		return err
	}
	code, err := p.Registry.AccessCode(person.AccessCode)
	if err != nil {
		return err
	}
	if code == "" {
		return fault.New(fault.NotFound, registry.ActionNotPossible, "the participant has no access code")
	}
	batch := &registry.Batch{Events: []audit.Event{{
		Origin: origin, Action: audit.AccessCodeRead, Participant: person.ID, Identifier: person.Identifier,
	}}}
	if _, err := p.Registry.ApplyBatch(v.r.Context(), v.study.ID, batch); err != nil {
		return err
	}
	page, err := p.participantView(v, person)
	if err != nil {
		return err
	}
	page.Path = participantURL(v.study, person) // this address shows nothing by itself
	page.Code.Code = code
	return p.page(w, http.StatusOK, "participant", page)
}
