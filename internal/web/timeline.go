package web

import (
	"net/http"
	"strconv"
	"strings"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/registry"
)

// timelinePage is how many events of a participant a page shows at a time.
const timelinePage = 25

// timeline is what has happened to a participant, newest first.
type timeline struct {
	Entries []timelineEntry
	More    string // address of the earlier ones; "" if there are none
}

// timelineEntry is one event: who did what, when, as what, through what and why.
type timelineEntry struct {
	At                        moment
	What, Who, Role, Via, Why string
	Changes                   []fieldChange
	Hidden                    string // how many changed values the reader may not see
}

type fieldChange struct{ Name, Old, New string }

// timelineView is a page of earlier events alone, for a script or as a page.
type timelineView struct {
	*frame
	Identifier string
	Back       string
	Timeline   timeline
}

// recordFields are the changed fields that are about the record as such: whoever may see the
// participant may see them.
var recordFields = map[string]bool{
	registry.IdentifierField: true, registry.SiteField: true, "status": true, "enrolled": true, "enrollmentDate": true,
	"withdrawDate": true, "invitationStatus": true, "accessCodes": true, "sourceFile": true, "participants": true, "participateStatus": true, "excludeFromExport": true,
}

// timeline reads a page of a participant's events, from before a number on.
func (p *Pages) timeline(v *visit, person *registry.Participant, contacts bool, before int64) (timeline, error) {
	events, err := p.Overview.ParticipantEvents(v.r.Context(), v.study.ID, person.ID, before, timelinePage+1)
	if err != nil {
		return timeline{}, err
	}
	var t timeline
	if len(events) > timelinePage {
		events = events[:timelinePage]
		t.More = participantURL(v.study, person) + "/timeline?before=" + strconv.FormatInt(events[len(events)-1].Seq, 10)
	}
	for i := range events {
		t.Entries = append(t.Entries, v.timelineEntry(&events[i], contacts))
	}
	return t, nil
}

func (v *visit) timelineEntry(e *audit.Event, contacts bool) timelineEntry {
	w := v.words
	entry := timelineEntry{
		At: v.moment(e.At), What: w.action(e.Action), Who: e.Origin.Actor, Why: e.Origin.Reason,
		Role: w.or("role."+roleKey(access.Role(e.Origin.Role)), e.Origin.Role), Via: w.or("dialect."+e.Origin.Dialect, e.Origin.Dialect),
	}
	hidden := 0
	for _, f := range e.Fields {
		if !contacts && !recordFields[f.Field] {
			hidden++
			continue
		}
		entry.Changes = append(entry.Changes, fieldChange{w.changedName(f.Field), w.changedValue(f.Field, f.Old), w.changedValue(f.Field, f.New)})
	}
	if hidden > 0 {
		entry.Hidden = w.count("timeline.hidden", hidden)
	}
	return entry
}

// changedName is what pages call a field of the audit trail.
func (w *words) changedName(field string) string {
	if f, ok := registry.FieldByName(field); ok {
		return w.fieldName(f)
	}
	if name, ok := customName(field); ok {
		return name
	}
	return w.or("change."+field, field)
}

func (w *words) changedValue(field, value string) string {
	if f, ok := registry.FieldByName(field); ok {
		return w.detail(f, value)
	}
	switch field {
	case "status":
		return w.or("status."+value, value)
	case "invitationStatus":
		return w.or("invitation."+value, value)
	case "participateStatus":
		return w.or("participate."+strings.ToLower(value), value)
	case "enrolled", "excludeFromExport", "accessCodes":
		return w.or("boolean."+value, value)
	}
	return value
}

// moreTimeline shows earlier events of a participant:
//
//	GET /studies/{study}/participants/{participant}/timeline?before=
func (p *Pages) moreTimeline(v *visit, w http.ResponseWriter) error {
	person, err := p.participant(v)
	if err != nil {
		return err
	}
	before := int64(0)
	if text := v.r.URL.Query().Get("before"); text != "" {
		if before, err = strconv.ParseInt(text, 10, 64); err != nil || before < 1 {
			return parameterFault("before")
		}
	}
	page := &timelineView{frame: v.frame, Identifier: person.Identifier, Back: participantURL(v.study, person)}
	page.Title, page.Here = v.words.say("timeline.of", person.Identifier), "participants"
	if page.Timeline, err = p.timeline(v, person, v.may(access.ReadContacts, person.Site), before); err != nil {
		return err
	}
	if v.partial() {
		return p.part(w, http.StatusOK, "timeline", "entries", page)
	}
	return p.page(w, http.StatusOK, "timeline", page)
}
