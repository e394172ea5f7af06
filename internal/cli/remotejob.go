package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
)

// How often a job is looked at, and how long a server may be away meanwhile.
const (
	firstLook = 100 * time.Millisecond
	maxLook   = 2 * time.Second
	maxAway   = 2 * time.Minute
	lookTime  = 30 * time.Second // for one look
)

// The states of a job, in OpenClinica's words, that a command acts on.
const (
	jobRunning   = "IN_PROGRESS"
	jobCompleted = "COMPLETED"
)

// remoteJob is a job as the server tells of it.
type remoteJob struct {
	Status   string   `json:"status"`
	Rows     int64    `json:"rows"`
	Failed   int64    `json:"failed"`
	Progress float64  `json:"progress"`
	Message  string   `json:"message"`
	Ignored  []string `json:"ignoredColumns"`
}

// sitePath is the address of a site's participants.
func sitePath(study, site string) string {
	return "/clinicaldata/studies/" + url.PathEscape(study) + "/sites/" + url.PathEscape(site) + "/participants"
}

func registerQuery(register bool) string {
	if register {
		return "?register=y"
	}
	return "?register=n"
}

// jobIn reads the uuid that a bulk or an extract is answered with.
func jobIn(answer []byte) (string, error) {
	text, ok := strings.CutPrefix(strings.TrimSpace(string(answer)), "job uuid: ")
	if _, err := uuid.Parse(text); !ok || err != nil {
		return "", failed("the server's answer names no job").withHint("is --server the address of a Rollcall server?")
	}
	return text, nil
}

// follow looks at a job until it has ended. A server that is away for a while, because it is
// started anew, is waited for.
func (c *client) follow(ctx context.Context, job string, show func(remoteJob)) (remoteJob, error) {
	wait, away := firstLook, time.Duration(0)
	for {
		state, err := c.look(ctx, job)
		switch r := (*refused)(nil); {
		case err == nil:
			away = 0
			show(state)
			if state.Status != jobRunning {
				return state, nil
			}
		case errors.As(err, &r) && r.passing() && away < maxAway && ctx.Err() == nil:
			away += wait
		default:
			return state, fmt.Errorf("follow job %s: %w", job, err)
		}
		select {
		case <-ctx.Done():
			return state, ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, maxLook)
	}
}

// look asks for a job's state, signing in again if the token has expired.
func (c *client) look(ctx context.Context, job string) (remoteJob, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTime)
	defer cancel()
	var state remoteJob
	text, err := c.call(ctx, http.MethodGet, "/jobs/"+job, nil, nil)
	if r := (*refused)(nil); errors.As(err, &r) && r.status == http.StatusUnauthorized && c.password != "" {
		if err := c.signIn(ctx); err != nil {
			return state, err
		}
		text, err = c.call(ctx, http.MethodGet, "/jobs/"+job, nil, nil)
	}
	if err != nil {
		return state, err
	}
	if err := json.Unmarshal(text, &state); err != nil {
		return state, fmt.Errorf("read the server's answer: %w", err)
	}
	return state, nil
}

// download writes a job's file to path, whole or not at all.
func (c *client) download(ctx context.Context, job, path string) error {
	resp, err := c.do(ctx, http.MethodGet, "/jobs/"+job+"/downloadFile", nil, nil)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
		if err != nil {
			return c.unreachable(err)
		}
		return c.refusal(resp, text)
	}
	return writeFrom(path, func(w io.Writer) error {
		if _, err := io.Copy(w, resp.Body); err != nil {
			return fmt.Errorf("download to %s: %w", path, err)
		}
		return nil
	})
}
