package segment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

const (
	lookEvery  = 2 * time.Second // unless told otherwise
	lookSeldom = time.Minute     // at most this long between looks that fail

	// tryAgain is how long after it failed a pass is made again.
	tryAgain = time.Minute
)

// Keeper sees to it that every study is passed over when its rules have changed, and daily
// where a rule depends on the date.
type Keeper struct {
	Registry *registry.Service
	Jobs     *jobs.Service
	Book     *Book
	Logger   *slog.Logger
	Every    time.Duration // how often to look; 0 means every 2 seconds

	seen lookedAt
}

// lookedAt is what the keeper has seen to already.
type lookedAt struct {
	catalog int64
	day     string
	open    bool // whether a pass is under way, or is to be made again
}

// Run looks until ctx ends. It must not run twice at the same time.
func (k *Keeper) Run(ctx context.Context) error {
	every := k.Every
	if every <= 0 {
		every = lookEvery
	}
	wait := every
	for {
		if err := k.look(ctx); err == nil {
			wait = every
		} else if ctx.Err() == nil {
			k.Logger.ErrorContext(ctx, "segments not looked after", "error", err)
			wait = min(2*wait, max(lookSeldom, every))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// look submits a pass for every study that needs one, if anything may have changed. Trouble
// with one study does not keep it from the others.
func (k *Keeper) look(ctx context.Context) error {
	catalog, err := k.Registry.Catalog(ctx)
	if err != nil {
		return err
	}
	now := lookedAt{catalog: catalog.Version, day: k.Registry.Now().Format(time.DateOnly)}
	if now == k.seen {
		return nil
	}
	var errs []error
	for _, study := range catalog.Studies() {
		done, err := k.lookAt(ctx, study, now.day)
		if err != nil {
			errs = append(errs, fmt.Errorf("look at study %s: %w", study.OID, err))
		}
		now.open = now.open || !done
	}
	k.seen = now
	return errors.Join(errs...)
}

// lookAt tells whether the study has been passed over for its rules as they are today, and
// submits a pass if none is under way.
func (k *Keeper) lookAt(ctx context.Context, study *registry.Study, day string) (done bool, err error) {
	passes, err := k.passes(ctx, study)
	if err != nil {
		return false, err
	}
	rules, err := k.Book.Rules(study)
	if err != nil {
		return false, err
	}
	if len(rules) == 0 {
		return true, k.forget(ctx, passes)
	}
	want := passParams{Rules: study.RulesVersion}
	for _, rule := range rules {
		if rule.Dated {
			want.Day = day
		}
	}
	if len(passes) > 0 {
		last := passes[0]
		var made passParams
		if json.Unmarshal(last.Params, &made) == nil && made == want {
			failed := last.State == jobs.Failed || (last.State == jobs.Completed && last.Failed > 0)
			if !failed || k.Registry.Now().Sub(last.CompletedAt) < tryAgain {
				return last.State == jobs.Completed && !failed, k.forget(ctx, passes[1:])
			}
		}
	}
	params, err := json.Marshal(want)
	if err != nil {
		return false, fmt.Errorf("encode pass: %w", err)
	}
	pass := &jobs.Job{Kind: PassKind, Study: study.ID, SubmittedBy: keeperName, Dialect: keeperName, Params: params}
	if err := k.Jobs.Submit(ctx, pass); err != nil {
		return false, err
	}
	return false, k.forget(ctx, passes)
}

// passes lists the study's passes, newest first. A user may be called what the keeper is.
func (k *Keeper) passes(ctx context.Context, study *registry.Study) ([]*jobs.Job, error) {
	level := registry.StudyLevel
	list, err := k.Jobs.Jobs(ctx, jobs.JobFilter{Study: study.ID, Site: &level, SubmittedBy: keeperName})
	if err != nil {
		return nil, err
	}
	var passes []*jobs.Job
	for _, job := range list {
		if job.Kind == PassKind {
			passes = append(passes, job)
		}
	}
	return passes, nil
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
