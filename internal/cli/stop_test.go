//go:build unix

package cli_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// slowPost starts to add a participant and gives the writer of the rest of the body.
func (s *running) slowPost(identifier string) (rest *io.PipeWriter, status <-chan int) {
	s.t.Helper()
	body, rest := io.Pipe()
	answered := make(chan int, 1)
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.base+sitePath, body)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	req.Header.Set("Expect", "100-continue") // which is answered when the body is read
	reading := make(chan struct{})
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), &httptrace.ClientTrace{
		Got100Continue: func() { close(reading) },
	}))
	go func() {
		resp, err := s.client.Do(req)
		if err != nil {
			answered <- 0
			return
		}
		resp.Body.Close()
		answered <- resp.StatusCode
	}()
	select {
	case <-reading:
	case status := <-answered:
		s.t.Fatalf("the request was answered with %d before its body was sent", status)
	case <-time.After(patience):
		s.t.Fatalf("the request was not taken within %s", patience)
	}
	if _, err := io.WriteString(rest, `{"subjectKey":"`+identifier); err != nil {
		s.t.Fatal(err)
	}
	return rest, answered
}

// TestStopCutsNothing stops a server that has a request under way and a job running: the
// request is answered, the job goes on where it was when the next server starts.
func TestStopCutsNothing(t *testing.T) {
	t.Parallel()
	const rows = 20_000
	file := bytes.NewBufferString("ParticipantID\n")
	for i := range rows {
		fmt.Fprintf(file, "J-%06d\n", i)
	}
	p := newPlace(t)
	s := p.start("--shutdown-delay", "200ms")
	job := s.submit(file.Bytes())
	p.until("the job gets on", func() bool { return s.job(job).Rows > 0 })
	rest, answered := s.slowPost("SLOW-001")

	s.signal(syscall.SIGTERM)
	p.until("the server says that it stops", func() bool {
		status, _ := s.ask(http.MethodGet, "/readyz", nil, "")
		return status == http.StatusServiceUnavailable
	})
	p.until("requests are no longer taken", func() bool { return strings.Contains(p.logText(), "msg=stopping") })
	p.until("the job is handed over", func() bool { return strings.Contains(p.logText(), "job handed over") })
	if _, err := io.WriteString(rest, `"}`); err != nil {
		t.Fatal(err)
	}
	rest.Close()
	if status := <-answered; status != http.StatusOK {
		t.Errorf("the request under way was answered with %d, want 200", status)
	}
	if err := s.end(); err != nil {
		t.Fatalf("stop: %v", err)
	}

	s = p.start()
	if state := s.job(job); state.Rows == 0 || state.Rows == rows {
		t.Errorf("the job had %d rows done at the stop, want some and not all", state.Rows)
	}
	p.until("the job ends", func() bool { return s.job(job).Status != "IN_PROGRESS" })
	if got, want := s.job(job), (jobState{Status: "COMPLETED", Rows: rows}); got != want {
		t.Errorf("job: %+v, want %+v", got, want)
	}
	s.signal(os.Interrupt)
	if err := s.end(); err != nil {
		t.Fatalf("stop: %v", err)
	}
	p.run("participant", "show", "--study", "S_JUNO", "--id", "SLOW-001", "--data-dir", p.data())
}

// TestSecondSignalEndsAtOnce stops a server that waits for a request, twice.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s := p.start("--shutdown-grace", "10m", "--stall-timeout", "10m")
	rest, _ := s.slowPost("SLOW-001")
	defer rest.Close()
	s.signal(syscall.SIGTERM)
	p.until("the server says that it stops", func() bool { return strings.Contains(p.logText(), "msg=stopping") })
	select {
	case err := <-s.ended:
		t.Fatalf("the server ended before its request did: %v", err)
	default:
	}
	s.signal(syscall.SIGTERM)
	exit := (*exec.ExitError)(nil)
	if err := s.end(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
		t.Errorf("the second signal ended it with %v, want code 1", err)
	}
}
