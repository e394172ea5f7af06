package web

import (
	"net/http"
	"strings"

	"rollcall/internal/access"
	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/registry"
)

// act is something that can be done to a participant beside editing. Whether it is offered says
// fits, whether it can be done says the registry.
type act struct {
	name   string
	op     access.Operation // "": that of writing the participant
	fits   func(v *visit, p *registry.Participant) bool
	change registry.Change // what it is, without whom
	asks   bool            // for a confirmation, with the reason
	typed  bool            // for the identifier, typed
	danger bool
}

// acts lists what can be done, in the order in which it is offered.
func acts() []act {
	listed := func(_ *visit, p *registry.Participant) bool { return p.Listed() }
	is := func(s registry.ParticipantStatus) func(*visit, *registry.Participant) bool {
		return func(_ *visit, p *registry.Participant) bool { return p.Status == s }
	}
	return []act{
		{name: "register", change: registry.Change{Register: true}, fits: func(v *visit, p *registry.Participant) bool {
			return v.study.Participate && p.Listed() && p.Participate == registry.NotRegistered
		}},
		{name: "invite", change: registry.Change{Invite: true}, fits: func(_ *visit, p *registry.Participant) bool {
			return p.Listed() && p.Invitation != registry.InvitationPending && p.Invitation != registry.InvitationApproved
		}},
		{name: "enroll", change: registry.Change{Action: registry.Enroll}, fits: func(_ *visit, p *registry.Participant) bool {
			return p.Listed() && !p.Enrolled
		}},
		{name: "move", asks: true, fits: func(v *visit, p *registry.Participant) bool {
			return p.Listed() && len(v.moveChoices(p, "")) > 0
		}},
		{name: "lock", op: access.LockParticipants, change: registry.Change{Action: registry.Lock}, asks: true, fits: listed},
		{name: "unlock", op: access.LockParticipants, change: registry.Change{Action: registry.Unlock}, asks: true, fits: is(registry.StatusLocked)},
		{name: "withdraw", op: access.RemoveParticipants, change: registry.Change{Action: registry.Withdraw}, asks: true, danger: true, fits: listed},
		{name: "restore", op: access.RemoveParticipants, change: registry.Change{Action: registry.Restore}, asks: true, fits: is(registry.StatusRemoved)},
		{name: "remove", op: access.RemoveParticipants, change: registry.Change{Action: registry.Remove}, asks: true, danger: true,
			fits: func(_ *visit, p *registry.Participant) bool { return p.Status != registry.StatusRemoved }},
		{name: "delete", op: access.DeleteParticipants, change: registry.Change{Action: registry.Delete}, asks: true, typed: true, danger: true,
			fits: func(*visit, *registry.Participant) bool { return true }},
	}
}

func actNamed(name string) (act, bool) {
	for _, a := range acts() {
		if a.name == name {
			return a, true
		}
	}
	return act{}, false
}

// opAt is the operation that the act is, to somebody at a place.
func (a *act) opAt(site registry.SiteID) access.Operation {
	if a.op != "" {
		return a.op
	}
	return writeAt(site)
}

// actOffer is an act as the page of a participant offers it.
type actOffer struct {
	Text, URL    string
	Asks, Danger bool
}

// offers lists what the visitor may do to the participant as they stand.
func (v *visit) offers(p *registry.Participant) []actOffer {
	var all []actOffer
	if !v.writable(p) {
		return nil
	}
	for _, a := range acts() {
		if v.may(a.opAt(p.Site), p.Site) && a.fits(v, p) {
			all = append(all, actOffer{v.words.say("act." + a.name), participantURL(v.study, p) + "/" + a.name, a.asks, a.danger})
		}
	}
	return all
}

// moveChoices are the sites to which the visitor may move the participant.
func (v *visit) moveChoices(p *registry.Participant, chosen string) []choice {
	var all []choice
	for _, site := range v.who.Places(access.WriteParticipants, v.study).Sites {
		if site.ID != p.Site && site.Status == registry.Available {
			all = append(all, choice{site.Code, site.Name, site.Code == chosen})
		}
	}
	return all
}

