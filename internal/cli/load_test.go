//go:build unix

package cli_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/store"
	"rollcall/internal/store/trail"
)

// sharing makes a registry of a study file in a database, for nodes whose address of it may be
// another one.
func sharing(t *testing.T, study, database, address string) *cluster {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := access.PublicKeyPEM(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	c := &cluster{place: emptyPlace(t), shared: []string{"--database-url", address}, key: key}
	file := filepath.Join(c.dir, "juno.yaml")
	for path, text := range map[string]string{file: study, filepath.Join(c.dir, "key.pem"): public} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.run("apply", "-f", file, "--database-url", database)
	c.token = strings.TrimSpace(c.run("token", "--user", "dana", "--database-url", database))
	return c
}

// reply is what came of a request. An error is one of the connection.
type reply struct {
	status int
	header http.Header
	body   []byte
	err    error
}

// try sends a request from any goroutine and while anything may fail.
func (n *node) try(method, path, contentType, body string) reply {
	req, err := http.NewRequestWithContext(n.t.Context(), method, n.base+path, strings.NewReader(body))
	if err != nil {
		return reply{err: err}
	}
	req.Header.Set("Authorization", "Bearer "+n.token)
	req.Header.Set("Content-Type", contentType)
	resp, err := n.client.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, text, err}
}

// field is a text in the body, "" if there is none.
func (r reply) field(name string) string {
	var body map[string]any
	if json.Unmarshal(r.body, &body) != nil {
		return ""
	}
	text, _ := body[name].(string)
	return text
}

// away tells whether the reply is the one that says to try again later, in the words of the
// address that was asked.
func (r reply) away(path string) bool {
	after, err := strconv.Atoi(r.header.Get("Retry-After"))
	if r.status != http.StatusServiceUnavailable || err != nil || after < 1 ||
		!strings.HasPrefix(r.header.Get("Content-Type"), "application/json") {
		return false
	}
	switch {
	case strings.HasPrefix(path, "/identityserver/"):
		return r.field("error") != "" && r.field("access_token") == ""
	case strings.HasPrefix(path, "/pages/"), strings.HasPrefix(path, "/user-service/"):
		return r.field("message") == "errorCode.serviceUnavailable" && strings.Contains(string(r.body), `"params":`)
	default:
		return r.field("message") != ""
	}
}

// load is what clients of both dialects do all the time, and what they were told.
type load struct {
	*cluster
	clinic  *node // the node for a client of OpenClinica's API
	project *node // and for one of MyDataHelps'
	quit    chan struct{}
	stop    func() // waits until the clients have stopped
	group   sync.WaitGroup

	mu     sync.Mutex
	wrong  int             // how many answers were neither right nor to try again later
	there  map[string]bool // by identifier: it was acknowledged
	barred map[string]bool // by identifier: it was refused
	away   int             // how often a client was told to try again later
	right  int             // how often a client got what it wanted
}

// clients is how many clients of each sort there are.
const clients = 3

func (c *cluster) load(n *node) *load {
	l := &load{
		cluster: c, clinic: n, project: c.service(n, firstAccount), quit: make(chan struct{}),
		there: map[string]bool{}, barred: map[string]bool{},
	}
	l.stop = sync.OnceFunc(func() {
		close(l.quit)
		l.group.Wait()
	})
	c.t.Cleanup(l.stop)
	for i := range clients {
		l.group.Go(l.forever(fmt.Sprintf("C%d-", i), l.addClinic))
		l.group.Go(l.forever(fmt.Sprintf("M%d-", i), l.addProject))
	}
	l.group.Go(l.forever("", l.list))
	l.group.Go(l.forever("", l.signsIn))
	return l
}

func (l *load) forever(prefix string, do func(name string)) func() {
	return func() {
		for i := 0; ; i++ {
			select {
			case <-l.quit:
				return
			case <-time.After(2 * time.Millisecond): // clients that leave the processor to others
				do(fmt.Sprintf("%s%05d", prefix, i))
			}
		}
	}
}

// ask sends a request until it gets another answer than to try again later, and tells whether it
// had to try again. Status is the only right answer. The zero reply is that of a load that ends.
func (l *load) ask(n *node, method, path, contentType, body string, status int) (r reply, again bool) {
	for {
		r = n.try(method, path, contentType, body)
		l.mu.Lock()
		switch {
		case r.err == nil && r.status == status:
			l.right++
			l.mu.Unlock()
			return r, again
		case r.err == nil && r.away(path):
			l.away++
		default:
			l.mu.Unlock()
			l.complain("%s %s: %d %v %.300s (%v), want %d or to try again later", method, path, r.status, r.header, r.body, r.err, status)
			return reply{}, again
		}
		l.mu.Unlock()
		again = true
		select {
		case <-l.quit:
			return reply{}, again
		case <-time.After(10 * time.Millisecond): // much sooner than it was told
		}
	}
}

