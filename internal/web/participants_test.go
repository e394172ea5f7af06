package web

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/registry"
)

var rowIdentifier = regexp.MustCompile(`<th scope="row"><a href="[^"]*"><bdi>([^<]*)</bdi>`)

// listed are the identifiers in a list.
func listed(page string) []string {
	var all []string
	for _, m := range rowIdentifier.FindAllStringSubmatch(page, -1) {
		all = append(all, m[1])
	}
	return all
}

func (w *world) village() []*registry.Participant {
	w.Helper()
	return w.seed(
		person{identifier: "A-1", site: "BOSTON", first: "Ada", last: "Nilsson", email: "ada@example.org", custom: map[string]string{"Smoker": "10"}},
		person{identifier: "A-2", site: "OHIO", first: "Grace", last: "Allen", custom: map[string]string{"Smoker": "9"}},
		person{identifier: "A-3", site: "BOSTON", first: "Zoë", last: "müller", custom: map[string]string{"Smoker": "9", "FavoriteColor": "teal"}},
		person{identifier: "A-4", first: "Mary"},
	)
}

// TestListing: searching, narrowing down, sorting and paging, all of it by the address.
func TestListing(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		people := w.village()
		more := w.seed(person{identifier: "GONE", site: "BOSTON", last: "Gone"}, person{identifier: "LEFT", last: "Left"})
		w.post("dana", w.pathOf(more[0])+"/remove")
		w.post("dana", w.pathOf(more[1])+"/withdraw")
		w.post("dana", w.pathOf(people[3])+"/invite")
		w.post("dana", w.pathOf(people[2])+"/register")
		segment := ""
		for _, s := range w.study(junoOID).Segments {
			if s.Name == "Enrolled smokers" {
				segment = s.ID.String()
			}
		}
		for query, want := range map[string][]string{
			"":                              {"A-1", "A-2", "A-3", "A-4", "LEFT"},
			"?q=MÜLLER":                     {"A-3"},
			"?status=removed":               {"GONE"},
			"?status=withdrawn":             {"LEFT"},
			"?status=available&q=a-":        {"A-1", "A-2", "A-3", "A-4"},
			"?status=locked":                nil,
			"?invitation=pending":           {"A-4"},
			"?invitation=none&site=OHIO":    {"A-2"},
			"?participate=created":          {"A-3"},
			"?participate=none&q=A-":        {"A-1", "A-2", "A-4"},
			"?enrolled=no":                  nil,
			"?enrolled=yes&status=removed":  {"GONE"},
			"?q=a-":                         {"A-1", "A-2", "A-3", "A-4"},
			"?q=teal":                       {"A-3"},
			"?q=nobody":                     nil,
			"?site=boston":                  {"A-1", "A-3"},
			"?site=study+level":             {"A-4", "LEFT"},
			"?is.firstName=grace":           {"A-2"},
			"?is.lastName=":                 {"A-4"},
			"?is.custom.Smoker=09":          {"A-2", "A-3"},
			"?field=lastName&value=nilsson": {"A-1"},
			"?segment=" + segment:           {"A-1", "A-2", "A-3"},
			"?sort=-identifier":             {"LEFT", "A-4", "A-3", "A-2", "A-1"},
			"?sort=lastName&q=a-":           {"A-2", "A-3", "A-1", "A-4"},
			"?sort=-custom.Smoker&q=a-":     {"A-1", "A-2", "A-3", "A-4"},
			"?size=3&page=2":                {"A-4", "LEFT"},
			"?size=3&page=1&site=BOSTON":    {"A-1", "A-3"},
		} {
			if diff := cmp.Diff(want, listed(w.get("dana", peoplePath+query))); diff != "" {
				t.Errorf("%s (-want +got):\n%s", query, diff)
			}
		}
		if to := w.send("dana", "GET", peoplePath+"?size=3&page=9&sort=-identifier", nil).Header().Get("Location"); to != peoplePath+"?page=2&size=3&sort=-identifier" {
			t.Errorf("past the end leads to %q", to)
		}
		for _, query := range []string{
			"?sort=shoeSize", "?sort=site", "?cols=identifier,shoeSize", "?page=0", "?page=x", "?size=501", "?site=NOWHERE", "?segment=x", "?segment=" + people[0].ID.String(),
			"?is.status=locked", "?is.custom.Shoe=1", "?field=nothing", "?status=gone", "?enrolled=maybe", "?invitation=x", "?participate=Created", "?page=99999999999999999999",
		} {
			if answer := w.send("dana", "GET", peoplePath+query, nil); answer.Code != http.StatusBadRequest || !strings.Contains(answer.Body.String(), "The address asks for something") {
				t.Errorf("%s: %d", query, answer.Code)
			}
		}
	})
}

