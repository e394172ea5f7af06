package web

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/registry"
)

// TestEdit: what the form changed is saved and remembered, and what it did not is left alone.
func TestEdit(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		p := w.village()[0]
		path := w.pathOf(p)
		_, before := w.events(0)
		to := w.post("carla", path+"/edit", "city", " Ames ", "was.city", "", "firstName", "Ada", "was.firstName", "Ada", "custom.Smoker", "", "was.custom.Smoker", "10", "email", "", "was.email", "")
		if to != path+"?done=saved" || !strings.Contains(w.get("carla", to), "Saved.") {
			t.Errorf("leads to %s", to)
		}
		now := w.find("A-1")
		if now.Details[registry.City] != "Ames" || now.Custom["Smoker"] != "" || now.Details[registry.Email] != "ada@example.org" || now.UpdatedBy != "carla" {
			t.Errorf("%+v", now)
		}
		events, _ := w.events(before)
		if diff := cmp.Diff([]string{"carla (crc) through web: participant updated A-1"}, events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if to := w.post("carla", path+"/edit", "city", "Ames", "was.city", "Ames"); to != path+"?done=unchanged" {
			t.Errorf("nothing changed leads to %s", to)
		}
	})
}

// TestEditFaults: all that is wrong is said at its place, what was typed stays, nothing is saved.
func TestEditFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.village()[0]
	form := formOf("email", "not one", "was.email", "ada@example.org", "dateOfBirth", "1.2.1980", "firstName", strings.Repeat("é", 36), "custom.Smoker", "many", "was.custom.Smoker", "10", "city", "Ames")
	answer := w.send("dana", "POST", w.pathOf(p)+"/edit", form)
	page := answer.Body.String()
	if answer.Code != http.StatusBadRequest {
		t.Errorf("%d", answer.Code)
	}
	for _, want := range []string{
		`<a href="#field-email">E-mail address</a>: <bdi>This is not an e-mail address.`, `<a href="#field-dateOfBirth">`, `At most 35 characters.`, `<a href="#field-custom.Smoker">Smoker</a>`,
		`value="not one"`, `name="was.email" value="ada@example.org"`, `value="Ames"`, `aria-describedby="problem-dateOfBirth hint-dateOfBirth"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	if now := w.find("A-1"); now.Details[registry.City] != "" || now.UpdatedBy != "seed" {
		t.Errorf("something was saved: %+v", now)
	}
	w.post("dana", w.pathOf(p)+"/lock")
	answer = w.send("dana", "POST", w.pathOf(p)+"/edit", formOf("city", "Ames"))
	if answer.Code != http.StatusConflict || !strings.Contains(answer.Body.String(), "The participant is removed, locked or withdrawn") {
		t.Errorf("locked: %d", answer.Code)
	}
}

// TestEditOvertaken: whoever changes what somebody else has changed meanwhile is told so first.
func TestEditOvertaken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.village()[0]
	path := w.pathOf(p) + "/edit"
	w.post("emil", path, "city", "Boston", "was.city", "", "state", "MA", "was.state", "")
	mine := formOf("city", "Ames", "was.city", "", "street1", "1 Main", "was.street1", "", "state", "", "was.state", "")
	answer := w.send("dana", "POST", path, mine)
	if answer.Code != http.StatusConflict || !strings.Contains(answer.Body.String(), "to: Boston. Save again") || !strings.Contains(answer.Body.String(), `name="was.city" value="Boston"`) {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
	if now := w.find("A-1"); now.Details[registry.City] != "Boston" || now.Details[registry.Street1] != "" {
		t.Errorf("something was saved: %+v", now.Details)
	}
	mine.Set("was.city", "Boston")
	if answer := w.send("dana", "POST", path, mine); answer.Code != http.StatusSeeOther {
		t.Fatalf("again: %d", answer.Code)
	}
	now := w.find("A-1")
	if now.Details[registry.City] != "Ames" || now.Details[registry.State] != "MA" || now.Details[registry.Street1] != "1 Main" {
		t.Errorf("%+v", now.Details)
	}
}

// TestAdd: one more participant, with all that the form can say.
func TestAdd(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		to := w.post("carla", peoplePath, "participantIdentifier", " NEW-1 ", "site", "BOSTON", "firstName", "Ada", "email", "ada@example.org", "custom.Smoker", "3", "register", "yes", "invite", "yes")
		p := w.find("NEW-1")
		if to != w.pathOf(p)+"?done=added" || p.Site != w.study(junoOID).Sites[0].ID || p.Details[registry.FirstName] != "Ada" || p.Custom["Smoker"] != "3" ||
			p.Participate != registry.ParticipateCreated || p.Invitation != registry.InvitationPending || p.CreatedBy != "carla" {
			t.Errorf("to %s: %+v", to, p)
		}
		if to := w.post("carla", peoplePath, "participantIdentifier", "NEW-2", "site", "BOSTON", "next", "another"); to != peoplePath+"/new?done=added&site=BOSTON" {
			t.Errorf("another: %s", to)
		}
		for name, test := range map[string]struct {
			user string
			form []string
			code int
			says string
		}{
			"no identifier":     {"carla", []string{"site", "BOSTON", "city", "Ames"}, 400, `<a href="#field-participantIdentifier">Identifier</a>: <bdi>Give the participant an identifier.`},
			"no site":           {"dana", []string{"participantIdentifier", "NEW-3"}, 400, "Choose a site."},
			"one that is there": {"dana", []string{"participantIdentifier", "new-1", "site", "OHIO"}, 409, "Somebody in this study has this identifier already."},
			"several faults":    {"dana", []string{"participantIdentifier", "<NEW>", "email", "x"}, 400, "An identifier must not hold"},
			"another's site":    {"carla", []string{"participantIdentifier", "NEW-4", "site", "OHIO"}, 403, "You hold no role there."},
			"the study level":   {"carla", []string{"participantIdentifier", "NEW-5", "site", studyLevelCode}, 403, "You hold no role there."},
		} {
			answer := w.send(test.user, "POST", peoplePath, formOf(test.form...))
			if answer.Code != test.code || !strings.Contains(answer.Body.String(), test.says) {
				t.Errorf("%s: %d, lacks %q", name, answer.Code, test.says)
			}
		}
		if people, err := w.registry.Participants(t.Context(), w.study(junoOID).ID, nil, 0, 10); err != nil || len(people) != 2 {
			t.Errorf("%d people, %v", len(people), err)
		}
	})
}

// TestAddWithoutIdentifier: where the study makes identifiers, nobody is asked for one.
func TestAddWithoutIdentifier(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const ceres = "/studies/S_CERES%28TEST%29/participants"
	if page := w.get("carla", ceres+"/new"); strings.Contains(page, `name="participantIdentifier"`) || !strings.Contains(page, "makes identifiers by itself") {
		t.Error("the form asks for an identifier")
	}
	to := w.post("carla", ceres, "site", "LEEDS", "firstName", "Ada")
	if page := w.get("carla", to); !strings.Contains(page, "LEEDS-001") {
		t.Errorf("%s: no LEEDS-001", to)
	}
}

// TestActs: what can be done to a participant, with the reason in the timeline.
func TestActs(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		p := w.village()[0]
		path := w.pathOf(p)
		_, before := w.events(0)
		for _, step := range []struct{ act, says string }{
			{"register", "code created"}, {"invite", "pending"}, {"lock", "locked"}, {"unlock", "available"}, {"remove", "removed"}, {"restore", "available"}, {"withdraw", "withdrawn"},
		} {
			if step.act != "register" && step.act != "invite" {
				w.get("dana", path+"/"+step.act)
			}
			to := w.post("dana", path+"/"+step.act, "reason", " Because of <"+step.act+">. ")
			page := w.get("dana", to)
			if !strings.Contains(page, step.says) || !strings.Contains(page, "Because of &lt;"+step.act+"&gt;.</bdi>") || !strings.Contains(page, `role="status"`) {
				t.Errorf("%s: the page lacks %q or the reason", step.act, step.says)
			}
		}
		events, _ := w.events(before)
		want := []string{"participate registered", "participant updated", "participant locked", "participant unlocked", "participant removed", "participant restored", "participant withdrawn"}
		for i := range want {
			want[i] = "dana (data manager) through web: " + want[i] + " A-1"
		}
		if diff := cmp.Diff(want, events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		answer := w.send("dana", "POST", path+"/invite", formOf())
		if answer.Code != http.StatusConflict || !strings.Contains(answer.Body.String(), "removed, locked or withdrawn, and cannot be changed. Restore or unlock") {
			t.Errorf("inviting somebody withdrawn: %d", answer.Code)
		}
		if answer := w.send("dana", "POST", path+"/fly", formOf()); answer.Code != http.StatusNotFound {
			t.Errorf("an unknown act: %d", answer.Code)
		}
	})
}

// TestMove needs the role at both ends.
func TestMove(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.village()[0]
	path := w.pathOf(p) + "/move"
	ohio := w.study(junoOID).Sites[1].ID
	for user, want := range map[string]int{"carla": 403, "owen": 404, "mona": 403} {
		if answer := w.send(user, "POST", path, formOf("site", "OHIO")); answer.Code != want {
			t.Errorf("%s: %d, want %d", user, answer.Code, want)
		}
	}
	for _, site := range []string{"", "NOWHERE", studyLevelCode} {
		if answer := w.send("dana", "POST", path, formOf("site", site)); answer.Code != http.StatusBadRequest {
			t.Errorf("to %q: %d", site, answer.Code)
		}
	}
	w.post("dana", path, "site", "OHIO", "reason", "moved")
	if w.find("A-1").Site != ohio {
		t.Error("not moved")
	}
	if answer := w.send("carla", "GET", w.pathOf(p), nil); answer.Code != http.StatusNotFound {
		t.Errorf("the old site still sees them: %d", answer.Code)
	}
	w.get("owen", w.pathOf(p))
}

// TestDelete erases only what was confirmed by typing it.
func TestDelete(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	people := w.village()
	path := w.pathOf(people[0]) + "/delete"
	for _, typed := range []string{"", "a-1", "A-2"} {
		answer := w.send("dana", "POST", path, formOf("confirm", typed, "reason", "r"))
		if answer.Code != http.StatusBadRequest || !strings.Contains(answer.Body.String(), "What you typed is not the identifier.") {
			t.Errorf("%q: %d", typed, answer.Code)
		}
	}
	if to := w.post("dana", path, "confirm", " A-1 "); to != peoplePath+"?done=delete" {
		t.Errorf("leads to %s", to)
	}
	if answer := w.send("dana", "GET", w.pathOf(people[0]), nil); answer.Code != http.StatusNotFound {
		t.Errorf("still there: %d", answer.Code)
	}
	wantNone(t, "home", w.get("dana", junoPath), "A-1<", "Nilsson")
}

// TestAccessCode is shown to those of the site alone, each time remembered, and never by itself.
func TestAccessCode(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		p := w.seed(person{identifier: "B-1", site: "BOSTON", register: true}, person{identifier: "B-2", site: "BOSTON"})
		code, err := w.registry.AccessCode(p[0].AccessCode)
		w.must(err)
		_, before := w.events(0)
		for _, path := range []string{w.pathOf(p[0]), w.pathOf(p[0]) + "/timeline", peoplePath, junoPath + "/participants.csv"} {
			wantNone(t, path, w.get("carla", path), code)
		}
		if answer := w.send("carla", "POST", w.pathOf(p[0])+"/access-code", formOf()); answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), "<code>"+code+"</code>") {
			t.Errorf("%d", answer.Code)
		}
		events, _ := w.events(before)
		want := []string{"carla (crc) through web: extract downloaded S_BOSTON(TEST)", "carla (crc) through web: access code read B-1"}
		if diff := cmp.Diff(want, events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if answer := w.send("carla", "POST", w.pathOf(p[1])+"/access-code", formOf()); answer.Code != http.StatusNotFound {
			t.Errorf("of somebody without one: %d", answer.Code)
		}
		if strings.Contains(w.log.String(), code) || strings.Contains(w.log.String(), "B-1") {
			t.Error("the log tells the code or the participant")
		}
	})
}

// TestSelected does the same to several, and tells what became of each.
func TestSelected(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	people := w.village()
	w.post("dana", w.pathOf(people[2])+"/lock")
	ids := []string{"act", "remove", "id", people[0].ID.String(), "id", people[1].ID.String(), "id", people[1].ID.String(), "id", "nonsense"}
	page := w.send("carla", "POST", peoplePath+"/selected", formOf(ids...)).Body.String()
	if !strings.Contains(page, "Remove 1 participant?") || strings.Contains(page, "A-2") || w.find("A-1").Status != registry.StatusAvailable {
		t.Errorf("asked: %s", page)
	}
	ids = []string{"act", "register", "confirmed", "yes", "id", people[0].ID.String(), "id", people[1].ID.String(), "id", people[2].ID.String()}
	page = w.send("dana", "POST", peoplePath+"/selected", formOf(ids...)).Body.String()
	if !strings.Contains(page, "2 of 3 registered") || !strings.Contains(page, "The participant is removed, locked or withdrawn") {
		t.Errorf("done: %s", page)
	}
	if w.find("A-1").Participate != registry.ParticipateCreated || w.find("A-3").Participate != registry.NotRegistered {
		t.Error("not done")
	}
	page = w.send("dana", "POST", peoplePath+"/selected", formOf("act", "remove")).Body.String()
	if !strings.Contains(page, "Nobody was selected.") {
		t.Errorf("nobody: %s", page)
	}
	for _, act := range []string{"", "delete", "move", "fly"} {
		if answer := w.send("dana", "POST", peoplePath+"/selected", formOf("act", act)); answer.Code != http.StatusBadRequest {
			t.Errorf("%q: %d", act, answer.Code)
		}
	}
}

// TestTimeline pages through a long history.
func TestTimeline(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.village()[0]
	for i := range timelinePage + 5 {
		w.post("dana", w.pathOf(p)+"/"+[]string{"lock", "unlock"}[i%2], "reason", "step")
	}
	page := w.get("dana", w.pathOf(p))
	if got := strings.Count(page, `class="event"`); got != timelinePage {
		t.Errorf("%d events on the page", got)
	}
	_, more, _ := strings.Cut(page, `hx-get="`+w.pathOf(p)+"/timeline")
	more, _, _ = strings.Cut(more, `"`)
	rest := w.get("dana", w.pathOf(p)+"/timeline"+more)
	if got := strings.Count(rest, `class="event"`); got != 6 || !strings.Contains(rest, "Added") || strings.Contains(rest, "hx-get") {
		t.Errorf("%d events on the next page", got)
	}
	for _, before := range []string{"x", "-1", "0"} {
		if answer := w.send("dana", "GET", w.pathOf(p)+"/timeline?before="+before, nil); answer.Code != http.StatusBadRequest {
			t.Errorf("before %s: %d", before, answer.Code)
		}
	}
}
