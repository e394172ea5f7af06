package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/audit"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// TestHome: the numbers are there once they have been counted, are counted anew when something has
// changed, and are those of the reader's places.
func TestHome(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		people := w.village()
		w.post("dana", w.pathOf(people[2])+"/withdraw")
		page := w.get("dana", junoPath)
		if !strings.Contains(page, `hx-get="`+junoPath+`/numbers" hx-trigger="load"`) || strings.Contains(page, `class="tile"`) {
			t.Error("the first page does not load its numbers")
		}
		whole := `<span class="figure">3</span> in the study`
		if page := w.get("dana", junoPath+"/numbers"); !strings.Contains(page, "<html") || !strings.Contains(page, whole) {
			t.Errorf("without a script: %s", page)
		}
		if page := w.get("dana", junoPath); !strings.Contains(page, whole) || strings.Contains(page, "hx-trigger") || !strings.Contains(page, "3 of 5,000,000 expected") {
			t.Errorf("counted: %s", page)
		}
		part := w.request("GET", junoPath+"/numbers")
		part.Header.Set("Hx-Request", "true")
		part.AddCookie(&http.Cookie{Name: sessionCookie, Value: w.session("carla")})
		text := w.answer(part).Body.String()
		if strings.Contains(text, "<html") || !strings.Contains(text, `<span class="figure">1</span> in the study`) || strings.Contains(text, "Ohio") || strings.Contains(text, "5,000,000") {
			t.Errorf("a site's numbers: %s", text)
		}
		w.post("dana", w.pathOf(people[0])+"/remove")
		if page := w.get("dana", junoPath); !strings.Contains(page, "hx-trigger") {
			t.Error("old numbers are shown")
		}
		if page := w.get("dana", junoPath+"/numbers"); !strings.Contains(page, `<span class="figure">2</span> in the study`) {
			t.Errorf("counted again: %s", page)
		}
	})
}

// TestHomeActivity gathers what one request has done, and shows jobs that have not ended.
func TestHomeActivity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var changes []registry.Change
	for _, identifier := range []string{"A-1", "A-2", "A-3"} {
		c := w.staffAdds(identifier, w.study(junoOID).Sites[0].ID)
		c.Origin.RequestID = "job-1"
		changes = append(changes, c)
	}
	_, err := w.registry.Apply(t.Context(), w.study(junoOID).ID, changes...)
	w.must(err)
	job := &jobs.Job{Kind: "BULK_ADD_PARTICIPANTS", Study: w.study(junoOID).ID, Site: w.study(junoOID).Sites[0].ID, SubmittedBy: "emil", SourceFile: "people.csv", State: jobs.Queued, CreatedAt: w.clock(), UpdatedAt: w.clock()}
	job.ID[0] = 1
	w.must(w.db.CreateJob(t.Context(), job, []audit.Event{{Origin: audit.Origin{Actor: "emil"}, Action: audit.BulkSubmitted, Identifier: "x"}}))
	for user, sees := range map[string]bool{"dana": true, "carla": true, "vera": true, "owen": false} {
		page := w.get(user, junoPath)
		if strings.Contains(page, "people.csv") != sees || strings.Contains(page, "3 times: Added") != sees {
			t.Errorf("%s: the page is %s", user, page)
		}
		if strings.Contains(page, "Bulk upload submitted") != (user == "dana" || user == "vera") {
			t.Errorf("%s: the study's own events", user)
		}
	}
}

