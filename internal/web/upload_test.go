package web

import (
	"bytes"
	"encoding/csv"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// sendFile posts a file as the upload form does.
func (w *world) sendFile(user, site, name, content string, more ...string) *httptest.ResponseRecorder {
	w.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	w.must(form.WriteField("site", site))
	for i := 0; i < len(more); i += 2 {
		w.must(form.WriteField(more[i], more[i+1]))
	}
	if name != "" {
		part, err := form.CreateFormFile("file", name)
		w.must(err)
		_, err = part.Write([]byte(content))
		w.must(err)
	}
	w.must(form.Close())
	r := httptest.NewRequestWithContext(w.Context(), "POST", junoPath+"/upload", &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Accept", "text/html")
	r.AddCookie(&http.Cookie{Name: sessionCookie, Value: w.session(user)})
	return w.answer(r)
}

// upload uploads a file that has to be taken, and answers the address of its preview.
func (w *world) upload(user, site, name, content string, more ...string) string {
	w.Helper()
	answer := w.sendFile(user, site, name, content, more...)
	if answer.Code != http.StatusSeeOther {
		w.Fatalf("upload: %d\n%s", answer.Code, answer.Body)
	}
	return answer.Header().Get("Location")
}

const townFile = "ParticipantID,firstName,lastName,emailAddress,phoneNumber,Shoe\n" +
	"A-1,Ada,Nilsson,ada@example.org,,42\n" + // as it is
	"A-3,Zoë,Müller,zoe@example.org,,\n" + // other values
	"NEW-1,Mary,=1+1,,+1 5550001111,\n" +
	"BAD-1,=cmd,x,no address,+1 5550002222,\n" +
	"BAD-2,only two\n"

// TestUpload: a file is looked at, run, corrected and uploaded again.
func TestUpload(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		w.village()
		preview := w.upload("carla", "BOSTON", `C:\My files\people.csv`, townFile, "register", "yes")
		if page := w.get("carla", preview); !strings.Contains(page, `hx-trigger="every 1s"`) || strings.Contains(page, "/run") {
			t.Errorf("running: %s", page)
		}
		w.runJobs()
		page := w.get("carla", preview)
		for _, want := range []string{
			"people.csv", "Nothing has been written yet", "2 failed", "1 to add", "2 to update", "<bdi>Shoe</bdi>", "This is not an e-mail address.", "errorCode.malformedRecord",
			"<mark><del><bdi>müller</bdi></del>", "<ins><bdi>Müller</bdi></ins></mark>", "<mark><ins><bdi>zoe@example.org</bdi></ins></mark>", `action="` + preview + `/run"`, "<bdi>=1&#43;1</bdi>",
		} {
			if !strings.Contains(page, want) {
				t.Errorf("the preview lacks %s", want)
			}
		}
		if only := w.get("carla", preview+"?only=update"); strings.Contains(only, "BAD-1") || !strings.Contains(only, "A-3") {
			t.Error("one outcome alone")
		}
		if w.find("A-3").Details[registry.LastName] != "müller" {
			t.Error("the preview has written")
		}
		_, before := w.events(0)
		run := w.post("carla", preview+"/run")
		if answer := w.send("carla", "POST", preview+"/run", formOf()); answer.Code != http.StatusNotFound {
			t.Errorf("run twice: %d", answer.Code)
		}
		w.runJobs()
		p := w.find("NEW-1")
		if p.Details[registry.LastName] != "=1+1" || p.AccessCode == nil || p.CreatedBy != "carla" || w.find("A-3").Details[registry.LastName] != "Müller" {
			t.Errorf("%+v", p)
		}
		events, _ := w.events(before)
		if len(events) == 0 || !strings.HasPrefix(events[0], "carla (crc) through web: bulk submitted S_BOSTON(TEST)") || !strings.Contains(strings.Join(events, "\n"), "carla (crc) through web: participant added NEW-1") {
			t.Errorf("events %q", events)
		}
		page = w.get("carla", run)
		for _, want := range []string{"completed", "5 records done, 2 failed", "2 failed", "3 done", run + "/failed.csv", run + "/file.csv"} {
			if !strings.Contains(page, want) {
				t.Errorf("the log lacks %s", want)
			}
		}
		failed := readCSV(t, w.send("carla", "GET", run+"/failed.csv", nil))
		want := [][]string{
			{"ParticipantID", "firstName", "lastName", "emailAddress", "phoneNumber", "Shoe", "What is wrong"},
			{"BAD-1", "'=cmd", "x", "no address", "+1 5550002222", "", "This is not an e-mail address. It looks like name@example.org."},
			{"BAD-2", "only two", "", "", "", "", "The record cannot be read: it has too few or too many cells, or a broken quote."},
		}
		if diff := cmp.Diff(want, failed); diff != "" {
			t.Errorf("to correct (-want +got):\n%s", diff)
		}
		log := readCSV(t, w.send("carla", "GET", run+"/file.csv", nil))
		if len(log) != 6 || log[4][5] != "errorCode.invalidEmailAddress" {
			t.Errorf("log %q", log)
		}
	})
}

