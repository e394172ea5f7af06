package cli_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// crashStudy is the study of the tests that stop and kill servers.
const crashStudy = `
studies:
  - {oid: S_JUNO, name: Juno, participate: active, sites: [{oid: S_BOSTON, code: BOSTON, name: Boston General}]}
users:
  - {username: dana, password: correct-horse, roles: [{study: S_JUNO, role: data manager}]}
`

const sitePath = "/pages/auth/api/clinicaldata/studies/S_JUNO/sites/S_BOSTON/participants"

// place is a folder with a data directory in which servers are started one after another.
type place struct {
	t     *testing.T
	dir   string
	token string
	log   *os.File // what every server in turn has written
}

// emptyPlace is a place where no registry has been made yet.
func emptyPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir()}
	var err error
	if p.log, err = os.Create(filepath.Join(p.dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.log.Close()
		if t.Failed() {
			text := p.logText()
			t.Logf("the servers' log ends with:\n%s", text[max(0, len(text)-4000):])
		}
	})
	return p
}

// newPlace is a place with a registry of crashStudy.
func newPlace(t *testing.T) *place {
	t.Helper()
	p := emptyPlace(t)
	study := filepath.Join(p.dir, "juno.yaml")
	if err := os.WriteFile(study, []byte(crashStudy), 0o600); err != nil {
		t.Fatal(err)
	}
	p.run("apply", "-f", study, "--data-dir", p.data())
	p.token = strings.TrimSpace(p.run("token", "--user", "dana", "--data-dir", p.data()))
	return p
}

func (p *place) data() string { return filepath.Join(p.dir, "data") }

func (p *place) logText() string {
	text, err := os.ReadFile(p.log.Name())
	if err != nil {
		p.t.Fatal(err)
	}
	return string(text)
}

// run runs a command that has to succeed and returns what it prints.
func (p *place) run(args ...string) string {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), "rollcall", args...)
	cmd.Stderr = p.log
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("rollcall %s: %v", strings.Join(args, " "), err)
	}
	return string(out)
}

// running is a server.
type running struct {
	*place
	cmd    *exec.Cmd
	base   string
	client *http.Client
	ended  chan error // of the process, once
}

func (p *place) start(flags ...string) *running {
	p.t.Helper()
	ready := filepath.Join(p.dir, "ready")
	if err := os.RemoveAll(ready); err != nil {
		p.t.Fatal(err)
	}
	args := append([]string{"serve", "--listen", "127.0.0.1:0", "--data-dir", p.data(), "--ready-file", ready}, flags...)
	s := &running{
		place: p, cmd: exec.CommandContext(p.t.Context(), "rollcall", args...), ended: make(chan error, 1),
		client: &http.Client{Timeout: patience, Transport: &http.Transport{ExpectContinueTimeout: patience}},
	}
	s.cmd.Stderr = p.log
	if err := s.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() { s.ended <- s.cmd.Wait() }()
	p.until("the server serves", func() bool {
		text, err := os.ReadFile(ready)
		s.base = strings.TrimSpace(string(text))
		return err == nil
	})
	return s
}

// until waits for a condition.
func (p *place) until(what string, met func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !met(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// end waits until the process has ended.
func (s *running) end() error {
	s.t.Helper()
	s.client.CloseIdleConnections()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(patience):
		s.t.Fatal("the server does not end")
		return nil
	}
}

// signal sends the process a signal.
func (s *running) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// ask sends a request and returns the answer's status and body.
func (s *running) ask(method, path string, body io.Reader, contentType string) (int, []byte) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.base+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, text
}

// submit sends a file for S_BOSTON and returns the uuid of its job.
func (s *running) submit(csv []byte) string {
	s.t.Helper()
	return s.submitTo(sitePath, csv)
}

// submitTo is submit for the participants of any site.
func (s *running) submitTo(path string, csv []byte) string {
	s.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "people.csv")
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := part.Write(csv); err != nil {
		s.t.Fatal(err)
	}
	if err := form.Close(); err != nil {
		s.t.Fatal(err)
	}
	status, text := s.ask(http.MethodPost, path+"/bulk?register=y", &body, form.FormDataContentType())
	job, ok := strings.CutPrefix(string(text), "job uuid: ")
	if status != http.StatusOK || !ok {
		s.t.Fatalf("bulk: %d %s", status, text)
	}
	return job
}

// jobState is what a server tells of a job.
type jobState struct {
	Status       string
	Rows, Failed int64
}

func (s *running) job(job string) jobState {
	s.t.Helper()
	status, text := s.ask(http.MethodGet, "/pages/auth/api/jobs/"+job, nil, "")
	var state jobState
	if status != http.StatusOK || json.Unmarshal(text, &state) != nil {
		s.t.Fatalf("job: %d %s", status, text)
	}
	return state
}
