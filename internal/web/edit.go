package web

import (
	"net/http"

	"rollcall/internal/httpx"
	"rollcall/internal/registry"
)

// editView is the form to edit a participant.
type editView struct {
	*frame
	Identifier string
	URL, Back  string
	Form       *form
}

// editParticipant shows the form to edit a participant:
//
//	GET /studies/{study}/participants/{participant}/edit
func (p *Pages) editParticipant(v *visit, w http.ResponseWriter) error {
	person, err := p.participant(v)
	if err != nil {
		return err
	}
	if _, err := v.must(writeAt(person.Site), person.Site); err != nil {
		return err
	}
	return p.page(w, http.StatusOK, "edit", v.editView(person, v.contactForm(person)))
}

func (v *visit) editView(person *registry.Participant, f *form) *editView {
	page := &editView{
		frame: v.frame, Identifier: person.Identifier, Back: participantURL(v.study, person),
		URL: participantURL(v.study, person) + "/edit", Form: f,
	}
	page.Title, page.Here = v.words.say("edit.title", person.Identifier), "participants"
	return page
}

// saveParticipant saves what has been changed in the form. If anything is wrong nothing is
// saved, and the form comes back with what was filled in:
//
//	POST /studies/{study}/participants/{participant}/edit
func (p *Pages) saveParticipant(v *visit, w http.ResponseWriter) error {
	person, err := p.participant(v)
	if err != nil {
		return err
	}
	origin, err := v.must(writeAt(person.Site), person.Site)
	if err != nil {
		return err
	}
	f := v.contactForm(person)
	stored := f.values()
	f.fill(v)
	change := registry.Change{Profile: registry.Staff(), Origin: origin, ID: person.ID}
	f.edit(&change)
	if f.overtaken(v, stored) {
		return p.page(w, http.StatusConflict, "edit", v.editView(person, f))
	}
	if faults := registry.FieldFaults(v.study, &change); len(faults) > 0 {
		f.blame(v, faults...)
		return p.page(w, http.StatusBadRequest, "edit", v.editView(person, f))
	}
	result, err := p.apply(v, change)
	if err != nil {
		return err
	}
	if result.Err != nil {
		f.blame(v, result.Err)
		return p.page(w, httpx.StatusOf(result.Err), "edit", v.editView(person, f))
	}
	done := "saved"
	if result.Done == registry.Unchanged {
		done = "unchanged"
	}
	return seeOther(w, v.r, participantURL(v.study, person)+"?done="+done)
}

// apply makes one change.
func (p *Pages) apply(v *visit, change registry.Change) (registry.Result, error) {
	results, err := p.Registry.Apply(v.r.Context(), v.study.ID, change)
	if err != nil {
		return registry.Result{}, err
	}
	return results[0], nil
}

// values are what is in the form's fields.
func (f *form) values() map[string]string {
	all := map[string]string{}
	f.fields(func(field *formField) { all[field.Key] = plainLines(field.Value) })
	return all
}

// overtaken tells whether somebody else has written a field since the page was made that its
// reader has changed as well. The form then says so at the place, and saves over it when it is
// sent again.
func (f *form) overtaken(v *visit, stored map[string]string) bool {
	found := false
	f.fields(func(field *formField) {
		now := stored[field.Key]
		if field.Value == field.Was || field.Was == now || field.Value == now {
			return
		}
		found = true
		field.Was = now
		text := v.words.say("field.overtaken", now)
		if now == "" {
			text = v.words.say("field.overtakenEmpty")
		}
		field.Problem = text
		f.Summary = append(f.Summary, formProblem{field.Key, field.Name, text})
	})
	return found
}
