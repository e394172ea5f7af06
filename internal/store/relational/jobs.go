package relational

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

var jobInsertion = `INSERT INTO jobs (study_id, id, site_id, kind, state, submitted_by, role, dialect,
	request_id, source_file, upload, size, params, parts, cursor, row_count, failed_count, error,
	created_at, updated_at, started_at, completed_at, repeat_key) VALUES (` + "$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23" + ")"

// jobColumns are what scanJob reads.
func (db *DB) jobColumns() string {
	return `study_id, id, site_id, kind, state, submitted_by, role, dialect,
	request_id, source_file, upload, size, params, parts, cursor, row_count, failed_count, error,
	output, lease_token, lease_node, lease_until > ` + db.engine.Clock() + ` AS held,
	created_at, updated_at, started_at, completed_at, repeat_key`
}

func (db *DB) selectJob() string { return "SELECT " + db.jobColumns() + " FROM jobs" }

func scanJob(row scanner) (*jobs.Job, error) {
	j := &jobs.Job{}
	var created, updated int64
	var started, completed sql.NullInt64
	err := row.Scan(&j.Study, &j.ID, &j.Site, &j.Kind, &j.State, &j.SubmittedBy, &j.Role, &j.Dialect,
		&j.RequestID, &j.SourceFile, &j.Upload, &j.Size, &j.Params, &j.Parts, &j.Cursor, &j.Rows, &j.Failed, &j.Error,
		&j.Output, &j.Lease, &j.Node, &j.Held, &created, &updated, &started, &completed, &j.RepeatKey)
	j.CreatedAt, j.UpdatedAt = time.UnixMicro(created).UTC(), time.UnixMicro(updated).UTC()
	j.StartedAt, j.CompletedAt = timeOrZero(started), timeOrZero(completed)
	return j, err
}

// CreateJob implements jobs.Store.
func (db *DB) CreateJob(ctx context.Context, j *jobs.Job, events []audit.Event) error {
	return db.inStudy(ctx, j.Study, func(ctx context.Context, t *tx) error {
		if err := t.mustExist(ctx); err != nil {
			return t.fail("create a job", err)
		}
		if err := t.mustBeFirst(ctx, j); err != nil {
			return t.fail("create a job", err)
		}
		_, err := t.w.Exec(ctx, jobInsertion, int64(j.Study), j.ID, int64(j.Site), j.Kind, string(j.State), j.SubmittedBy, j.Role, j.Dialect,
			j.RequestID, j.SourceFile, j.Upload, j.Size, nullBytes(j.Params), j.Parts, nullBytes(j.Cursor), j.Rows, j.Failed, j.Error,
			j.CreatedAt.UnixMicro(), j.UpdatedAt.UnixMicro(), nullTime(j.StartedAt), nullTime(j.CompletedAt), j.RepeatKey)
		if err == nil {
			err = t.recordEvents(ctx, j.CreatedAt, events)
		}
		return t.fail("create a job", err)
	})
}

// mustBeFirst answers jobs.Repeated if the job's request has come before. The transaction has the
// study to itself, so that nobody comes in between.
func (t *tx) mustBeFirst(ctx context.Context, j *jobs.Job) error {
	if j.RepeatKey == "" {
		return nil
	}
	_, found, err := queryOne(ctx, t.w, scanValue[string], "SELECT kind FROM jobs WHERE study_id = $1 AND submitted_by = $2 AND repeat_key = $3",
		int64(t.study), j.SubmittedBy, j.RepeatKey)
	if err == nil && found {
		err = fault.New(fault.Conflict, jobs.Repeated, "the request has come before")
	}
	return err
}

// RepeatedJob implements jobs.Store.
func (db *DB) RepeatedJob(ctx context.Context, study registry.StudyID, submittedBy, key string) (*jobs.Job, error) {
	j, found, err := queryOne(ctx, db.engine.Read(), scanJob,
		db.selectJob()+" WHERE study_id = $1 AND submitted_by = $2 AND repeat_key = $3 AND repeat_key <> ''", int64(study), submittedBy, key)
	if err == nil && !found {
		err = jobUnknown()
	}
	if err != nil {
		return nil, db.engine.Classify("find a job by its request", err)
	}
	return j, nil
}

// mustExist answers StudyUnknown if the transaction's study does not exist.
func (t *tx) mustExist(ctx context.Context) error {
	_, found, err := queryOne(ctx, t.w, scanValue[int64], "SELECT study_id FROM studies WHERE study_id = $1", int64(t.study))
	if err == nil && !found {
		err = studyUnknown()
	}
	return err
}

// Job implements jobs.Store.
func (db *DB) Job(ctx context.Context, id uuid.UUID) (*jobs.Job, error) {
	j, found, err := queryOne(ctx, db.engine.Read(), scanJob, db.selectJob()+" WHERE id = $1", id)
	if err == nil && !found {
		err = jobUnknown()
	}
	if err != nil {
		return nil, db.engine.Classify("find a job", err)
	}
	return j, nil
}

// Jobs implements jobs.Store.
func (db *DB) Jobs(ctx context.Context, filter jobs.JobFilter) ([]*jobs.Job, error) {
	text, args := db.selectJob()+" WHERE study_id = $1", []any{int64(filter.Study)}
	if filter.Site != nil {
		args = append(args, int64(*filter.Site))
		text += fmt.Sprintf(" AND site_id = $%d", len(args))
	}
	if filter.SubmittedBy != "" {
		args = append(args, filter.SubmittedBy)
		text += fmt.Sprintf(" AND submitted_by = $%d", len(args))
	}
	list, err := query(ctx, db.engine.Read(), scanJob, text+" ORDER BY created_at DESC, id DESC", args...)
	return list, db.engine.Classify("list jobs", err)
}