// complain is for the clients' goroutines: the first few wrong answers are shown.
func (l *load) complain(format string, args ...any) {
	if l.t.Context().Err() != nil { // the test has failed and cuts them off
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.wrong++; l.wrong <= 5 {
		l.t.Errorf(format, args...)
	}
}

func (l *load) tell(told map[string]bool, name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	told[name] = true
}

// counts are how many were acknowledged, and how often clients were told to try again later.
func (l *load) counts() (there, away int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.there), l.away
}

const jsonType = "application/json"

// addClinic adds a participant through OpenClinica's API, fails to add another, and reads the
// first one.
func (l *load) addClinic(name string) {
	person := fmt.Sprintf(`{"subjectKey":%q,"firstName":"Secretname","emailAddress":"%s@example.org"}`, name, name)
	r, _ := l.ask(l.clinic, "POST", sitePath, jsonType, person, http.StatusOK)
	if r.status == 0 {
		return
	}
	if r.field("subjectKey") != name || r.field("status") != "AVAILABLE" {
		l.complain("%s: %s", name, r.body)
	}
	l.tell(l.there, name)
	wrong := fmt.Sprintf(`{"subjectKey":"X%s","emailAddress":"nowhere"}`, name)
	if r, _ := l.ask(l.clinic, "POST", sitePath, jsonType, wrong, http.StatusBadRequest); r.status != 0 {
		l.tell(l.barred, "X"+name)
	}
	path := strings.TrimSuffix(sitePath, "s") + "?participantID=" + name
	if r, _ := l.ask(l.clinic, "GET", path, "", "", http.StatusOK); r.status != 0 && !strings.Contains(string(r.body), name) {
		l.complain("%s: read as %s", name, r.body)
	}
}

// addProject adds a participant through MyDataHelps' API, fails to add another with the same
// e-mail address, and reads the first one.
func (l *load) addProject(name string) {
	person := `{"participantIdentifier":%q,"demographics":{"lastName":"Secretname","email":"%s@example.org"}}`
	r, again := l.ask(l.project, "PUT", projectPath, jsonType, fmt.Sprintf(person, name, name), http.StatusOK)
	if r.status == 0 {
		return
	}
	if did := r.field("actionTaken"); did != "add" && (did != "none" || !again) {
		l.complain("%s: %s", name, r.body)
	}
	l.tell(l.there, name)
	if r, _ := l.ask(l.project, "PUT", projectPath, jsonType, fmt.Sprintf(person, "X"+name, name), http.StatusConflict); r.status != 0 {
		l.tell(l.barred, "X"+name)
	}
	if r, _ := l.ask(l.project, "GET", projectPath+"/"+name, "", "", http.StatusOK); r.status != 0 && r.field("participantIdentifier") != name {
		l.complain("%s: read as %s", name, r.body)
	}
}

// list checks that everybody who was acknowledged is counted.
func (l *load) list(string) {
	there, _ := l.counts()
	r, _ := l.ask(l.project, "GET", projectPath+"?pageSize=1", "", "", http.StatusOK)
	var page struct{ TotalParticipants int }
	if r.status != 0 && (json.Unmarshal(r.body, &page) != nil || page.TotalParticipants < there) {
		l.complain("%d were acknowledged, the list has %.200s", there, r.body)
	}
}

// signsIn signs a user and a service account in.
func (l *load) signsIn(string) {
	l.ask(l.clinic, "POST", "/user-service/api/oauth/token", jsonType, `{"username":"dana","password":"correct-horse"}`, http.StatusOK)
	for range 20 { // an assertion that may have been used up is not sent again
		form := url.Values{
			"scope": {"api"}, "grant_type": {"client_credentials"}, "client_assertion": {l.assertion(firstAccount)},
			"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
		}
		const path = "/identityserver/connect/token"
		r := l.clinic.try("POST", path, "application/x-www-form-urlencoded", form.Encode())
		if r.err != nil || r.status != http.StatusOK && !r.away(path) {
			l.complain("token: %d %s (%v)", r.status, r.body, r.err)
		}
	}
}

// bulk is a job of the load.
type bulk struct {
	uuid string
	ids  []string
}

