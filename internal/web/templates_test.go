package web

import (
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rollcall/internal/registry"
)

// views are one view of every page, with something in every place that a template may look at.
func views(t *testing.T, p *Pages, language string) map[string][]view {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/somewhere?done=saved", nil)
	r.Header.Set("Accept-Language", language)
	f := p.newFrame(r)
	f.Title, f.User, f.Failure, f.Here = "Title", "dana", "no", "home"
	f.Study = &studyFrame{Name: "Juno", OID: "S_JUNO", URL: "/studies/S_JUNO", Status: "locked", MayAdd: true, Others: []link{{"Ceres", "/studies/S_CERES"}}}
	at := f.moment(time.Date(2026, 3, 4, 9, 5, 0, 0, time.UTC))
	fields := &form{
		Summary: []formProblem{{"email", "E-mail", "no"}, {"", "", "no"}},
		Groups: []formGroup{{"Person", []formField{
			{Key: "a", Name: "A", Kind: "text", Value: "1", Was: "0", Hint: "hint", Problem: "problem", Limit: 3, Required: true},
			{Key: "b", Name: "B", Kind: "choice", Choices: []choice{{"x", "X", true}}}, {Key: "c", Name: "C", Kind: "long", Value: "\nlines"},
			{Key: "d", Kind: "email"}, {Key: "e", Kind: "tel"}, {Key: "f", Kind: "date"}, {Key: "g", Kind: "number"},
		}}},
	}
	days := []registry.TallyDay{{Day: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), Count: 5}, {Day: time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC), Count: 7}}
	chart := newChart(days, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 16, f)
	history := timeline{More: "/more", Entries: []timelineEntry{{At: at, What: "Changed", Who: "dana", Role: "crc", Via: "api", Why: "because", Hidden: "2", Changes: []fieldChange{{"City", "a", "b"}, {"City", "a", ""}}}}}
	facts := []fact{{Name: "City", Value: "Ames"}, {Name: "At", At: at}, {Name: "By", Value: "dana", At: at}, {Name: "None"}}
	return map[string][]view{
		"sign-in": {&signInView{frame: f, Username: "dana", Back: "/", Over: true}, &signInView{frame: f}},
		"studies": {&studiesView{frame: f, Studies: []studyEntry{{"Juno", "S", "/s", "ok", []string{"crc"}}}}, &studiesView{frame: f}},
		"home": {
			&homeView{frame: f, Site: "Boston", Numbers: &numbers{Cap: &capGauge{Level: "low"}, Sites: []siteRow{{Name: "B"}}, Chart: chart}, Activity: []activity{{at, "dana", "Added", link{"A", "/a"}}}, Jobs: []jobLine{{Kind: "Bulk", File: "a.csv", Failed: 2, Rows: 1, Started: at}}},
			&homeView{frame: f, Load: "/numbers"}, &homeView{frame: f, Numbers: &numbers{}},
		},
		"participants": {
			&participantsView{frame: f, MaySearch: true, Sites: []choice{{"", "All", true}, {"B", "B", false}}, Segments: []choice{{"x", "X", true}}, Standing: []standingChoice{{"status", "Status", []choice{{"", "Any", false}, {"locked", "locked", true}}}}, Filters: []filterChip{{"City", "", "is.city", "/x"}},
				Fields: []choice{{"city", "City", false}}, Columns: []choice{{"city", "City", true}}, SortText: "city", ColumnText: "city", SizeText: "25", Total: 2, From: 1, To: 1,
				Head: []headCell{{"City", "/s", "ascending"}, {Text: "Site"}}, Rows: []participantRow{{"id", "A", "/a", "locked", []rowCell{{"City", "Ames", false}, {"Status", "locked", true}, {"None", "", false}}}},
				Pages: []pageLink{{"1", "", "Page 1"}, {"…", "", ""}, {"2", "/2", "Page 2"}}, Sizes: []pageLink{{"25", "", ""}, {"50", "/50", ""}}, CSV: "/csv", Add: "/new", Select: "/selected", Actions: []choice{{"invite", "Invite", false}}, Clear: "/all"},
			&participantsView{frame: f}, &participantsView{frame: f, Add: "/new"}, &participantsView{frame: f, Clear: "/all"},
		},
		"participant": {
			&participantView{frame: f, Identifier: "A", Standing: badge{"locked", "locked"}, Record: facts, Groups: []factGroup{{"Person", facts}, {"Contact", nil}}, Hidden: true, Custom: facts,
				Segments: []segmentFact{{"Under 35", "/s", at}}, Code: &codeBox{"/code", "abc"}, Edit: "/edit", Acts: []actOffer{{"Lock", "/lock", true, true}, {"Invite", "/invite", false, false}}, Timeline: history, List: "/"},
			&participantView{frame: f, Code: &codeBox{URL: "/code"}},
		},
		"timeline": {&timelineView{frame: f, Identifier: "A", Back: "/a", Timeline: history}, &timelineView{frame: f}},
		"edit":     {&editView{frame: f, Identifier: "A", URL: "/edit", Back: "/a", Form: fields}},
		"add":      {&addView{frame: f, URL: "/people", Back: "/people", Form: fields, Generated: true, MayRegister: true, Register: true, Invite: true}},
		"act":      {&actView{frame: f, Act: "move", Identifier: "A", URL: "/move", Back: "/a", Danger: true, Typed: true, Sites: []choice{{"B", "B", true}}, Reason: "r", Problem: "p"}, &actView{frame: f}},
		"selected": {
			&selectedView{frame: f, Act: "remove", People: []selectedPerson{{"id", "A", "/a", "", false}}, Danger: true},
			&selectedView{frame: f, Act: "remove", Done: true, People: []selectedPerson{{"id", "A", "/a", "done", false}, {"id", "B", "/b", "no", true}}}, &selectedView{frame: f},
		},
		"upload":  {&uploadView{frame: f, URL: "/upload", Sites: []choice{{"B", "B", true}}, MayRegister: true, Register: true, Problem: "p"}, &uploadView{frame: f}},
		"extract": {&extractView{frame: f, Sites: []choice{{"B", "B", true}, {"O", "O", false}}, MayRegister: true, Problem: "p"}, &extractView{frame: f}},
		"jobs":    {&jobsView{frame: f, Running: true, Jobs: []jobRow{{Source: "a.csv", Percent: 5, Failed: 1, Start: at}, {Percent: -1, End: at, State: badge{"removed", "failed"}}}}, &jobsView{frame: f}},
		"job": {
			&jobView{frame: f, jobRow: jobRow{Source: "a.csv", Start: at, End: at}, Error: "e", Preview: true, Ignored: []string{"a", "b"}, Counts: []countLink{{"1 failed", "/x", "failed", 1, true}, {"1 add", "/y", "add", 1, false}},
				Log: &logTable{Head: []string{"a"}, Lines: []logLine{{Row: 1, Code: "c", Outcome: badge{"removed", "fails"}, Cells: []logCell{{"a", "b", "c", true}, {"a", "b", "", true}, {"a", "b", "", false}}}}, Pages: []pageLink{{"1", "", "Page 1"}, {"2", "/2", "Page 2"}}},
				Run: "/run", Download: "/d", Failures: "/f", Delete: "/x", Again: "/again"},
			&jobView{frame: f, Running: true, Preview: true}, &jobView{frame: f, Preview: true, Gone: true, Log: &logTable{}}, &jobView{frame: f, Preview: true},
		},
		"api-docs": {&apiDocsView{frame: f, APIs: []apiDoc{{"a", "A", "s", "d", "/a.yaml", []string{"/x", "/y"}, []apiOperation{{"a-x", "GET", "/x", "s", "d", []apiParameter{{"p", "query", "d", true}}, []string{"text/csv", "a/b"}, []apiAnswer{{"200", "ok"}}}}}}}},
		"audit": {
			&auditView{frame: f, URL: "/audit", Actions: []choice{{"a", "A", true}}, Events: []auditLine{{history.Entries[0], 5, "A", "/a", "r"}, {About: "S"}, {}}, Older: "/o", Newest: "/n", Searching: true, Checked: "c", Broken: "b"},
			&auditView{frame: f, MayRead: true}, &auditView{frame: f, Searching: true},
		},
		"settings": {
			&settingsView{frame: f, Facts: facts, Sites: []siteFact{{"B", "B", "S_B", badge{"available", "available"}, true}}, Fields: facts, Segments: []segmentCount{{"Under 35", "age < 35", "/s", 3}}, People: []personRoles{{"dana", []string{"crc", "viewer"}}}},
			&settingsView{frame: f},
		},
		"fault": {&faultView{frame: f, Status: 500, What: "w", Do: "d", Back: link{"t", "/"}, RequestID: "r", Retry: 5}, &faultView{frame: f}},
	}
}