// actView is the page that asks before an act.
type actView struct {
	*frame
	Act, Identifier string
	URL, Back       string
	Explain, Button string
	Danger, Typed   bool
	Sites           []choice // to move to
	Reason          string
	Problem         string // what is wrong with what was typed or chosen
}

// maxReason is the greatest length of a reason in characters.
const maxReason = 500

// actOf finds the act of the request's path and the participant it is done to.
func (p *Pages) actOf(v *visit) (act, *registry.Participant, error) {
	a, ok := actNamed(v.r.PathValue("act"))
	if !ok {
		return a, nil, fault.New(fault.NotFound, httpx.CodeNoRoute, "no such address")
	}
	person, err := p.participant(v)
	if err != nil {
		return a, nil, err
	}
	_, err = v.must(a.opAt(person.Site), person.Site)
	return a, person, err
}

// askAct asks before an act, for the reason and what else it needs:
//
//	GET /studies/{study}/participants/{participant}/{act}
func (p *Pages) askAct(v *visit, w http.ResponseWriter) error {
	a, person, err := p.actOf(v)
	if err != nil {
		return err
	}
	return p.page(w, http.StatusOK, "act", v.actView(&a, person))
}

func (v *visit) actView(a *act, person *registry.Participant) *actView {
	page := &actView{
		frame: v.frame, Act: a.name, Identifier: person.Identifier, Back: participantURL(v.study, person),
		URL: participantURL(v.study, person) + "/" + a.name, Explain: v.words.say("act." + a.name + ".explain"),
		Button: v.words.say("act." + a.name), Danger: a.danger, Typed: a.typed, Reason: v.r.PostForm.Get("reason"),
	}
	if a.name == "move" {
		page.Sites = v.moveChoices(person, v.r.PostForm.Get("site"))
	}
	page.Title, page.Here = v.words.say("act."+a.name+".title", person.Identifier), "participants"
	return page
}

// doAct does what was asked for:
//
//	POST /studies/{study}/participants/{participant}/{act}
func (p *Pages) doAct(v *visit, w http.ResponseWriter) error {
	a, person, err := p.actOf(v)
	if err != nil {
		return err
	}
	change, ferr := v.actChange(&a, person)
	if ferr == nil {
		var result registry.Result
		if result, err = p.apply(v, change); err != nil {
			return err
		}
		ferr = result.Err
	}
	if ferr != nil {
		if fault.KindOf(ferr) == fault.Forbidden {
			return ferr
		}
		page := v.actView(&a, person)
		page.Problem = strings.TrimSpace(v.words.fault(ferr) + " " + v.words.remedy(ferr))
		return p.page(w, httpx.StatusOf(ferr), "act", page)
	}
	to := participantURL(v.study, person)
	if change.Action == registry.Delete || !v.may(access.BrowseParticipants, placeAfter(&change, person)) {
		to = peopleURL(v.study)
	}
	return seeOther(w, v.r, to+"?done="+a.name)
}

// placeAfter is where a change leaves somebody.
func placeAfter(c *registry.Change, p *registry.Participant) registry.SiteID {
	if c.Place.Given {
		return c.Place.Site
	}
	return p.Site
}

// actChange is the change that an act is. Moving needs the role at both ends.
func (v *visit) actChange(a *act, person *registry.Participant) (registry.Change, *fault.Error) {
	change := a.change
	origin, err := v.must(a.opAt(person.Site), person.Site)
	if err != nil {
		return change, fault.As(err)
	}
	origin.Reason = cut(strings.TrimSpace(v.r.PostForm.Get("reason")), maxReason)
	change.Profile, change.Origin, change.ID = registry.Staff(), origin, person.ID
	if a.typed && strings.TrimSpace(v.r.PostForm.Get("confirm")) != person.Identifier {
		return change, fault.New(fault.Invalid, notConfirmed, "the identifier that was typed is another").In("confirm")
	}
	if a.name != "move" {
		return change, nil
	}
	site, ferr := v.place(v.r.PostForm.Get("site"))
	if ferr != nil {
		return change, ferr
	}
	if _, err := v.must(writeAt(site), site); err != nil {
		return change, fault.As(err)
	}
	change.Place = registry.At(site)
	return change, nil
}

// cut shortens a text to so many characters.
func cut(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most])
	}
	return text
}
