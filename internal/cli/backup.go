package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"rollcall/internal/jobs"
	"rollcall/internal/store"
)

// backupCommand writes a backup.
type backupCommand struct {
	File string `arg:"" help:"The archive to write; it must not exist."`
	databaseFlags
}

// Help implements kong.HelpProvider.
func (backupCommand) Help() string {
	return "The archive (tar) holds the whole database and the uploaded files of unfinished jobs, as of one moment. Can be run " +
		"beside a server. Guard it like the database: everything is in it, the server's keys too."
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

	b := &backup{store: st, uploads: c.uploads(), staging: staging, held: map[string]*os.File{}}
	defer b.release()
	if err := b.take(ctx); err != nil {
		return err
	}
	if err := b.write(ctx, d, con); err != nil {
		return err
	}
	info, err := d.Stat()
	if err != nil {
		return fmt.Errorf("write %s: %w", c.File, err)
	}
	if err := d.keepNew(); err != nil {
		return err
	}
	fmt.Fprintf(con.Out, "%s: %d bytes, %d uploads\n", c.File, info.Size(), len(b.needed))
	return nil
}

// backup is a copy of the database together with the uploads that its unfinished jobs need.
// Jobs go on meanwhile: the uploads are held open before the copy is made, so that one whose
// job ends in between is still there.
type backup struct {
	store   store.Store
	uploads string
	staging string

	held   map[string]*os.File // uploads by key, kept readable although removed
	needed []string            // keys that the copy needs
}

func (b *backup) copyPath() string { return filepath.Join(b.staging, store.FileName) }

// release closes what is held.
func (b *backup) release() {
	for _, f := range b.held {
		_ = f.Close() // opened to read
	}
}

// maxTries is how often a copy is made anew because a job came and went meanwhile.
const maxTries = 5

// take copies the database until every upload that the copy needs is held.
func (b *backup) take(ctx context.Context) error {
	for range maxTries {
		if _, err := b.hold(ctx, b.store); err != nil {
			return err
		}
		if err := b.store.Backup(ctx, b.copyPath()); err != nil {
			return err
		}
		whole, err := b.holdForCopy(ctx)
		if err != nil || whole {
			return err
		}
		if err := os.Remove(b.copyPath()); err != nil {
			return fmt.Errorf("drop a copy of the database: %w", err)
		}
	}
	return failed("jobs end faster than they can be backed up").withHint("try again in a moment")
}

// hold opens the uploads of the store's unfinished jobs; false if one is gone.
func (b *backup) hold(ctx context.Context, st jobs.Store) (whole bool, err error) {
	unfinished, err := st.UnfinishedJobs(ctx)
	if err != nil {
		return false, err
	}
	whole, b.needed = true, nil
	for _, job := range unfinished {
		if job.Upload == "" {
			continue
		}
		b.needed = append(b.needed, job.Upload)
		if b.held[job.Upload] != nil {
			continue
		}
		f, err := os.Open(filepath.Join(b.uploads, job.Upload))
		if errors.Is(err, fs.ErrNotExist) {
			whole = false
			continue
		}
		if err != nil {
			return false, fmt.Errorf("back up an upload: %w", err)
		}
		b.held[job.Upload] = f
	}
	return whole, nil
}

// holdForCopy holds what the copy needs.
func (b *backup) holdForCopy(ctx context.Context) (whole bool, err error) {
	st, err := store.Open(ctx, store.Config{DataDir: b.staging})
	if err != nil {
		return false, fmt.Errorf("open the copy: %w", err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return b.hold(ctx, st)
}

// write writes the archive.
func (b *backup) write(ctx context.Context, d *draft, con *console) error {
	schema, err := b.store.SchemaVersion(ctx)
	if err != nil {
		return err
	}
	database, err := os.Open(b.copyPath())
	if err != nil {
		return fmt.Errorf("read the copy: %w", err)
	}
	defer database.Close()
	archive := newArchiveWriter(d.File, con.now(), schema)
	if err := archive.add(store.FileName, database); err != nil {
		return err
	}
	for _, key := range b.needed {
		if err := archive.add(uploadsFolder+key, b.held[key]); err != nil {
			return err
		}
	}
	return archive.finish()
}