// TestListingKeepsItsView: what a link changes is all that it changes.
func TestListingKeepsItsView(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.village()
	page := w.get("dana", peoplePath+"?q=a-&site=BOSTON&is.city=&sort=-lastName&cols=lastName,custom.Smoker&size=25")
	for _, link := range []string{
		`href="` + peoplePath + `?cols=lastName%2Ccustom.Smoker&amp;is.city=&amp;q=a-&amp;site=BOSTON&amp;size=25&amp;sort=lastName"`,
		`href="` + junoPath + `/participants.csv?cols=lastName%2Ccustom.Smoker&amp;is.city=&amp;q=a-&amp;site=BOSTON&amp;size=25&amp;sort=-lastName"`,
		`href="` + peoplePath + `?cols=lastName%2Ccustom.Smoker&amp;q=a-&amp;site=BOSTON&amp;size=25&amp;sort=-lastName"`,
		`<th scope="col" aria-sort="descending">`, `<input type="hidden" name="is.city" value="">`,
	} {
		if !strings.Contains(page, link) {
			t.Errorf("the page lacks %s", link)
		}
	}
}

// TestDownload: the file holds what the view shows, all its pages, and nothing in it is taken for
// a formula. That contact data was downloaded is remembered.
func TestDownload(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		w.village()
		odd := w.staffAdds("ODD-1", w.study(junoOID).Sites[0].ID)
		for f, value := range oddPerson {
			odd.Edits.Set(f, value)
		}
		odd.Custom = map[string]string{"Smoker": "-5", "FavoriteColor": "＝1+1"}
		w.apply(odd)
		_, before := w.events(0)
		answer := w.send("dana", "GET", junoPath+"/participants.csv?sort=-identifier&size=2&page=2&cols=firstName,lastName,mobilePhone,custom.Smoker,custom.FavoriteColor,state,country,site,enrolled", nil)
		if answer.Code != http.StatusOK || answer.Header().Get("Content-Type") != "text/csv; charset=utf-8" ||
			answer.Header().Get("Content-Disposition") != `attachment; filename="JUNO participants 2026-03-04 0905.csv"` {
			t.Errorf("%d %v", answer.Code, answer.Header())
		}
		text, marked := strings.CutPrefix(answer.Body.String(), byteOrderMark)
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		w.must(err)
		if !marked || len(rows) != 6 {
			t.Fatalf("%d rows, marked %v", len(rows), marked)
		}
		want := [][]string{
			{"Identifier", "First name", "Last name", "Mobile phone", "State", "Country", "Site", "Enrolled", "Smoker", "FavoriteColor"},
			{"ODD-1", "<script>alert(1)</script>", `'=HYPERLINK("http://x","y")`, "'+1 5550009999", "'+1+1", "'@SUM(1)", "Boston General", "2026-03-04", "-5", "'＝1+1"},
			{"A-4", "Mary", "", "", "", "", "Study level, no site", "2026-03-04", "", ""},
		}
		if diff := cmp.Diff(want, rows[:3]); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		events, last := w.events(before)
		if diff := cmp.Diff([]string{"dana (data manager) through web: extract downloaded S_JUNO(TEST)"}, events); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		w.get("mona", junoPath+"/participants.csv")
		if events, _ := w.events(last); len(events) > 0 {
			t.Errorf("without contact data: %q", events)
		}
	})
}

// TestDownloadIsWhole: more people than are read at a time.
func TestDownloadIsWhole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var changes []registry.Change
	for i := range 2*downloadPage + 10 {
		changes = append(changes, w.staffAdds(fmt.Sprintf("P-%04d", i), w.study(junoOID).Sites[i%2].ID))
	}
	_, err := w.registry.Apply(t.Context(), w.study(junoOID).ID, changes...)
	w.must(err)
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(w.get("dana", junoPath+"/participants.csv"), byteOrderMark))).ReadAll()
	w.must(err)
	var got []string
	for _, row := range rows[1:] {
		got = append(got, row[0])
	}
	if !slices.IsSorted(got) || len(got) != len(changes) || len(slices.Compact(got)) != len(changes) {
		t.Errorf("%d rows of %d people", len(got), len(changes))
	}
}

func TestSpreadsheetSafe(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "Ada": "Ada", "1+1": "1+1", "=1": "'=1", "+1 555": "'+1 555", "-5": "-5", "-5.25": "-5.25", "+7": "+7", "-x": "'-x", "@a": "'@a", "\t=1": "'\t=1", "\r=1": "'\r=1", "\n=1": "'\n=1",
		"＝1": "'＝1", "＋1": "'＋1", "－1": "'－1", "＠1": "'＠1", "-0x1p3": "'-0x1p3", "-Inf": "'-Inf", "a=1": "a=1", "-": "'-",
	} {
		if got := spreadsheetSafe(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// TestOddValues: whatever a value holds, pages show it as text.
func TestOddValues(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	people := w.town()
	odd := w.pathOf(people[len(people)-1])
	for _, path := range []string{odd, odd + "/edit", odd + "/timeline", odd + "/remove", peoplePath + "?q=" + url.QueryEscape(`"><script>alert(1)</script>`), peoplePath + "?q=script&cols=firstName,lastName,street1,city"} {
		page := w.get("dana", path)
		wantNone(t, path, page, "<script>alert", "<img", "<b>blue")
		if path == odd && (!strings.Contains(page, "&lt;script&gt;alert(1)&lt;/script&gt;") || !strings.Contains(page, "{{.Title}}") || strings.Count(page, "👩‍👩‍👧‍👦") < 5) {
			t.Errorf("%s does not show the values", path)
		}
	}
}
