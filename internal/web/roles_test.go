package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestRolesAndPages holds who may see and do what: every user of the demo, which has one of every
// role, against every page and every write, at their own site and at another.
func TestRolesAndPages(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		people := w.seed(
			person{identifier: "B-1", site: "BOSTON", first: "Beatrice", email: "b1@example.org", register: true},
			person{identifier: "O-1", site: "OHIO", first: "Oliver", email: "o1@example.org", register: true},
			person{identifier: "S-1", first: "Stella", email: "s1@example.org"},
		)
		job := w.upload("carla", "BOSTON", "people.csv", "ParticipantID\n<\n")
		w.runJobs()
		job = w.post("carla", job+"/run")
		w.runJobs()
		boston, ohio, level := w.pathOf(people[0]), w.pathOf(people[1]), w.pathOf(people[2])
		get := func(path string) func(user string) int {
			return func(user string) int { return w.send(user, "GET", path, nil).Code }
		}
		post := func(path string, pairs ...string) func(user string) int {
			return func(user string) int { return w.send(user, "POST", path, formOf(pairs...)).Code }
		}
		asks := []struct {
			name string
			ask  func(user string) int
		}{
			{"home", get(junoPath)}, {"numbers", get(junoPath + "/numbers")}, {"list", get(peoplePath)}, {"csv", get(junoPath + "/participants.csv")},
			{"add form", get(peoplePath + "/new")},
			{"Boston", get(boston)}, {"Ohio", get(ohio)}, {"study level", get(level)},
			{"timeline", get(boston + "/timeline")}, {"edit form", get(boston + "/edit")},
			// What follows is wrong in itself, so that nothing changes: 400 or 409 is who may.
			{"add at Boston", post(peoplePath, "participantIdentifier", "<", "site", "BOSTON")},
			{"add at study level", post(peoplePath, "participantIdentifier", "b-1", "site", studyLevelCode)},
			{"edit Boston", post(boston+"/edit", "email", "no")}, {"edit study level", post(level+"/edit", "email", "no")},
			{"move Boston to nowhere", post(boston+"/move", "site", "NOWHERE")},
			{"unlock Boston", get(boston + "/unlock")}, {"withdraw Boston", get(boston + "/withdraw")}, {"delete Boston", post(boston+"/delete", "confirm", "no")},
			{"code of Boston", post(boston + "/access-code")}, {"code of Ohio", post(ohio + "/access-code")},
			{"bulk", post(peoplePath+"/selected", "act", "register")},
			{"upload form", get(junoPath + "/upload")}, {"extract form", get(junoPath + "/extract")}, {"extract nothing", post(junoPath+"/extract", "site", "")},
			{"jobs", get(junoPath + "/jobs")}, {"job of Boston", get(job)}, {"its log", get(job + "/file.csv")}, {"its failures", get(job + "/failed.csv")}, {"running it", post(job + "/run")},
			{"audit trail", get(junoPath + "/audit")}, {"settings", get(junoPath + "/settings")},
			{"deleting it", func(user string) int {
				if user == "dana" || user == "carla" { // who may, and who made it
					return http.StatusOK
				}
				return w.send(user, "POST", job+"/delete", formOf()).Code
			}},
		}
		words := map[int]string{200: "y", 400: "y", 409: "y", 403: "n", 404: "-"}
		want := map[string]string{
			// home numbers list csv, add; Boston Ohio level, timeline edit; writes; records; codes; bulk; upload extract; jobs; trail settings; delete
			"dana, data manager":         "yyyy y yyy yy yyyyy yyy nn y ynn yyyyy yy y",
			"emil, data entry person":    "yyyy y yyy yy yyyyy nyn nn y ynn yyyyy ny n",
			"sofia, data specialist":     "yyyy y yyy yy yyyyy nyn nn y ynn yyyyy ny n",
			"carla, CRC of Boston":       "yyyy y y-- yy yny-y nyn y- y yyy yyyyy ny y",
			"ines, investigator":         "yyyy y y-- yy yny-y nyn y- y yyy yyyyy ny n",
			"owen, CRC of Ohio":          "yyyy y -y- -- nn--- --- -y y yyy y---- ny -",
			"mona, monitor of the study": "yyyy n yyy yn nnnnn nnn nn n nnn yyynn yy n",
			"milo, monitor of Boston":    "yyyy n y-- yn nnnnn nnn nn n nnn yyynn ny n",
			"vera, viewer of the study":  "yyyy n yyy yn nnnnn nnn nn n nnn yyynn ny n",
			"viktor, viewer of Ohio":     "yyyy n -y- -n nnnn- --- nn n nnn y--nn ny -",
		}
		groups := []int{4, 1, 3, 2, 5, 3, 2, 1, 3, 5, 2, 1}
		got := map[string]string{}
		for who := range want {
			user, _, _ := strings.Cut(who, ",")
			var cells []string
			at := 0
			for _, size := range groups {
				cell := ""
				for range size {
					code := asks[at].ask(user)
					word, known := words[code]
					if !known {
						word = fmt.Sprint("(", asks[at].name, " ", code, ")")
					}
					cell += word
					at++
				}
				cells = append(cells, cell)
			}
			got[who] = strings.Join(cells, " ")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("who may do what (-want +got):\n%s", diff)
		}
	})
}

