package openclinica

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/access"
)

// TestRolesAndEndpoints holds who may do what: every role against every endpoint. The users
// hold their role in the study Juno or at its site Boston; owen is a CRC of another site, nora
// holds none.
func TestRolesAndEndpoints(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		contentType, file := form("people.csv", "ParticipantID\nP-1\n")
		if answer := w.send("dana", "POST", boston+"/participants", jsonType, `{"subjectKey":"P-1"}`); answer.Code != http.StatusOK {
			t.Fatal(answer.Body)
		}
		endpoints := []struct{ name, method, path, contentType, body string }{
			{"add", "POST", boston + "/participants", jsonType, `{"subjectKey":"P-1"}`},
			{"add study level", "POST", juno + "/participants", jsonType, `{"subjectKey":"P-2"}`},
			{"bulk", "POST", boston + "/participants/bulk", contentType, file},
			{"extract", "POST", boston + "/participants/extractParticipantsInfo", "", ""},
			{"list site", "GET", boston + "/participants", "", ""},
			{"list study", "GET", juno + "/participants", "", ""},
			{"read one", "GET", boston + "/participant?participantID=P-1", "", ""},
			{"site jobs", "GET", strings.Replace(boston, "/clinicaldata", "", 1) + "/jobs", "", ""},
			{"study jobs", "GET", strings.Replace(juno, "/clinicaldata", "", 1) + "/jobs", "", ""},
		}
		words := map[string]string{"200": "yes", "400 noRoleSetUp": "no role", "400 noSufficientPrivileges": "no"}
		want := map[string]string{
			//                 add, study level, bulk, extract, list site, list study, read one, site jobs, study jobs
			"dana, data manager":           "yes, yes, yes, no, yes, yes, yes, yes, yes",
			"emil, data entry person":      "yes, yes, yes, no, yes, yes, yes, yes, yes",
			"sofia, data specialist":       "yes, yes, yes, no, yes, yes, yes, yes, yes",
			"mona, monitor of the study":   "no, no, no, no, no, no, no, yes, yes",
			"vera, viewer of the study":    "no, no, no, no, no, no, no, yes, yes",
			"carla, CRC":                   "yes, no role, yes, yes, yes, no role, yes, yes, no role",
			"ines, investigator":           "yes, no role, yes, yes, yes, no role, yes, yes, no role",
			"milo, monitor of the site":    "no, no role, no, no, no, no role, no, yes, no role",
			"viktor, viewer of the site":   "no, no role, no, no, no, no role, no, yes, no role",
			"owen, CRC of another site":    "no role, no role, no role, no role, no role, no role, no role, no role, no role",
			"nora, who holds no role here": "no role, no role, no role, no role, no role, no role, no role, no role, no role",
		}
		got := map[string]string{}
		for who := range want {
			user, _, _ := strings.Cut(who, ",")
			var cells []string
			for _, e := range endpoints {
				answer := errorAnswer(w.send(user, e.method, e.path, e.contentType, e.body))
				if word, ok := words[answer]; ok {
					answer = word
				}
				cells = append(cells, answer)
			}
			got[who] = strings.Join(cells, ", ")
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("who may do what (-want +got):\n%s", diff)
		}
	})
}

// someoneElse believes that everybody is the principal.
type someoneElse struct{ access.Principal }

func (s someoneElse) Authenticate(context.Context, string) (*access.Principal, error) {
	return &s.Principal, nil
}

func (someoneElse) SignIn(context.Context, string, string, string) (string, error) { return "", nil }

// A service account holds no roles in this dialect, and one that is called what a user is
// called does not own that user's jobs.
func TestServiceAccountsMayNothing(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		job := w.upload(boston, "", "ParticipantID\nP-1\n")
		w.api.auth = someoneElse{access.Principal{Name: "dana", Service: true}}
		for _, tt := range []struct{ method, path, want string }{
			{"GET", jobPaths + job, "403 noSufficientPrivileges"},
			{"DELETE", jobPaths + job, "403 noSufficientPrivileges"},
			{"GET", jobPaths + job + "/downloadFile", "403 noSufficientPrivileges"},
			{"GET", boston + "/participants", "400 noRoleSetUp"},
			{"POST", boston + "/participants", "400 noRoleSetUp"},
		} {
			if got := errorAnswer(w.send("dana", tt.method, tt.path, "", "")); got != tt.want {
				t.Errorf("%s %s: %s, want %s", tt.method, tt.path, got, tt.want)
			}
		}
	})
}

// Who no longer holds a role that may see a job's file does not get it, submitter or not.
func TestDownloadNeedsTheRoleStill(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		answer := w.send("carla", "POST", boston+"/participants/extractParticipantsInfo", "", "")
		job := strings.TrimPrefix(answer.Body.String(), "job uuid: ")
		w.runJobs()
		w.download("carla", job)
		boston := w.study("S_JUNO(PROD)").Sites[0]
		for _, tt := range []struct {
			name   string
			grants []access.Grant
			want   string
		}{
			{"monitor now", []access.Grant{{Study: boston.Study, Site: boston.ID, Role: access.Monitor}}, "403 noSufficientPrivileges"},
			{"nothing now", nil, "403 noRoleSetUp"},
		} {
			w.api.auth = someoneElse{access.Principal{Name: "carla", Grants: tt.grants}}
			if got := errorAnswer(w.send("carla", "GET", jobPaths+job+"/downloadFile", "", "")); got != tt.want {
				t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
			}
		}
	})
}

// TestReadingIsRemembered holds which reads and requests leave an audit event.
func TestReadingIsRemembered(t *testing.T) {
	t.Parallel()
	inWorlds(t, func(t *testing.T, w *world) {
		w.send("dana", "POST", boston+"/participants?register=y", jsonType, `{"subjectKey":"P-1"}`)
		w.send("dana", "POST", boston+"/participants", jsonType, `{"subjectKey":"P-2"}`)
		w.send("carla", "GET", boston+"/participant?participantID=P-1", "", "")
		w.send("dana", "GET", boston+"/participant?participantID=P-1&includeParticipateInfo=y", "", "")
		before := len(w.events())
		w.send("carla", "GET", boston+"/participant?participantID=P-1&includeParticipateInfo=y", "", "")
		w.extract("carla", boston, "")
		w.extract("carla", boston, "?register=y")
		w.send("dana", "DELETE", jobPaths+w.upload(boston, "", "ParticipantID\nP-3\n"), "", "")
		want := []string{
			"carla (crc) access code read P-1",
			"carla (crc) extract requested S_BOSTON(PROD)", "carla (crc) extract downloaded job",
			"carla (crc) extract requested S_BOSTON(PROD)", "carla (crc) access code read P-1", "carla (crc) extract downloaded job",
			"dana (data manager) bulk submitted S_BOSTON(PROD)", "dana (data manager) job deleted job",
		}
		if diff := cmp.Diff(want, w.events()[before:]); diff != "" {
			t.Errorf("audit events (-want +got):\n%s", diff)
		}
	})
}
