package segment

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"rollcall/internal/audit"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// PassKind is the kind of job that looks at every participant of a study with its current
// rules.
const PassKind = "SEGMENTS"

// keeperName submits passes.
const keeperName = "rollcall"

// passParams says what a pass was made for: a study whose last pass says the same needs none.
type passParams struct {
	Rules int64  `json:"rules"`         // [registry.Study].RulesVersion
	Day   string `json:"day,omitempty"` // the day in UTC, where a rule depends on the date
}

// Pass is the kind of job.
type Pass struct{ Registry *registry.Service }

// Writes implements [jobs.Kind].Writes.
func (Pass) Writes() bool { return true }

// Start implements [jobs.Kind].Start. The cursor is the Seq of the last participant looked at.
func (k Pass) Start(_ context.Context, job *jobs.Job, _ io.ReadSeeker) (jobs.Task, error) {
	t := &passTask{registry: k.Registry, study: job.Study}
	t.origin = audit.Origin{Actor: job.SubmittedBy, Dialect: job.Dialect, RequestID: job.ID.String()}
	if job.Cursor != nil {
		if err := json.Unmarshal(job.Cursor, &t.after); err != nil {
			return nil, fmt.Errorf("read cursor: %w", err)
		}
	}
	return t, nil
}

// passTask is one pass under way.
type passTask struct {
	registry *registry.Service
	study    registry.StudyID
	after    int64
	origin   audit.Origin
}

// countFailed is a pass's output: no text, and how many could not be looked at.
func countFailed(results []registry.Result) (text []byte, failed int64) {
	for _, r := range results {
		if r.Err != nil {
			failed++
		}
	}
	return nil, failed
}

// Next implements [jobs.Task].Next.
func (t *passTask) Next(ctx context.Context, limit int) (*jobs.Chunk, error) {
	page, err := t.registry.Participants(ctx, t.study, nil, t.after, limit)
	if err != nil {
		return nil, err
	}
	if len(page) == 0 {
		return nil, io.EOF
	}
	chunk := &jobs.Chunk{Rows: int64(len(page)), Output: countFailed}
	for _, p := range page {
		chunk.Changes = append(chunk.Changes, registry.Change{
			Action: registry.Revisit, Profile: registry.Staff(), Origin: t.origin, ID: p.ID,
		})
	}
	t.after = page[len(page)-1].Seq
	if chunk.Cursor, err = json.Marshal(t.after); err != nil {
		return nil, fmt.Errorf("write cursor: %w", err)
	}
	return chunk, nil
}
