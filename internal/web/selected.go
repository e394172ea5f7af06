package web

import (
	"net/http"
	"strings"

	"github.com/google/uuid"

	"rollcall/internal/access"
	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// selectedView asks before something is done to several participants, and tells afterwards what
// became of each.
type selectedView struct {
	*frame
	Act     string
	URL     string
	Back    string
	Text    string // what is about to be done, or has been
	Explain string
	Danger  bool
	Done    bool
	Reason  string
	People  []selectedPerson
}

// selectedPerson is one of those selected. Outcome is "" until it is done.
type selectedPerson struct {
	ID, Identifier, URL string
	Outcome             string
	Failed              bool
}

// selectable are the acts that can be done to several at once.
var selectable = [...]string{"register", "invite", "enroll", "remove"}

// selectionActions are those that the visitor may do somewhere in the study.
func (v *visit) selectionActions() []choice {
	var all []choice
	for _, name := range selectable {
		a, _ := actNamed(name)
		if op := a.opAt(-1); !v.who.Places(op, v.study).None() && (name != "register" || v.study.Participate) {
			all = append(all, choice{Value: name, Text: v.words.say("act." + name)})
		}
	}
	return all
}

// actOnSelected asks, and then does the same to several participants:
//
//	POST /studies/{study}/participants/selected
func (p *Pages) actOnSelected(v *visit, w http.ResponseWriter) error {
	sent := v.r.PostForm
	a, ok := actNamed(sent.Get("act"))
	if !ok || !isSelectable(a.name) {
		return parameterFault("act")
	}
	people, err := p.selected(v, sent["id"])
	if err != nil {
		return err
	}
	page := &selectedView{
		frame: v.frame, Act: a.name, URL: peopleURL(v.study) + "/selected", Back: localPath(sent.Get("back"), peopleURL(v.study)),
		Explain: v.words.say("act." + a.name + ".explain"), Danger: a.danger, Reason: cut(strings.TrimSpace(sent.Get("reason")), maxReason),
	}
	page.Here, page.Path = "participants", page.Back
	if sent.Get("confirmed") == "" {
		page.Text = v.words.count("selected.ask."+a.name, len(people))
		for _, person := range people {
			page.People = append(page.People, selectedPerson{ID: person.ID.String(), Identifier: person.Identifier, URL: participantURL(v.study, person)})
		}
	} else if err := p.doSelected(v, &a, people, page); err != nil {
		return err
	}
	page.Title = page.Text
	return p.page(w, http.StatusOK, "selected", page)
}

func isSelectable(name string) bool {
	for _, s := range selectable {
		if s == name {
			return true
		}
	}
	return false
}

// selected finds the participants of the given ids whom the visitor may see, each once.
func (p *Pages) selected(v *visit, ids []string) ([]*registry.Participant, error) {
	if len(ids) > maxSize {
		return nil, parameterFault("id")
	}
	var people []*registry.Participant
	seen := map[registry.ID]bool{}
	for _, text := range ids {
		id, err := uuid.Parse(text)
		if err != nil || seen[id] {
			continue
		}
		seen[id] = true
		person, err := p.Registry.FindByID(v.r.Context(), v.study.ID, id)
		if fault.HasCode(err, registry.ParticipantUnknown) {
			continue // deleted meanwhile
		}
		if err != nil {
			return nil, err
		}
		if v.may(access.BrowseParticipants, person.Site) {
			people = append(people, person)
		}
	}
	return people, nil
}

// doSelected does the act to those to whom the visitor may, in one transaction, and tells what
// became of each.
func (p *Pages) doSelected(v *visit, a *act, people []*registry.Participant, page *selectedView) error {
	var changes []registry.Change
	var at []int // whose line of the page a change is
	for i, person := range people {
		line := selectedPerson{ID: person.ID.String(), Identifier: person.Identifier, URL: participantURL(v.study, person)}
		change, ferr := v.actChange(a, person)
		if ferr != nil {
			line.Outcome, line.Failed = v.words.fault(ferr), true
		} else {
			changes, at = append(changes, change), append(at, i)
		}
		page.People = append(page.People, line)
	}
	done := 0
	if len(changes) > 0 {
		results, err := p.Registry.Apply(v.r.Context(), v.study.ID, changes...)
		if err != nil {
			return err
		}
		for i, result := range results {
			line := &page.People[at[i]]
			switch {
			case result.Err != nil:
				line.Outcome, line.Failed = v.words.fault(result.Err), true
			case result.Done == registry.Unchanged:
				line.Outcome = v.words.say("selected.unchanged")
			default:
				line.Outcome = v.words.say("selected.done")
				done++
			}
		}
	}
	page.Done, page.Text = true, v.words.count("selected.result."+a.name, done, len(people))
	return nil
}
