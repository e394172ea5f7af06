package segment

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"

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
	Rules string `json:"rules"`         // hash of the rules and of the fields they speak of
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

// Next implements [jobs.Task].Next.
func (t *passTask) Next(ctx context.Context, limit int) (*jobs.Chunk, error) {
	page, err := t.registry.Participants(ctx, t.study, nil, t.after, limit)
	if err != nil {
		return nil, err
	}
	if len(page) == 0 {
		return nil, io.EOF
	}
	chunk := &jobs.Chunk{Rows: int64(len(page)), Output: func([]registry.Result) ([]byte, int64) { return nil, 0 }}
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

// Keeper sees to it that every study is passed over when its rules have changed, and daily
// where a rule depends on the date.
type Keeper struct {
	Registry *registry.Service
	Jobs     *jobs.Service
	Book     *Book
	Logger   *slog.Logger
	Every    time.Duration // how often to look; 0 means every 2 seconds
}

// Run looks until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	every := k.Every
	if every <= 0 {
		every = 2 * time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	var seen lookedAt
	for {
		if err := k.look(ctx, &seen); err != nil && ctx.Err() == nil {
			k.Logger.ErrorContext(ctx, "segments not looked after", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// lookedAt is what the keeper has seen to already.
type lookedAt struct {
	catalog int64
	day     string
}

// look submits a pass for every study that needs one, if anything may have changed.
func (k *Keeper) look(ctx context.Context, seen *lookedAt) error {
	catalog, err := k.Registry.Catalog(ctx)
	if err != nil {
		return err
	}
	now := lookedAt{catalog: catalog.Version, day: k.Registry.Now().Format(time.DateOnly)}
	if now == *seen {
		return nil
	}
	for _, study := range catalog.Studies() {
		if err := k.lookAt(ctx, study, now.day); err != nil {
			return err
		}
	}
	*seen = now
	return nil
}

func (k *Keeper) lookAt(ctx context.Context, study *registry.Study, day string) error {
	rules, err := k.Book.Rules(study)
	if err != nil || len(rules) == 0 {
		return err
	}
	want := passParams{Rules: hashRules(study)}
	for _, rule := range rules {
		if rule.Dated {
			want.Day = day
		}
	}
	level := registry.StudyLevel
	passes, err := k.Jobs.Jobs(ctx, jobs.JobFilter{Study: study.ID, Site: &level, SubmittedBy: keeperName})
	if err != nil {
		return err
	}
	var last passParams
	if len(passes) > 0 && json.Unmarshal(passes[0].Params, &last) == nil && last == want && passes[0].State != jobs.Failed {
		return nil
	}
	params, err := json.Marshal(want)
	if err != nil {
		return fmt.Errorf("encode pass: %w", err)
	}
	pass := &jobs.Job{Kind: PassKind, Study: study.ID, SubmittedBy: keeperName, Dialect: "rollcall", Params: params}
	if err := k.Jobs.Submit(ctx, pass); err != nil {
		return err
	}
	return k.forget(ctx, passes)
}

// forget deletes passes that have ended: only the last one tells anything.
func (k *Keeper) forget(ctx context.Context, passes []*jobs.Job) error {
	for _, pass := range passes {
		if pass.State.Unfinished() {
			continue
		}
		if err := k.Jobs.Delete(ctx, pass); err != nil {
			return err
		}
	}
	return nil
}

// hashRules tells whether a study's rules are those of an earlier pass.
func hashRules(study *registry.Study) string {
	h := sha256.New()
	for _, seg := range study.Segments {
		fmt.Fprintf(h, "%s %q\n", seg.ID, seg.Rule)
	}
	for _, field := range study.CustomFields {
		fmt.Fprintf(h, "%q %s\n", field.Name, field.Type)
	}
	return hex.EncodeToString(h.Sum(nil))
}
