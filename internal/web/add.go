package web

import (
	"net/http"
	"net/url"
	"slices"

	"rollcall/internal/access"
	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/registry"
)

// addView is the form to add a participant.
type addView struct {
	*frame
	URL, Back   string
	Form        *form
	Generated   bool // the study makes the identifiers
	MayRegister bool
	Register    bool
	Invite      bool
}

// newParticipant shows the form to add a participant:
//
//	GET /studies/{study}/participants/new
func (p *Pages) newParticipant(v *visit, w http.ResponseWriter) error {
	if ferr := registry.CheckWritable(v.study, nil); ferr != nil {
		return ferr
	}
	return p.page(w, http.StatusOK, "add", v.addView(v.addForm(v.r.URL.Query().Get("site"))))
}

func (v *visit) addView(f *form) *addView {
	page := &addView{
		frame: v.frame, URL: peopleURL(v.study), Back: peopleURL(v.study), Form: f,
		Generated: v.study.IDMethod == registry.GeneratedIDs, MayRegister: v.study.Participate,
		Register: v.r.PostForm.Get("register") != "", Invite: v.r.PostForm.Get("invite") != "",
	}
	page.Title, page.Here = v.words.say("add.title"), "participants"
	return page
}

// addForm is the form of a new participant: who and where, and all that can be known.
func (v *visit) addForm(site string) *form {
	f := v.contactForm(&registry.Participant{})
	record := formGroup{Name: v.words.say("group.record")}
	if v.study.IDMethod != registry.GeneratedIDs {
		record.Fields = append(record.Fields, formField{
			Key: registry.IdentifierField, Name: v.words.say("column.identifier"), Kind: "text", Required: true,
			Limit: registry.Staff().IdentifierLimit(), Hint: v.words.say("hint.identifier"),
		})
	}
	record.Fields = append(record.Fields, formField{
		Key: registry.SiteField, Name: v.words.say("column.site"), Kind: "choice", Required: true, Choices: v.siteChoices(site), Value: site,
	})
	f.Groups = slices.Insert(f.Groups, 0, record)
	return f
}

// siteChoices are the places at which the visitor may add participants.
func (v *visit) siteChoices(chosen string) []choice {
	var all []choice
	for _, site := range v.who.Places(access.WriteParticipants, v.study).Sites {
		if site.Status == registry.Available {
			all = append(all, choice{site.Code, site.Name, registry.Fold(site.Code) == registry.Fold(chosen)})
		}
	}
	if v.may(access.WriteStudyLevel, registry.StudyLevel) {
		all = append(all, choice{studyLevelCode, v.words.say("site.none"), chosen == studyLevelCode})
	}
	if len(all) > 1 {
		all = slices.Insert(all, 0, choice{"", v.words.say("choice.site"), chosen == ""})
	}
	return all
}

// place is the place that a form names.
func (v *visit) place(code string) (registry.SiteID, *fault.Error) {
	if site, ok := v.study.SiteByCode(code); ok && code != "" {
		return site.ID, nil
	}
	if code == studyLevelCode {
		return registry.StudyLevel, nil
	}
	return 0, fault.New(fault.Invalid, registry.SiteUnknown, "there is no such site in the study").In(registry.SiteField)
}

// addParticipant adds a participant. If anything is wrong nobody is added, and the form comes
// back with what was filled in:
//
//	POST /studies/{study}/participants
func (p *Pages) addParticipant(v *visit, w http.ResponseWriter) error {
	sent := v.r.PostForm
	f := v.addForm(sent.Get(registry.SiteField))
	f.fill(v)
	change := registry.Change{
		Profile: registry.Staff(), AddOnly: true, Identifier: sent.Get(registry.IdentifierField),
		Register: sent.Get("register") != "", Invite: sent.Get("invite") != "",
	}
	f.edit(&change)
	faults := registry.FieldFaults(v.study, &change)
	site, ferr := v.place(sent.Get(registry.SiteField))
	if ferr != nil {
		faults = append(faults, ferr)
	} else {
		change.Place = registry.At(site)
		var err error
		if change.Origin, err = v.must(writeAt(site), site); err != nil {
			return err
		}
	}
	if len(faults) > 0 {
		f.blame(v, faults...)
		return p.page(w, http.StatusBadRequest, "add", v.addView(f))
	}
	result, err := p.apply(v, change)
	if err != nil {
		return err
	}
	if result.Err != nil {
		f.blame(v, result.Err)
		return p.page(w, httpx.StatusOf(result.Err), "add", v.addView(f))
	}
	if sent.Get("next") == "another" {
		return seeOther(w, v.r, peopleURL(v.study)+"/new?done=added&site="+url.QueryEscape(sent.Get(registry.SiteField)))
	}
	return seeOther(w, v.r, participantURL(v.study, result.Participant)+"?done=added")
}