func readCSV(t *testing.T, answer *httptest.ResponseRecorder) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(answer.Body.String(), byteOrderMark))).ReadAll()
	if err != nil || answer.Code != http.StatusOK || !strings.HasPrefix(answer.Header().Get("Content-Disposition"), "attachment") {
		t.Fatalf("%d %v %v", answer.Code, answer.Header(), err)
	}
	return rows
}

// TestUploadFaults: what is wrong with a file is said on the form, and nothing is left of it.
func TestUploadFaults(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, test := range map[string]struct {
		user, site, file, content string
		code                      int
		says                      string
	}{
		"no site":            {"dana", "", "a.csv", "ParticipantID\nA\n", 400, "Choose a site."},
		"the study level":    {"dana", studyLevelCode, "a.csv", "ParticipantID\nA\n", 400, "Choose a site."},
		"no file":            {"dana", "BOSTON", "", "", 400, "No file was chosen."},
		"an Excel file":      {"dana", "BOSTON", "a.xlsx", "PK", 400, "This is not a CSV file."},
		"an empty file":      {"dana", "BOSTON", "a.csv", "", 400, "This is not a CSV file."},
		"no identifiers":     {"dana", "BOSTON", "a.csv", "firstName\nAda\n", 400, "The file has no column named ParticipantID."},
		"a column twice":     {"dana", "BOSTON", "a.csv", "ParticipantID,firstName,FIRSTNAME\n", 400, "The file has a column twice."},
		"another's site":     {"carla", "OHIO", "a.csv", "ParticipantID\nA\n", 403, "You hold no role there."},
		"somebody who reads": {"mona", "BOSTON", "a.csv", "ParticipantID\nA\n", 403, "Your role does not allow this."},
	} {
		answer := w.sendFile(test.user, test.site, test.file, test.content)
		if answer.Code != test.code || !strings.Contains(answer.Body.String(), test.says) {
			t.Errorf("%s: %d, lacks %q", name, answer.Code, test.says)
		}
	}
	if page := w.get("dana", junoPath+"/jobs"); !strings.Contains(page, "No file has been uploaded") {
		t.Errorf("there is a job: %s", page)
	}
	if answer := w.send("dana", "POST", junoPath+"/upload", formOf("site", "BOSTON")); answer.Code != http.StatusBadRequest {
		t.Errorf("not a form with a file: %d", answer.Code)
	}
}

// TestJobs: everybody sees the jobs of their places, and may delete their own.
func TestJobs(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		job := w.upload("emil", "OHIO", "people.csv", "ParticipantID\nO-1\n")
		if page := w.get("dana", junoPath+"/jobs"); !strings.Contains(page, `hx-trigger="every 2s"`) || !strings.Contains(page, "<progress") {
			t.Errorf("running: %s", page)
		}
		w.runJobs()
		for user, sees := range map[string]bool{"dana": true, "owen": true, "viktor": true, "mona": true, "carla": false, "milo": false} {
			if page := w.get(user, junoPath+"/jobs"); strings.Contains(page, "people.csv") != sees || strings.Contains(page, "every 2s") {
				t.Errorf("%s: %s", user, page)
			}
			want := map[bool]int{true: 200, false: 404}[sees]
			for _, path := range []string{job, job + "/file.csv"} {
				if got := w.send(user, "GET", path, nil).Code; got != want {
					t.Errorf("%s %s: %d", user, path, got)
				}
			}
		}
		if page := w.get("viktor", job); strings.Contains(page, "/run") || strings.Contains(page, "/delete") || strings.Contains(page, "<mark>") {
			t.Error("a viewer may do something")
		}
		if answer := w.send("owen", "POST", job+"/delete", formOf()); answer.Code != http.StatusForbidden {
			t.Errorf("another's: %d", answer.Code)
		}
		w.post("emil", job+"/delete")
		if answer := w.send("emil", "GET", job, nil); answer.Code != http.StatusNotFound {
			t.Errorf("deleted: %d", answer.Code)
		}
		for _, path := range []string{junoPath + "/jobs/nonsense", "/studies/S_CERES%28TEST%29/jobs" + strings.TrimPrefix(job, junoPath+"/jobs")} {
			if answer := w.send("dana", "GET", path, nil); answer.Code != http.StatusNotFound {
				t.Errorf("%s: %d", path, answer.Code)
			}
		}
		for _, query := range []string{"?only=nothing", "?page=0", "?page=x"} {
			job := w.upload("dana", "OHIO", "people.csv", "ParticipantID\nO-1\n")
			w.runJobs()
			if answer := w.send("dana", "GET", job+query, nil); answer.Code != http.StatusBadRequest {
				t.Errorf("%s: %d", query, answer.Code)
			}
		}
	})
}

