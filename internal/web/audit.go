package web

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// auditPage is how many events a page of the audit trail shows.
const auditPage = 50

// auditView is the study's audit trail, or what a search of it finds.
type auditView struct {
	*frame
	URL                string
	Actor, Identifier  string
	From, To           string // days, in the reader's zone
	Actions            []choice
	Events             []auditLine
	Older, Newest      string // addresses; "" if there is nothing there
	Checked, Broken    string // what a check has found
	Searching, MayRead bool
}

// auditLine is an event with whom or what it is about.
type auditLine struct {
	timelineEntry
	Seq     int64
	About   string
	Link    string // to the participant, if they are there
	Request string
}

// auditActions are the actions of a study's trail that a search offers.
func auditActions() []audit.Action {
	return []audit.Action{
		audit.ParticipantAdded, audit.ParticipantUpdated, audit.ParticipantMoved, audit.ParticipantRemoved, audit.ParticipantRestored,
		audit.ParticipantLocked, audit.ParticipantUnlocked, audit.ParticipantWithdrawn, audit.ParticipantDeleted, audit.ParticipateRegistered,
		audit.AccessCodeRead, audit.ParticipantInfoRead, audit.ExtractRequested, audit.ExtractDownloaded, audit.BulkSubmitted, audit.JobDeleted,
		audit.StudyChanged, audit.SiteChanged,
	}
}

// showAudit shows the study's audit trail, newest first:
//
//	GET /studies/{study}/audit?actor=&participant=&action=&from=&to=&before=
func (p *Pages) showAudit(v *visit, w http.ResponseWriter) error {
	if _, err := v.must(access.ReadAudit, registry.StudyLevel); err != nil {
		return err
	}
	page := &auditView{frame: v.frame, URL: studyURL(v.study) + "/audit", MayRead: v.may(access.ReadContacts, registry.StudyLevel)}
	page.Title, page.Here = v.words.say("audit.title"), "audit"
	search, err := p.readSearch(v, page)
	if err != nil {
		return err
	}
	events, err := p.Overview.SearchEvents(v.r.Context(), v.study.ID, search)
	if err != nil {
		return err
	}
	if len(events) > auditPage {
		events = events[:auditPage]
		page.Older = page.address(v, strconv.FormatInt(events[len(events)-1].Seq, 10))
	}
	if search.Before > 0 {
		page.Newest = page.address(v, "")
	}
	if v.r.URL.Query().Has("check") {
		if err := p.checkTrail(v, page); err != nil {
			return err
		}
	}
	for i := range events {
		e := &events[i]
		line := auditLine{timelineEntry: v.timelineEntry(e, page.MayRead), Seq: e.Seq, About: e.Identifier, Request: e.Origin.RequestID}
		if e.Participant != (registry.ID{}) && e.Identifier != "" {
			line.Link = peopleURL(v.study) + "/" + e.Participant.String()
		}
		page.Events = append(page.Events, line)
	}
	return p.page(w, http.StatusOK, "audit", page)
}

// checkTrail tells whether no event is missing.
func (p *Pages) checkTrail(v *visit, page *auditView) error {
	n, err := p.Overview.CheckNumbering(v.r.Context(), v.study.ID)
	if err != nil {
		return err
	}
	if n.Whole() {
		page.Checked = v.words.say("audit.whole", n.Events, n.Last)
	} else {
		page.Broken = v.words.say("audit.broken", n.Breaks)
	}
	return nil
}

// readSearch reads the address into a search, and back into the form.
func (p *Pages) readSearch(v *visit, page *auditView) (audit.Search, error) {
	q := v.r.URL.Query()
	page.Actor, page.Identifier = strings.TrimSpace(q.Get("actor")), strings.TrimSpace(q.Get("participant"))
	page.From, page.To = q.Get("from"), q.Get("to")
	s := audit.Search{Actor: page.Actor, Action: audit.Action(q.Get("action")), Limit: auditPage + 1}
	if s.Action != "" && !slices.Contains(auditActions(), s.Action) {
		return s, parameterFault("action")
	}
	page.Actions = append(page.Actions, choice{"", v.words.say("audit.anyAction"), s.Action == ""})
	for _, a := range auditActions() {
		page.Actions = append(page.Actions, choice{string(a), v.words.action(a), a == s.Action})
	}
	var err error
	if text := q.Get("before"); text != "" {
		if s.Before, err = strconv.ParseInt(text, 10, 64); err != nil || s.Before < 1 {
			return s, parameterFault("before")
		}
	}
	if s.From, err = dayIn(page.From, v.zone); err != nil {
		return s, parameterFault("from")
	}
	if s.To, err = dayIn(page.To, v.zone); err != nil {
		return s, parameterFault("to")
	}
	if !s.To.IsZero() {
		s.To = s.To.AddDate(0, 0, 1) // that day is asked for, too
	}
	page.Searching = page.Actor+page.Identifier+page.From+page.To+string(s.Action) != ""
	return s, p.searchFor(v, page.Identifier, &s)
}

// searchFor looks for the participant of an identifier, by whatever they were called then. Where
// there is none, it is what events call somebody, or something.
func (p *Pages) searchFor(v *visit, identifier string, s *audit.Search) error {
	if identifier == "" {
		return nil
	}
	found, err := p.Registry.Find(v.r.Context(), v.study.ID, identifier)
	switch {
	case err == nil:
		s.Participant = &found.ID
	case fault.KindOf(err) == fault.NotFound:
		s.Identifier = identifier
	default:
		return err
	}
	return nil
}

// dayIn is the beginning of a day in a zone; the zero time for no day.
func dayIn(text string, zone *time.Location) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.ParseInLocation(time.DateOnly, text, zone)
}

// address is that of the same search, from before an event on.
func (page *auditView) address(v *visit, before string) string {
	q := url.Values{}
	for name, values := range v.r.URL.Query() {
		if values[0] != "" && name != "before" && name != "check" {
			q.Set(name, values[0])
		}
	}
	if before != "" {
		q.Set("before", before)
	}
	if len(q) == 0 {
		return page.URL
	}
	return page.URL + "?" + q.Encode()
}
