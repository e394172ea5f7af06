package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"rollcall/internal/fault"
	"rollcall/internal/files"
	"rollcall/internal/jobs"
	"rollcall/internal/store"
)

// backupCommand writes a backup.
type backupCommand struct {
	File string `arg:"" help:"The archive to write; it must not exist."`
	databaseFlags
	filesFlags
}

// Help implements kong.HelpProvider.
func (backupCommand) Help() string {
	return "The archive (tar) holds the whole database, the uploaded files of unfinished jobs and the logs and extracts of those " +
		"that have ended, as of one moment. Can be run beside a server. Guard it like the database: everything is in it, the " +
		"server's keys too.\n\n" +
		"It is for SQLite. PostgreSQL has tools of its own: see docs/operating.md."
}

// Run implements the command.
func (c *backupCommand) Run(ctx context.Context, con *console) (err error) {
	if _, err := os.Lstat(c.File); err == nil {
		return wrong("%s exists already", c.File).withHint("name another file")
	}
	st, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	if conf, err := c.config(); err != nil {
		return err
	} else if store.Shared(conf.DatabaseURL) {
		return st.Backup(ctx, c.File) // which says what to do instead
	}
	place, err := c.openFiles(ctx, c.dir())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, place.Close()) }()
	d, err := newDraft(c.File)
	if err != nil {
		return err
	}
	defer d.discard()
	staging, err := os.MkdirTemp(filepath.Dir(c.File), ".rollcall-backup-*")
	if err != nil {
		return fmt.Errorf("make a folder for the backup: %w", err)
	}
	defer os.RemoveAll(staging) //nolint:errcheck // what stays behind is named so that anybody knows what it was

	b := &backup{store: st, files: place, staging: staging, uploads: map[string]io.ReadSeekCloser{}}
	defer b.release()
	kept, err := b.make(ctx, d, con)
	if err != nil {
		return err
	}
	info, err := d.Stat()
	if err != nil {
		return fmt.Errorf("write %s: %w", c.File, err)
	}
	if err := d.keepNew(); err != nil {
		return err
	}
	fmt.Fprintf(con.Out, "%s: %d bytes, %d uploads, %d logs and extracts\n", c.File, info.Size(), kept.uploads, kept.outputs)
	return nil
}

// backup is a copy of the database together with the files that its jobs need. Jobs go on
// meanwhile: the uploads are held open before the copy is made, so that one whose job ends in
// between is still there. Outputs never change, but go with their job or for another.
type backup struct {
	store   store.Store
	files   *files.Files
	staging string

	uploads map[string]io.ReadSeekCloser // by key, kept readable although removed
}

// counts are how many files an archive holds.
type counts struct{ uploads, outputs int }

func (b *backup) copyPath() string { return filepath.Join(b.staging, store.FileName) }

// release closes what is held.
func (b *backup) release() {
	for _, f := range b.uploads {
		_ = f.Close() // opened to read
	}
}

// maxTries is how often a backup is made anew because a file went meanwhile.
const maxTries = 5

// errGone tells that a file which the copy of the database needs has gone meanwhile.
var errGone = errors.New("a file has gone meanwhile")

// make writes the archive, anew until everything that the copy needs is in it.
func (b *backup) make(ctx context.Context, d *draft, con *console) (counts, error) {
	for range maxTries {
		kept, err := b.attempt(ctx, d, con)
		if !errors.Is(err, errGone) {
			return kept, err
		}
		if err := errors.Join(os.Remove(b.copyPath()), d.Truncate(0)); err != nil {
			return counts{}, fmt.Errorf("begin the backup anew: %w", err)
		}
		if _, err := d.Seek(0, io.SeekStart); err != nil {
			return counts{}, fmt.Errorf("begin the backup anew: %w", err)
		}
	}
	return counts{}, failed("jobs come and go faster than they can be backed up").withHint("try again in a moment")
}