// TestFileGone: a file that is no longer kept is said to be gone, wherever it was wanted.
func TestFileGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	job := w.upload("dana", "BOSTON", "people.csv", "ParticipantID,emailAddress\nA,no\nB,\n")
	w.runJobs()
	found, err := w.jobs.Jobs(t.Context(), jobFilter(w))
	w.must(err)
	what, _ := w.pages.Files.Describe(w.study(junoOID), found[0])
	w.jobs.DropUpload(t.Context(), what.Source)
	if page := w.get("dana", job); !strings.Contains(page, "The file is no longer kept.") || strings.Contains(page, "/run") || strings.Contains(page, "failed.csv") {
		t.Errorf("%s", page)
	}
	for _, answer := range []*httptest.ResponseRecorder{w.send("dana", "POST", job+"/run", formOf()), w.send("dana", "GET", job+"/failed.csv", nil)} {
		if answer.Code != http.StatusConflict {
			t.Errorf("%d %s", answer.Code, answer.Body)
		}
	}
}

// TestExtract is for the site's own people, and each download is remembered.
func TestExtract(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		p := w.seed(person{identifier: "B-1", site: "BOSTON", first: "=Ada", register: true}, person{identifier: "O-1", site: "OHIO"})[0]
		code, err := w.registry.AccessCode(p.AccessCode)
		w.must(err)
		job := w.post("carla", junoPath+"/extract", "site", "BOSTON", "codes", "yes")
		if answer := w.send("carla", "GET", job+"/file.csv", nil); answer.Code != http.StatusConflict {
			t.Errorf("not yet: %d", answer.Code)
		}
		w.runJobs()
		_, before := w.events(0)
		rows := readCSV(t, w.send("carla", "GET", job+"/file.csv", nil))
		want := [][]string{
			{"ParticipantId", "First Name", "Last Name", "Email", "Mobile", "Identifier", "Access Code", "Participate Status"},
			{"B-1", "'=Ada", "", "", "", "", code, "Created"},
		}
		if diff := cmp.Diff(want, rows); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if events, _ := w.events(before); len(events) != 1 || !strings.Contains(events[0], "carla (crc) through web: extract downloaded") {
			t.Errorf("events %q", events)
		}
		if page := w.get("dana", job); strings.Contains(page, "/file.csv") {
			t.Error("a data manager is offered the extract")
		}
		for user, want := range map[string]int{"dana": 403, "milo": 403, "owen": 404} {
			if answer := w.send(user, "GET", job+"/file.csv", nil); answer.Code != want {
				t.Errorf("%s: %d", user, answer.Code)
			}
		}
		for site, want := range map[string]int{"": 400, "NOWHERE": 400, "OHIO": 403, studyLevelCode: 400} {
			if answer := w.send("carla", "POST", junoPath+"/extract", formOf("site", site)); answer.Code != want {
				t.Errorf("of %q: %d", site, answer.Code)
			}
		}
	})
}

func TestFileNames(t *testing.T) {
	t.Parallel()
	for sent, want := range map[string]string{
		"people.csv": "people.csv", `C:\a\b.csv`: "b.csv", "/etc/x.csv": "x.csv", "..": "..", "": "", "a\x00b\n.csv": "ab.csv", "\xff.csv": "\uFFFD.csv", strings.Repeat("é", 300) + ".csv": strings.Repeat("é", 251) + ".csv",
	} {
		if got := fileName(sent); got != want {
			t.Errorf("%q: %q, want %q", sent, got, want)
		}
	}
}

func jobFilter(w *world) jobs.JobFilter { return jobs.JobFilter{Study: w.study(junoOID).ID} }