// TestNobodyWithoutASession: whoever is not signed in is sent to do so and then back; a program
// gets an error.
func TestNobodyWithoutASession(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.seed(person{identifier: "B-1", site: "BOSTON"})[0]
	for _, route := range w.pages.routes() {
		method, path, _ := strings.Cut(route.pattern, " ")
		path = strings.NewReplacer("{study}", "S_JUNO%28TEST%29", "{participant}", p.ID.String(), "{act}", "remove", "{job}", p.ID.String(), "{$}", "").Replace(path)
		var form url.Values
		if method == http.MethodPost {
			form = url.Values{}
		}
		answer := w.send("", method, path, form)
		want := "/sign-in?over=1"
		if method == http.MethodGet {
			want = "/sign-in"
			if path != "/" {
				want += "?back=" + url.QueryEscape(path)
			}
		}
		if got := answer.Header().Get("Location"); answer.Code != http.StatusSeeOther || got != want {
			t.Errorf("%s %s: %d to %q, want %q", method, path, answer.Code, got, want)
		}
		r := w.request(method, path)
		r.Header.Set("Accept", "application/json")
		if answer := w.answer(r); answer.Code != http.StatusUnauthorized || !strings.HasPrefix(answer.Body.String(), `{"message":`) {
			t.Errorf("%s %s by a program: %d %s", method, path, answer.Code, answer.Body)
		}
	}
	if w.find("B-1").Status != "available" {
		t.Error("it was removed")
	}
}

// TestForeignDataStaysAway: nothing about people of another site reaches somebody of one site,
// wherever they look.
func TestForeignDataStaysAway(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		people := w.seed(
			person{identifier: "OURS-1", site: "BOSTON", first: "Beatrice", email: "shared@example.org"},
			person{identifier: "THEIRS-1", site: "OHIO", first: "Oliver", last: "Secretson", email: "theirs@example.org", register: true, custom: map[string]string{"FavoriteColor": "Verysecret"}},
			person{identifier: "LEVEL-1", first: "Stella", last: "Secretstar"},
		)
		w.post("owen", w.pathOf(people[1])+"/edit", "city", "Secretville", "was.city", "")
		paths := []string{
			junoPath, junoPath + "/numbers", peoplePath, peoplePath + "?q=Secret", peoplePath + "?q=theirs", peoplePath + "?site=BOSTON&sort=email&cols=email,city,lastName",
			peoplePath + "?is.email=THEIRS%40example.org", junoPath + "/participants.csv?cols=email,city,lastName", "/studies", peoplePath + "/new", w.pathOf(people[0]),
		}
		for _, user := range []string{"carla", "ines", "milo"} {
			for _, path := range paths {
				answer := w.send(user, "GET", path, nil)
				wantNone(t, user+" "+path, answer.Body.String(), "THEIRS-1", "LEVEL-1", "ecretson", "ecretville", "Verysecret", "theirs@example.org", "Oliver", "Stella")
			}
			for _, path := range []string{peoplePath + "?site=OHIO", peoplePath + "?site=" + url.QueryEscape(studyLevelCode), junoPath + "/participants.csv?site=OHIO"} {
				if answer := w.send(user, "GET", path, nil); answer.Code != http.StatusBadRequest {
					t.Errorf("%s %s: %d", user, path, answer.Code)
				}
			}
		}
		// Those who may not read contact data are not told it by searching, sorting or filtering.
		for _, path := range []string{"?is.lastName=Secretson", "?sort=lastName", "?cols=email", "?field=email&value=x"} {
			if answer := w.send("mona", "GET", peoplePath+path, nil); answer.Code != http.StatusBadRequest {
				t.Errorf("mona %s: %d", path, answer.Code)
			}
		}
		for _, path := range []string{peoplePath, peoplePath + "?q=Secretson", peoplePath + "?segment=" + w.study(junoOID).Segments[0].ID.String(), junoPath + "/participants.csv", w.pathOf(people[1]), w.pathOf(people[1]) + "/timeline", junoPath} {
			wantNone(t, "mona "+path, w.get("mona", path), "value=\"Oliver", ">Secretson", "ecretville", "Verysecret", "theirs@example.org", "Oliver", "Stella", "Under 35")
		}
		if to := w.send("mona", "GET", peoplePath+"?q=theirs-1", nil).Header().Get("Location"); to != w.pathOf(people[1]) {
			t.Errorf("mona finds by identifier: %q", to)
		}
		if to := w.send("milo", "GET", peoplePath+"?q=theirs-1", nil); to.Code != http.StatusOK {
			t.Errorf("milo finds somebody of another site: %d", to.Code)
		}
	})
}

func wantNone(t *testing.T, what, text string, secrets ...string) {
	t.Helper()
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			at := strings.Index(text, secret)
			t.Errorf("%s tells %q: ...%.120s", what, secret, text[max(0, at-60):])
		}
	}
}
