package web

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/registry"
)

var eventNumber = regexp.MustCompile(`no\. (\d+)`)

// TestAudit: the trail is found by person, participant, kind and day, and tells values to those
// alone who read contact data.
func TestAudit(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		before := len(eventNumber.FindAllString(w.get("dana", junoPath+"/audit"), -1)) // what made the study
		people := w.seed(person{identifier: "A-1", site: "BOSTON", first: "Ada"}, person{identifier: "A-2", site: "OHIO"})
		w.advance(24 * time.Hour)
		w.post("carla", w.pathOf(people[0])+"/edit", "city", "Ames", "was.city", "")
		w.post("dana", w.pathOf(people[1])+"/lock", "reason", "Looks odd")
		audit := junoPath + "/audit"
		for query, want := range map[string]int{
			"": 4, "?actor=carla": 1, "?actor=nobody": 0, "?participant=a-1": 2, "?participant=A-9": 0, "?action=participant+added": 2, "?action=participant+locked&actor=dana": 1,
			"?from=2026-03-05": 2, "?to=2026-03-04": 2, "?from=2026-03-04&to=2026-03-04": 2, "?from=2026-03-06": 0, "?participant=A-1&actor=carla&action=participant+updated": 1,
		} {
			page := w.get("dana", audit+query)
			found := len(eventNumber.FindAllString(page, -1))
			if query == "" || strings.HasPrefix(query, "?to") || strings.HasPrefix(query, "?from=2026-03-04") {
				found -= before
			}
			if found != want {
				t.Errorf("%s: %d events, want %d", query, found, want)
			}
		}
		page := w.get("dana", audit)
		for _, want := range []string{"Ames", "Looks odd", `<a href="` + w.pathOf(people[0]) + `"><bdi>A-1</bdi></a>`, "carla, coordinator (CRC), through the browser"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page lacks %s", want)
			}
		}
		if page := w.get("dana", audit+"?check=yes"); !strings.Contains(page, "without a gap") || !strings.Contains(page, `role="status"`) {
			t.Error("the check says nothing")
		}
		monitors := w.get("mona", audit)
		if wantNone(t, "a monitor's page", monitors, "Ames", ">Ada<"); !strings.Contains(monitors, "1 changed value that your role does not see") {
			t.Error("a monitor is not told that there is more")
		}
		for _, query := range []string{"?action=flying", "?from=yesterday", "?to=2026-13-01", "?before=x", "?before=0"} {
			if answer := w.send("dana", "GET", audit+query, nil); answer.Code != http.StatusBadRequest {
				t.Errorf("%s: %d", query, answer.Code)
			}
		}
	})
}

// TestAuditPages: every event is on one page, once.
func TestAuditPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var changes []registry.Change
	for range 2*auditPage + 3 {
		changes = append(changes, w.staffAdds("", w.study("S_CERES(TEST)").Sites[0].ID))
	}
	_, err := w.registry.Apply(t.Context(), w.study("S_CERES(TEST)").ID, changes...)
	w.must(err)
	older := regexp.MustCompile(`href="([^"]*before=[^"]*)">Show earlier`)
	seen := map[string]int{}
	for path := "/studies/S_CERES%28TEST%29/audit?action=participant+added"; path != ""; {
		page := w.get("dana", path)
		for _, m := range eventNumber.FindAllStringSubmatch(page, -1) {
			seen[m[1]]++
		}
		path = ""
		if m := older.FindStringSubmatch(page); m != nil {
			path = html.UnescapeString(m[1])
		}
	}
	most := 0
	for _, n := range seen {
		most = max(most, n)
	}
	if len(seen) != len(changes) || most != 1 {
		t.Errorf("%d events of %d, one of them %d times", len(seen), len(changes), most)
	}
}

// TestSettings shows what the study is, and to whom it may who is in it.
func TestSettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.village()
	shows := map[string][]string{}
	for _, user := range []string{"dana", "emil", "carla", "vera"} {
		page := w.get(user, junoPath+"/settings")
		for _, what := range []string{"Boston General", "Ohio Valley Clinic", "FavoriteColor", "age &lt; 35", "3 participants", "viktor"} {
			if strings.Contains(page, what) {
				shows[user] = append(shows[user], what)
			}
		}
	}
	want := map[string][]string{
		"dana":  {"Boston General", "Ohio Valley Clinic", "FavoriteColor", "age &lt; 35", "3 participants", "viktor"},
		"emil":  {"Boston General", "Ohio Valley Clinic", "FavoriteColor", "age &lt; 35", "3 participants"},
		"carla": {"Boston General", "FavoriteColor"},
		"vera":  {"Boston General", "Ohio Valley Clinic", "FavoriteColor"},
	}
	if diff := cmp.Diff(want, shows); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