func (b *backup) attempt(ctx context.Context, d *draft, con *console) (counts, error) {
	if err := b.hold(ctx); err != nil {
		return counts{}, err
	}
	if err := b.store.Backup(ctx, b.copyPath()); err != nil {
		return counts{}, err
	}
	uploads, outputs, err := b.needed(ctx)
	if err != nil {
		return counts{}, err
	}
	schema, err := b.store.SchemaVersion(ctx)
	if err != nil {
		return counts{}, err
	}
	archive := newArchiveWriter(d.File, con.now(), schema)
	if err := b.addDatabase(archive); err != nil {
		return counts{}, err
	}
	for _, upload := range uploads {
		file := b.uploads[upload.key]
		if file == nil {
			return counts{}, b.gone(ctx, upload.key)
		}
		if err := archive.add(upload.key, file); err != nil {
			return counts{}, err
		}
	}
	for _, output := range outputs {
		if err := b.addOutput(ctx, archive, output.key); err != nil {
			return counts{}, err
		}
	}
	if err := b.addMark(ctx, archive); err != nil {
		return counts{}, err
	}
	return counts{len(uploads), len(outputs)}, archive.finish()
}

// hold opens the uploads of the unfinished jobs, as far as they are there.
func (b *backup) hold(ctx context.Context) error {
	unfinished, err := b.store.UnfinishedJobs(ctx)
	if err != nil {
		return err
	}
	for _, job := range unfinished {
		if job.Upload == "" || b.uploads[job.Upload] != nil {
			continue
		}
		file, err := b.files.Open(ctx, job.Upload)
		if err != nil && fault.KindOf(err) == fault.NotFound {
			continue
		}
		if err != nil {
			return fmt.Errorf("back up an upload: %w", err)
		}
		b.uploads[job.Upload] = file
	}
	return nil
}

// needed lists the files that the copy's jobs need.
func (b *backup) needed(ctx context.Context) (uploads, outputs []neededFile, err error) {
	st, err := store.Open(ctx, store.Config{DataDir: b.staging})
	if err != nil {
		return nil, nil, fmt.Errorf("open the copy: %w", err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return neededFiles(ctx, st)
}

// neededFile is a file that a job needs.
type neededFile struct {
	key  string
	job  uuid.UUID
	size int64 // in bytes; -1: not known
}

// neededFiles lists the uploads of unfinished jobs and the outputs of all.
func neededFiles(ctx context.Context, st store.Store) (uploads, outputs []neededFile, err error) {
	catalog, err := st.Catalog(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, study := range catalog.Studies() {
		list, err := st.Jobs(ctx, jobs.JobFilter{Study: study.ID})
		if err != nil {
			return nil, nil, err
		}
		for _, job := range list {
			if job.Upload != "" && job.State.Unfinished() {
				uploads = append(uploads, neededFile{job.Upload, job.ID, job.Size})
			}
			if job.Output != "" {
				outputs = append(outputs, neededFile{job.Output, job.ID, -1})
			}
		}
	}
	return uploads, outputs, nil
}

func (b *backup) addDatabase(archive *archiveWriter) error {
	database, err := os.Open(b.copyPath())
	if err != nil {
		return fmt.Errorf("read the copy: %w", err)
	}
	defer database.Close()
	return archive.add(store.FileName, database)
}

func (b *backup) addOutput(ctx context.Context, archive *archiveWriter, key string) error {
	file, err := b.files.Open(ctx, key)
	if err != nil && fault.KindOf(err) == fault.NotFound {
		return b.gone(ctx, key)
	}
	if err != nil {
		return fmt.Errorf("back up an output: %w", err)
	}
	defer file.Close()
	return archive.add(key, file)
}

// addMark adds the mark of the place, if it has one.
func (b *backup) addMark(ctx context.Context, archive *archiveWriter) error {
	registry, err := registryID(ctx, b.store)
	if err != nil {
		return err
	}
	mark := files.MarkKey(registry)
	if _, err := b.files.Size(ctx, mark); err != nil {
		if fault.KindOf(err) == fault.NotFound {
			return nil
		}
		return err
	}
	return b.addOutput(ctx, archive, mark)
}

// gone tells whether a missing file has gone since the copy was made, or was missing before.
func (b *backup) gone(ctx context.Context, key string) error {
	used, err := b.store.FilesInUse(ctx, []string{key})
	if err != nil {
		return err
	}
	if used[key] {
		if file, err := b.files.Open(ctx, key); err == nil { // it has just come
			return errors.Join(errGone, file.Close())
		}
		return failed("the file %s of a job is missing", key).
			withHint("rollcall doctor lists all that are missing; delete their jobs, or give --files-url if files are kept elsewhere")
	}
	return errGone
}
