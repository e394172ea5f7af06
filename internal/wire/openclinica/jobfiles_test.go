package openclinica

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/jobs"
	"rollcall/internal/store/enginetest"
)

// awayFiles is a store of files that cannot be reached, or has lost them.
type awayFiles struct {
	jobs.Files
	err error // of opening; nil: none
}

func (a *awayFiles) Open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	if a.err != nil {
		return nil, a.err
	}
	return a.Files.Open(ctx, key)
}

// A file that cannot be read is an error, not the beginning of a file.
func TestFileThatCannotBeRead(t *testing.T) {
	t.Parallel()
	away := &awayFiles{}
	w := newWorld(t, func(c *jobs.Config) { away.Files, c.Files = c.Files, away })
	job := w.upload(boston, "", "ParticipantID\nA\n")
	w.runJobs()
	for _, tt := range []struct {
		err  error
		want string
	}{
		{fault.New(fault.Unavailable, "", "away"), "503 serviceUnavailable"},
		{fault.New(fault.NotFound, "", "gone"), "404 noLogFileFound"},
	} {
		away.err = tt.err
		answer := w.send("dana", "GET", jobPaths+job+"/downloadFile", "", "")
		if got := errorAnswer(answer); got != tt.want || answer.Header().Get("Content-Disposition") != "" {
			t.Errorf("%v: %s, %v; want %s", tt.err, got, answer.Header(), tt.want)
		}
	}
	away.err = nil
	wantLog(t, w.download("dana", job), "1,A,SS_A,,AVAILABLE,Success")
}

// A job that fails on its way keeps the log of what it has done.
func TestFailedJobKeepsItsLog(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		opened := make(chan struct{})
		close(opened)
		g := &gate{after: 12_000, reached: make(chan struct{}), open: opened, err: errors.New("the disk is gone: sql")}
		w := newWorldOn(t, engine, func(c *jobs.Config) { g.Files, c.Files = c.Files, g })
		job := w.upload(boston, "", longFile())
		w.runJobs()
		answer := w.send("dana", "GET", jobPaths+job, "", "").Body.String()
		if !strings.Contains(answer, `"status":"FAILED"`) {
			t.Errorf("job: %s", answer)
		}
		checkNoLeak(t, "job", answer)
		log := w.download("dana", job)
		if got, want := strings.Count(log, "Success\n"), len(w.participants("S_JUNO(PROD)")); got != want || got == 0 {
			t.Errorf("the log has %d lines, %d participants were made", got, want)
		}
	})
}

// doubtful is a real database that makes a job, or not, and answers an error.
type doubtful struct {
	jobs.Store

	err  error
	made bool
}

func (d *doubtful) CreateJob(ctx context.Context, job *jobs.Job, events []audit.Event) error {
	if d.made {
		if err := d.Store.CreateJob(ctx, job, events); err != nil {
			return err
		}
	}
	return d.err
}

// Where nobody knows whether a job was made, its file stays for it; the sweep has the rest.
func TestUploadOfAJobInDoubt(t *testing.T) {
	t.Parallel()
	away := fault.New(fault.Unavailable, "", "away")
	for _, tt := range []struct {
		name string
		err  error
		made bool
		left int
	}{
		{"made", away, true, 1},
		{"in vain", away, false, 1},
		{"refused", errors.New("broken on purpose"), false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			db := &doubtful{err: tt.err, made: tt.made}
			w := newWorld(t, func(c *jobs.Config) { db.Store, c.Store = c.Store, db })
			contentType, body := form("people.csv", "ParticipantID\nA\n")
			if answer := w.send("dana", "POST", boston+"/participants/bulk", contentType, body); answer.Code < 500 {
				t.Errorf("answered %d %s", answer.Code, answer.Body)
			}
			if left := w.storedUploads(); len(left) != tt.left {
				t.Errorf("uploads %q, want %d", left, tt.left)
			}
			if !tt.made {
				return
			}
			w.runJobs()
			w.find("S_JUNO(PROD)", "A")
		})
	}
}