// UnfinishedJobs implements jobs.Store.
func (db *DB) UnfinishedJobs(ctx context.Context) ([]*jobs.Job, error) {
	list, err := query(ctx, db.engine.Read(), scanJob,
		db.selectJob()+" WHERE state IN ('queued', 'in progress') ORDER BY created_at, id")
	return list, db.engine.Classify("list unfinished jobs", err)
}

// DeleteJob implements jobs.Store.
func (db *DB) DeleteJob(ctx context.Context, study registry.StudyID, id uuid.UUID, at time.Time, events []audit.Event) error {
	return db.inStudy(ctx, study, func(ctx context.Context, t *tx) error {
		n, err := t.w.Exec(ctx, "DELETE FROM jobs WHERE study_id = $1 AND id = $2", int64(study), id)
		if err == nil && n == 0 {
			err = jobUnknown()
		}
		if err == nil {
			_, err = t.w.Exec(ctx, "DELETE FROM job_output WHERE study_id = $1 AND job_id = $2", int64(study), id)
		}
		if err == nil {
			err = t.recordEvents(ctx, at, events)
		}
		t.w.Erased() // an extract's output holds personal values
		return t.fail("delete a job", err)
	})
}

// OutputParts implements jobs.OutputStore.
func (db *DB) OutputParts(ctx context.Context, study registry.StudyID, id uuid.UUID, from, limit int) ([][]byte, error) {
	parts, err := query(ctx, db.engine.Read(), scanValue[[]byte],
		"SELECT bytes FROM job_output WHERE study_id = $1 AND job_id = $2 AND part >= $3 ORDER BY part LIMIT $4",
		int64(study), id, from, max(limit, 0))
	return parts, db.engine.Classify("read a job's output", err)
}

// SaveStep implements registry.Tx.
func (t *tx) SaveStep(ctx context.Context, step *registry.JobStep) error {
	if t.err != nil {
		return t.err
	}
	return t.fail("save a job's step", t.saveStep(ctx, step))
}

func (t *tx) saveStep(ctx context.Context, step *registry.JobStep) error {
	if step.Study != t.study {
		return fmt.Errorf("the step is of study %d, the transaction of study %d", step.Study, t.study)
	}
	hasOutput := 0
	if len(step.Output) > 0 {
		hasOutput = 1
	}
	outputs, found, err := queryOne(ctx, t.w, scanValue[int64],
		`UPDATE jobs SET parts = parts + 1, output_parts = output_parts + $1, cursor = $2, row_count = $3,
		   failed_count = $4, updated_at = $5
		 WHERE study_id = $6 AND id = $7 AND state = 'in progress' AND lease_token = $8 AND parts = $9 RETURNING output_parts`,
		hasOutput, nullBytes(step.Cursor), step.Rows, step.Failed, step.At.UnixMicro(),
		int64(step.Study), step.Job, step.Lease, step.Part)
	if err != nil {
		return err
	}
	if !found {
		return t.whyNoStep(ctx, step)
	}
	if hasOutput == 1 {
		_, err = t.w.Exec(ctx, "INSERT INTO job_output (study_id, job_id, part, bytes) VALUES ($1, $2, $3, $4)",
			int64(step.Study), step.Job, outputs-1, step.Output)
	}
	return err
}

// whyNoStep tells why a step was not saved. All of it is fault.Conflict, whatever became of
// the job.
func (t *tx) whyNoStep(ctx context.Context, step *registry.JobStep) error {
	now, err := t.standing(ctx, step.Job)
	switch {
	case fault.HasCode(err, jobs.Unknown), err == nil && now.state != jobs.InProgress:
		return fault.New(fault.Conflict, jobs.NotRunning, "the job is not running")
	case err != nil:
		return err
	case now.token != step.Lease:
		return leaseLost()
	}
	return fault.New(fault.Conflict, jobs.StepTaken, "step %d of the job is not its next one", step.Part)
}

func jobUnknown() error {
	return fault.New(fault.NotFound, jobs.Unknown, "there is no such job")
}

// RewriteOutputs implements registry.Tx. One part is in memory at a time.
func (t *tx) RewriteOutputs(ctx context.Context, rewrite func(kind string, part []byte) []byte) error {
	if t.err != nil {
		return t.err
	}
	return t.fail("rewrite the outputs of jobs", t.rewriteOutputs(ctx, rewrite))
}

// outputPart is one part of a job's output.
type outputPart struct {
	job  uuid.UUID
	part int64
	kind string
	text []byte
}

func scanOutputPart(row scanner) (outputPart, error) {
	var p outputPart
	err := row.Scan(&p.job, &p.part, &p.kind, &p.text)
	return p, err
}

func (t *tx) rewriteOutputs(ctx context.Context, rewrite func(kind string, part []byte) []byte) error {
	at := outputPart{part: -1}
	for {
		next, found, err := queryOne(ctx, t.w, scanOutputPart,
			`SELECT o.job_id, o.part, j.kind, o.bytes FROM job_output o
			 JOIN jobs j ON j.study_id = o.study_id AND j.id = o.job_id
			 WHERE o.study_id = $1 AND (o.job_id, o.part) > ($2, $3) ORDER BY o.job_id, o.part LIMIT 1`,
			int64(t.study), at.job, at.part)
		if err != nil || !found {
			return err
		}
		at = next
		text := append([]byte{}, rewrite(at.kind, at.text)...) // never NULL
		if bytes.Equal(text, at.text) {
			continue
		}
		_, err = t.w.Exec(ctx, "UPDATE job_output SET bytes = $1 WHERE study_id = $2 AND job_id = $3 AND part = $4",
			text, int64(t.study), at.job, at.part)
		if err != nil {
			return err
		}
	}
}
