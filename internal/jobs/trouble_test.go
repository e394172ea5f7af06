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
	"rollcall/internal/fault"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
	"rollcall/internal/store"
)

// troubled is the database with trouble.
type troubled struct {
	store.Store

	leases *leases // of all nodes

	mu      sync.Mutex
	trouble func(op string, names []string) error
}

// leases ends leases when the time of the bubble says so: the database's clock is the real one,
// by which no lease runs out while a test lasts.
type leases struct {
	mu  sync.Mutex
	all map[uuid.UUID]lease
}

type lease struct {
	study registry.StudyID
	token int64
	until time.Time
}

func (l *leases) last(study registry.StudyID, id uuid.UUID, token int64, d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all[id] = lease{study, token, time.Now().Add(d)}
}

func (l *leases) runOut(ctx context.Context, db store.Store) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for id, held := range l.all {
		if time.Now().Before(held.until) {
			continue
		}
		err := db.RenewJob(ctx, held.study, id, held.token, 0)
		if err != nil && fault.KindOf(err) != fault.Conflict && fault.KindOf(err) != fault.NotFound {
			return err
		}
		delete(l.all, id)
	}
	return nil
}

// cause has trouble asked before each operation of the database: "find", "list", "create",
// "take", "renew", "release", "finish" with the state and, when it is made, "finished", "output"
// with the limit, "in use", "erasures", "replace", "end erasure" and, for a transaction, "begin",
// "write" with the identifiers that are written, "step", and "commit", after which the
// transaction is made.
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
	return d.Store.Job(ctx, id)
}

func (d *troubled) UnfinishedJobs(ctx context.Context) ([]*jobs.Job, error) {
	if err := d.ask("list"); err != nil {
		return nil, err
	}
	if err := d.leases.runOut(ctx, d.Store); err != nil {
		return nil, err
	}
	return d.Store.UnfinishedJobs(ctx)
}

func (d *troubled) CreateJob(ctx context.Context, job *jobs.Job, events []audit.Event) error {
	if err := d.ask("create"); err != nil {
		return err
	}
	return d.Store.CreateJob(ctx, job, events)
}

func (d *troubled) TakeJob(ctx context.Context, study registry.StudyID, id uuid.UUID, node string, lease time.Duration, at time.Time) (*jobs.Job, error) {
	if err := d.ask("take"); err != nil {
		return nil, err
	}
	if err := d.leases.runOut(ctx, d.Store); err != nil {
		return nil, err
	}
	job, err := d.Store.TakeJob(ctx, study, id, node, lease, at)
	if err == nil {
		d.leases.last(study, id, job.Lease, lease)
	}
	return job, err
}

func (d *troubled) RenewJob(ctx context.Context, study registry.StudyID, id uuid.UUID, token int64, lease time.Duration) error {
	if err := d.ask("renew"); err != nil {
		return err
	}
	err := d.Store.RenewJob(ctx, study, id, token, lease)
	if err == nil {
		d.leases.last(study, id, token, lease)
	}
	return err
}

func (d *troubled) ReleaseJob(ctx context.Context, study registry.StudyID, id uuid.UUID, token int64) error {
	if err := d.ask("release"); err != nil {
		return err
	}
	return d.Store.ReleaseJob(ctx, study, id, token)
}

func (d *troubled) FinishJob(ctx context.Context, study registry.StudyID, id uuid.UUID, token int64, end jobs.Ending) error {
	if err := d.ask("finish", string(end.State)); err != nil {
		return err
	}
	err := d.Store.FinishJob(ctx, study, id, token, end)
	if err == nil {
		err = d.ask("finished")
	}
	return err
}

func (d *troubled) FilesInUse(ctx context.Context, keys []string) (map[string]bool, error) {
	if err := d.ask("in use"); err != nil {
		return nil, err
	}
	return d.Store.FilesInUse(ctx, keys)
}

func (d *troubled) Erasures(ctx context.Context) ([]registry.Erasure, error) {
	if err := d.ask("erasures"); err != nil {
		return nil, err
	}
	return d.Store.Erasures(ctx)
}

func (d *troubled) ReplaceOutput(ctx context.Context, study registry.StudyID, id uuid.UUID, old, fresh string) (bool, error) {
	if err := d.ask("replace"); err != nil {
		return false, err
	}
	return d.Store.ReplaceOutput(ctx, study, id, old, fresh)
}

func (d *troubled) EndErasure(ctx context.Context, study registry.StudyID, id uuid.UUID) error {
	if err := d.ask("end erasure"); err != nil {
		return err
	}
	return d.Store.EndErasure(ctx, study, id)
}

func (d *troubled) OutputParts(ctx context.Context, study registry.StudyID, id uuid.UUID, from, limit int) ([][]byte, error) {
	if err := d.ask("output", strconv.Itoa(limit)); err != nil {
		return nil, err
	}
	return d.Store.OutputParts(ctx, study, id, from, limit)
}

func (d *troubled) InStudy(ctx context.Context, study registry.StudyID, fn func(context.Context, registry.Tx) error) error {
	if err := d.ask("begin"); err != nil {
		return err
	}
	err := d.Store.InStudy(ctx, study, func(ctx context.Context, tx registry.Tx) error { return fn(ctx, &troubledTx{tx, d}) })
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

// stubborn is a store of files that keeps its files while it is told to, answers an error once
// a file is saved while it is told to, and, like one that is reached over a network, gives up
// with its callers. It counts the files that are open.
type stubborn struct {
	jobs.Files

	keeps atomic.Bool
	open  atomic.Int64
	saved atomic.Pointer[func(key string) error] // asked when a file has been saved
}

// whenSaved has someone asked when an output has been saved; nil: nobody.
func (u *stubborn) whenSaved(ask func(key string) error) {
	u.saved.Store(&ask)
}

func (u *stubborn) Save(ctx context.Context, folder string, r io.Reader) (string, int64, error) {
	key, size, err := u.Files.Save(ctx, folder, r)
	if ask := u.saved.Load(); err == nil && folder == jobs.OutputFolder && ask != nil && *ask != nil {
		err = (*ask)(key)
	}
	return key, size, err
}

func (u *stubborn) Remove(ctx context.Context, key string) error {
	if u.keeps.Load() {
		return errors.New("remove file: the folder is read-only")
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return u.Files.Remove(ctx, key)
}

func (u *stubborn) Open(ctx context.Context, key string) (io.ReadSeekCloser, error) {
	file, err := u.Files.Open(ctx, key)
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