// submitBulk has a job add participants.
func (l *load) submitBulk(prefix string, rows int) bulk {
	l.t.Helper()
	b := bulk{ids: make([]string, rows)}
	file := "ParticipantID,firstName,emailAddress\n"
	for i := range b.ids {
		b.ids[i] = fmt.Sprintf("%s-%05d", prefix, i)
		file += fmt.Sprintf("%s,Secretname,%s@example.org\n", b.ids[i], b.ids[i])
	}
	b.uuid = l.clinic.submit([]byte(file))
	return b
}

// progress asks for the job; the zero state is that of a database that is away.
func (l *load) progress(b bulk) (state jobState) {
	path := "/pages/auth/api/jobs/" + b.uuid
	r := l.clinic.try("GET", path, "", "")
	if r.err != nil || !r.away(path) && (r.status != http.StatusOK || json.Unmarshal(r.body, &state) != nil) {
		l.complain("job: %d %s (%v)", r.status, r.body, r.err)
	}
	return state
}

// hasEnded tells whether the job is known to have ended.
func (l *load) hasEnded(b bulk) bool {
	state := l.progress(b)
	return state.Status != "" && state.Status != "IN_PROGRESS"
}

// checkBulk checks that the job has one line for each row in its log.
func (l *load) checkBulk(b bulk) {
	l.t.Helper()
	l.until("the job ends", func() bool { return l.hasEnded(b) })
	rows := make([]crashRow, len(b.ids))
	for i, id := range b.ids {
		rows[i] = crashRow{id: id, message: "Success"}
		l.tell(l.there, id)
	}
	checkLog(l.t, l.clinic.running, b.uuid, rows)
}

// check checks, in the database, that everybody is there who should be, once, and nobody else
// but those of whom clients do not know.
func (l *load) check(database string) {
	l.t.Helper()
	st, err := store.Open(l.t.Context(), store.Config{DatabaseURL: database})
	if err != nil {
		l.t.Fatal(err)
	}
	defer st.Close()
	catalog, err := st.Catalog(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	study := catalog.Studies()[0].ID
	people, err := st.Participants(l.t.Context(), study, nil, 0, 1_000_000)
	if err != nil {
		l.t.Fatal(err)
	}
	events, err := st.AuditEvents(l.t.Context(), trail.Filter{Study: &study, Limit: 1_000_000})
	if err != nil {
		l.t.Fatal(err)
	}
	added := map[uuid.UUID]int{}
	for _, e := range events {
		if e.Action == audit.ParticipantAdded {
			added[e.Participant]++
		}
	}
	have := map[string]int{}
	for _, p := range people {
		have[p.Identifier]++
		if l.barred[p.Identifier] || added[uuid.UUID(p.ID)] != 1 {
			l.t.Errorf("%s is there (refused: %t) and was added %d times", p.Identifier, l.barred[p.Identifier], added[uuid.UUID(p.ID)])
		}
	}
	for name := range l.there {
		if have[name] != 1 {
			l.t.Errorf("%s was acknowledged and is there %d times", name, have[name])
		}
	}
	if len(added) != len(people) {
		l.t.Errorf("%d people, and events that %d were added", len(people), len(added))
	}
	if unknown := len(people) - len(l.there); unknown < 0 || unknown > 2*clients {
		l.t.Errorf("%d are there of whom no client was told, of %d", unknown, len(people))
	}
	problems, err := st.Check(l.t.Context())
	if err != nil || len(problems) > 0 {
		l.t.Errorf("check: %q, %v", problems, err)
	}
	l.t.Logf("%d people, %d right answers, %d times away", len(people), l.right, l.away)
}

// private is what must not be in a log line: values of people, passwords, statements.
var private = regexp.MustCompile(`Secretname|@example|[CM][0-2]-0|B[a-z]+-0|correct-horse|geheim|\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE)\b|\$[1-9]`)

// checkLines checks that the nodes' log holds nothing private and no defect.
func (c *cluster) checkLines() {
	c.t.Helper()
	lines := strings.Split(c.logText(), "\n")
	if len(lines) < 100 {
		c.t.Errorf("only %d lines in the log", len(lines))
	}
	wrong := slices.DeleteFunc(lines, func(line string) bool {
		return !private.MatchString(line) && !strings.Contains(line, "panic") && !strings.Contains(line, "status=500")
	})
	for _, line := range wrong[:min(5, len(wrong))] {
		c.t.Errorf("%d such lines in the log, e.g.: %.600s", len(wrong), line)
	}
}
