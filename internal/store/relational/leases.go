package relational

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/fault"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

// TakeJob implements jobs.LeaseStore.
func (db *DB) TakeJob(ctx context.Context, study registry.StudyID, id uuid.UUID, node string, lease time.Duration, at time.Time) (*jobs.Job, error) {
	var taken *jobs.Job
	err := db.inStudy(ctx, study, func(ctx context.Context, t *tx) error {
		job, found, err := queryOne(ctx, t.w, scanJob,
			`UPDATE jobs SET state = 'in progress', started_at = coalesce(started_at, $1), updated_at = $1,
			   lease_token = lease_token + 1, lease_node = $2, lease_until = `+db.engine.Clock()+` + $3
			 WHERE study_id = $4 AND id = $5 AND state IN ('queued', 'in progress')
			   AND (lease_node = $2 OR lease_until <= `+db.engine.Clock()+`)
			 RETURNING `+db.jobColumns(),
			at.UnixMicro(), node, lease.Microseconds(), int64(study), id)
		if err == nil && !found {
			err = t.whyNotTaken(ctx, id)
		}
		taken = job
		return t.fail("take a job", err)
	})
	if err != nil {
		return nil, err
	}
	return taken, nil
}

func (t *tx) whyNotTaken(ctx context.Context, id uuid.UUID) error {
	now, err := t.standing(ctx, id)
	if err != nil {
		return err
	}
	if !now.state.Unfinished() {
		return notRunning(now.state)
	}
	return fault.New(fault.Conflict, jobs.HeldElsewhere, "another node works on the job")
}

// RenewJob implements jobs.LeaseStore.
func (db *DB) RenewJob(ctx context.Context, study registry.StudyID, id uuid.UUID, token int64, lease time.Duration) error {
	return db.inStudy(ctx, study, func(ctx context.Context, t *tx) error {
		n, err := t.w.Exec(ctx, `UPDATE jobs SET lease_until = `+db.engine.Clock()+` + $1
			WHERE study_id = $2 AND id = $3 AND state = 'in progress' AND lease_token = $4`,
			lease.Microseconds(), int64(study), id, token)
		if err == nil && n == 0 {
			err = t.whyNotHeld(ctx, id, jobs.InProgress)
		}
		return t.fail("renew the lease of a job", err)
	})
}

// ReleaseJob implements jobs.LeaseStore.
func (db *DB) ReleaseJob(ctx context.Context, study registry.StudyID, id uuid.UUID, token int64) error {
	return db.inStudy(ctx, study, func(ctx context.Context, t *tx) error {
		_, err := t.w.Exec(ctx, "UPDATE jobs SET lease_until = 0 WHERE study_id = $1 AND id = $2 AND lease_token = $3",
			int64(study), id, token)
		return t.fail("release a job", err)
	})
}

// FinishJob implements jobs.LeaseStore.
func (db *DB) FinishJob(ctx context.Context, study registry.StudyID, id uuid.UUID, token int64, end jobs.Ending) error {
	if end.State != jobs.Completed && end.State != jobs.Failed {
		return fmt.Errorf("finish a job: %q is no end of a job", end.State)
	}
	return db.inStudy(ctx, study, func(ctx context.Context, t *tx) error {
		n, err := t.w.Exec(ctx, `UPDATE jobs SET state = $1, error = $2, output = $3, completed_at = $4, updated_at = $4, lease_until = 0
			WHERE study_id = $5 AND id = $6 AND state IN ('queued', 'in progress') AND lease_token = $7`,
			string(end.State), end.Error, end.Output, end.At.UnixMicro(), int64(study), id, token)
		if err == nil && n == 0 {
			err = t.whyNotHeld(ctx, id, jobs.Queued, jobs.InProgress)
		}
		if err == nil && end.Output != "" {
			err = t.dropParts(ctx, id, end.Size)
		}
		return t.fail("finish a job", err)
	})
}

// dropParts removes the parts of an output that was put into a file of that size.
func (t *tx) dropParts(ctx context.Context, id uuid.UUID, size int64) error {
	have, _, err := queryOne(ctx, t.w, scanValue[int64],
		"SELECT coalesce(sum(length(bytes)), 0) FROM job_output WHERE study_id = $1 AND job_id = $2", int64(t.study), id)
	if err != nil {
		return err
	}
	if have != size {
		return fault.New(fault.Conflict, jobs.OutputChanged, "the output has %d bytes, its file %d", have, size)
	}
	_, err = t.w.Exec(ctx, "DELETE FROM job_output WHERE study_id = $1 AND job_id = $2", int64(t.study), id)
	return err
}

// standing is where a job stands.
type standing struct {
	state jobs.State
	token int64
}

func scanStanding(row scanner) (standing, error) {
	var s standing
	return s, row.Scan(&s.state, &s.token)
}

// standing reads where a job of the transaction's study stands.
func (t *tx) standing(ctx context.Context, id uuid.UUID) (standing, error) {
	s, found, err := queryOne(ctx, t.w, scanStanding,
		"SELECT state, lease_token FROM jobs WHERE study_id = $1 AND id = $2", int64(t.study), id)
	if err == nil && !found {
		err = jobUnknown()
	}
	return s, err
}

// whyNotHeld tells why a job was not changed under a lease: it is unknown, not in one of the
// states that allow it, or the lease is lost.
func (t *tx) whyNotHeld(ctx context.Context, id uuid.UUID, allowed ...jobs.State) error {
	now, err := t.standing(ctx, id)
	if err != nil {
		return err
	}
	for _, state := range allowed {
		if now.state == state {
			return leaseLost()
		}
	}
	return notRunning(now.state)
}

func notRunning(state jobs.State) error {
	return fault.New(fault.Conflict, jobs.NotRunning, "the job is %s", state)
}

func leaseLost() error {
	return fault.New(fault.Conflict, jobs.LeaseLost, "the job is no longer worked on under this lease")
}
