package jobs_test

import (
	"context"
	"errors"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
	"rollcall/internal/store/sqlite"
)

// troubled is the database with trouble.
type troubled struct {
	*sqlite.DB

	mu      sync.Mutex
	trouble func(op string, names []string) error
}

// cause has trouble asked before each operation of the database: "find", "list", "create",
// "start", "finish" with the state, "output" with the limit and, for a transaction, "begin", "write" with the identifiers that
// are written, "step", and "commit", after which the transaction is made.
func (d *troubled) cause(trouble func(op string, names []string) error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trouble = trouble
}

func (d *troubled) ask(op string, names ...string) error {
	d.mu.Lock()
	trouble := d.trouble
	d.mu.Unlock()
	if trouble == nil {
		return nil
	}
	return trouble(op, names)
}

func (d *troubled) Job(ctx context.Context, id uuid.UUID) (*jobs.Job, error) {
	if err := d.ask("find"); err != nil {
		return nil, err
	}
	return d.DB.Job(ctx, id)
}

func (d *troubled) UnfinishedJobs(ctx context.Context) ([]*jobs.Job, error) {
	if err := d.ask("list"); err != nil {
		return nil, err
	}
	return d.DB.UnfinishedJobs(ctx)
}

func (d *troubled) CreateJob(ctx context.Context, job *jobs.Job, events []audit.Event) error {
	if err := d.ask("create"); err != nil {
		return err
	}
	return d.DB.CreateJob(ctx, job, events)
}

func (d *troubled) StartJob(ctx context.Context, study registry.StudyID, id uuid.UUID, at time.Time) error {
	if err := d.ask("start"); err != nil {
		return err
	}
	return d.DB.StartJob(ctx, study, id, at)
}

func (d *troubled) FinishJob(ctx context.Context, study registry.StudyID, id uuid.UUID, state jobs.State, text string, at time.Time) error {
	if err := d.ask("finish", string(state)); err != nil {
		return err
	}
	return d.DB.FinishJob(ctx, study, id, state, text, at)
}

func (d *troubled) OutputParts(ctx context.Context, study registry.StudyID, id uuid.UUID, from, limit int) ([][]byte, error) {
	if err := d.ask("output", strconv.Itoa(limit)); err != nil {
		return nil, err
	}
	return d.DB.OutputParts(ctx, study, id, from, limit)
}

func (d *troubled) InStudy(ctx context.Context, study registry.StudyID, fn func(context.Context, registry.Tx) error) error {
	if err := d.ask("begin"); err != nil {
		return err
	}
	err := d.DB.InStudy(ctx, study, func(ctx context.Context, tx registry.Tx) error { return fn(ctx, &troubledTx{tx, d}) })
	if err == nil {
		err = d.ask("commit")
	}
	return err
}

type troubledTx struct {
	registry.Tx

	db *troubled
}

func (tx *troubledTx) Write(ctx context.Context, at time.Time, out *registry.Outcome) error {
	var names []string
	for _, write := range out.Writes {
		names = append(names, write.Participant.Identifier)
	}
	if err := tx.db.ask("write", names...); err != nil {
		return err
	}
	return tx.Tx.Write(ctx, at, out)
}

func (tx *troubledTx) SaveStep(ctx context.Context, step *registry.JobStep) error {
	if err := tx.db.ask("step"); err != nil {
		return err
	}
	return tx.Tx.SaveStep(ctx, step)
}

// stubborn is a folder of uploads that keeps its files while it is told to, and, like one that is
// reached over a network, gives up with its callers. It counts the files that are open.
type stubborn struct {
	jobs.Uploads

	keeps atomic.Bool
	open  atomic.Int64
}

func (u *stubborn) Remove(ctx context.Context, key string) error {
	if u.keeps.Load() {
		return errors.New("remove upload: the folder is read-only")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return u.Uploads.Remove(ctx, key)
}

func (u *stubborn) Open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	file, err := u.Uploads.Open(ctx, key)
	if err != nil {
		return nil, err
	}
	u.open.Add(1)
	return &openFile{file, u}, nil
}

type openFile struct {
	io.ReadSeekCloser

	from *stubborn
}

func (f *openFile) Close() error {
	f.from.open.Add(-1)
	return f.ReadSeekCloser.Close()
}