// scriptParts are the parts of pages that a script asks for.
var scriptParts = map[string]string{"home": "numbers", "timeline": "entries", "fault": "fault"}

// TestTemplates executes every template with its view in every language: a place that a view does
// not have, a text or a file that is missing fails it.
func TestTemplates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, language := range w.pages.templates.texts.languages() {
		all := views(t, w.pages, language)
		for name, page := range w.pages.templates.pages[language] {
			if len(all[name]) == 0 {
				t.Errorf("the test has no view of the page %s", name)
			}
			for i, v := range all[name] {
				var out strings.Builder
				if err := page.ExecuteTemplate(&out, wholePage, v); err != nil {
					t.Errorf("%s, view %d, in %s: %v", name, i, language, err)
				}
				if text := out.String(); strings.Contains(text, "%!") || strings.Contains(text, "ZgotmplZ") || !strings.Contains(text, `<html lang="`+language+`"`) {
					t.Errorf("%s, view %d, in %s: %s", name, i, language, text)
				}
			}
			if part, ok := scriptParts[name]; ok {
				if err := page.ExecuteTemplate(io.Discard, part, all[name][0]); err != nil {
					t.Errorf("%s, part %s: %v", name, part, err)
				}
			}
		}
		for name := range all {
			if w.pages.templates.pages[language][name] == nil {
				t.Errorf("there is no page %s", name)
			}
		}
	}
}