func TestChart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	f := w.pages.newFrame(w.request("GET", "/"))
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	if newChart(nil, day(1), 0, f) != nil {
		t.Error("a chart of nothing")
	}
	c := newChart([]registry.TallyDay{{Day: day(1), Count: 2}, {Day: day(1), Site: 2, Count: 1}, {Day: day(3), Count: 4}}, day(5), 8, f)
	if c.Line != "M68.0 133.5L228.0 133.5L388.0 39.5L548.0 39.5L708.0 39.5" || c.Total != 7 || c.Cap == nil || c.Cap.At != plotTop {
		t.Errorf("%+v", c)
	}
	if diff := cmp.Diff([]monthRow{{"2026-01", 7, 7}}, c.Months); diff != "" {
		t.Error(diff)
	}
	for _, now := range []time.Time{day(1), day(1).Add(-48 * time.Hour)} { // one day, and a clock that is behind
		if c := newChart([]registry.TallyDay{{Day: day(1), Count: 1}}, now, 0, f); c.Line != "M68.0 204.0L708.0 157.0" {
			t.Errorf("one day: %s", c.Line)
		}
	}
	for n, want := range map[int]int{1: 4, 4: 4, 5: 8, 9: 20, 10: 20, 60: 60, 61: 80, 100: 100, 101: 200, 999: 1000, 1_000_000: 1_000_000, 1_000_001: 2_000_000} {
		if got := niceTop(n); got != want {
			t.Errorf("top of %d: %d, want %d", n, got, want)
		}
	}
}

// TestReader: a reader gets their language, and times in their zone with its name.
func TestReader(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	p := w.village()[0]
	r := w.request("GET", w.pathOf(p))
	r.Header.Set("Accept-Language", "de-DE")
	r.AddCookie(&http.Cookie{Name: sessionCookie, Value: w.session("dana")})
	r.AddCookie(&http.Cookie{Name: zoneCookie, Value: "Europe%2FBerlin"})
	page := w.answer(r).Body.String()
	for _, want := range []string{`<html lang="de"`, "Eingeschlossen", `<time datetime="2026-03-04T09:05:00Z" title="04.03.2026, 10:05:00 CET (&#43;01:00)">04.03.2026, 10:05 CET</time>`, "Teilnehmende"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	for _, zone := range []string{"", "Nowhere/None", "Local", "..%2F..%2Fetc%2Fpasswd", "%zz", strings.Repeat("x", 99)} {
		r := w.request("GET", "/")
		r.AddCookie(&http.Cookie{Name: zoneCookie, Value: zone})
		if got := zoneOf(r); got != time.UTC {
			t.Errorf("%q: %s", zone, got)
		}
	}
}

// TestFaultPages: what went wrong is a page to a browser, a part to its script, and JSON to a
// program; its cause is in none of them.
func TestFaultPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for path, want := range map[string]struct {
		code int
		says string
	}{
		"/studies/S_NOWHERE":              {404, "There is no such study, or you hold no role in it."},
		"/studies/S_CERES%28TEST%29":      {404, "There is no such study"}, // owen holds no role there
		peoplePath + "/nonsense":          {404, "There is no such participant"},
		peoplePath + "/selected":          {404, "There is no such participant"},
		"/studies/S_JUNO%28TEST%29/other": {404, "There is no such page."},
		"/sign-out":                       {405, "This address is not for opening directly."},
	} {
		answer := w.send("owen", "GET", path, nil)
		if answer.Code != want.code || !strings.Contains(answer.Body.String(), want.says) {
			t.Errorf("%s: %d, lacks %q", path, answer.Code, want.says)
		}
	}
	w.must(w.db.Close())
	r := w.request("GET", peoplePath)
	r.AddCookie(&http.Cookie{Name: sessionCookie, Value: "x"})
	for _, kind := range []string{"text/html", "application/json"} {
		r.Header.Set("Accept", kind)
		answer := w.answer(r)
		if answer.Code < 500 || strings.Contains(answer.Body.String(), "sql") || strings.Contains(answer.Body.String(), "closed") {
			t.Errorf("%s: %d %s", kind, answer.Code, answer.Body)
		}
	}
	r.Header.Set("Hx-Request", "true")
	if answer := w.answer(r); answer.Header().Get("Hx-Retarget") != "#problem" || strings.Contains(answer.Body.String(), "<html") {
		t.Errorf("to a script: %v %s", answer.Header(), answer.Body)
	}
}
