package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"rollcall/internal/fault"
	"rollcall/internal/files"
	"rollcall/internal/jobs"
	"rollcall/internal/store"
	"rollcall/internal/store/trail"
)

// doctorCommand examines the registry and what it stands on.
type doctorCommand struct {
	databaseFlags
	filesFlags
}

// Help implements kong.HelpProvider.
func (doctorCommand) Help() string {
	return "Examines the whole database, the files of jobs and whether files can be stored, permissions, free space and the " +
		"clock, and changes nothing. Prints each check as ok or failed; exits with 1 if one failed. Can be run beside a server."
}

// Run implements the command.
func (c *doctorCommand) Run(ctx context.Context, con *console) (err error) {
	x := &examination{con: con, flags: &c.databaseFlags}
	x.report("data directory", x.directory())
	x.report("permissions", x.permissions())
	x.report("free space", x.space())
	st, err := c.open(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	x.report("database opens", asFinding(err))
	if err == nil {
		defer func() { err = errors.Join(err, st.Close()) }()
		x.report("database is whole", x.whole(ctx, st))
		x.report("clock", x.clock(ctx, st))
		if err := x.files(ctx, st, &c.filesFlags); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if x.failed > 0 {
		return failed("%d checks failed", x.failed).withHint("what is printed as failed says why")
	}
	return nil
}

// examination runs checks and prints what they find.
type examination struct {
	con    *console
	flags  *databaseFlags
	failed int
}

// finding is what a check found: nothing wrong, or lines that say what.
type finding []string

func (x *examination) report(check string, found finding) {
	if len(found) == 0 {
		fmt.Fprintf(x.con.Out, "ok      %s\n", check)
		return
	}
	x.failed++
	fmt.Fprintf(x.con.Out, "failed  %s\n", check)
	for _, line := range found {
		fmt.Fprintf(x.con.Out, "          %s\n", printable(line))
	}
}

// asFinding makes the lines of an error.
func asFinding(err error) finding {
	if err == nil {
		return nil
	}
	if f := (*failure)(nil); errors.As(err, &f) {
		return finding{f.what}
	}
	if f := (*fault.Error)(nil); errors.As(err, &f) && f.Hint != "" {
		return finding{f.Error(), f.Hint}
	}
	return finding{err.Error()}
}

func (x *examination) directory() finding {
	info, err := os.Stat(x.flags.dir())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return finding{x.flags.dir() + " does not exist"}
	case err != nil:
		return asFinding(err)
	case !info.IsDir():
		return finding{x.flags.dir() + " is no folder"}
	}
	return nil
}

// permissions finds what others on this machine could read, and what this user cannot write.
func (x *examination) permissions() finding {
	const others = 0o077
	var found finding
	for _, name := range []string{".", store.FileName, jobs.UploadFolder, jobs.OutputFolder} {
		path := filepath.Join(x.flags.dir(), name)
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // other checks tell
		}
		if err != nil {
			found = append(found, err.Error())
			continue
		}
		if mode := info.Mode().Perm(); mode&others != 0 {
			found = append(found, fmt.Sprintf("%s can be used by other users (%04o): run chmod go= %s", path, mode, path))
		}
	}
	probe, err := os.CreateTemp(x.flags.dir(), ".doctor-*")
	if err != nil {
		return append(found, "nothing can be written here: "+err.Error())
	}
	return append(found, asFinding(errors.Join(probe.Close(), os.Remove(probe.Name())))...)
}

// leastSpace is how many bytes should be free: a bulk file of 2 GiB needs more, a day's work of
// single requests far less.
const leastSpace = 256 << 20

func (x *examination) space() finding {
	free, known, err := freeSpace(x.flags.dir())
	switch {
	case err != nil:
		return finding{"cannot be told: " + err.Error()}
	case known && free < leastSpace:
		return finding{fmt.Sprintf("%d MiB are free, at least %d should be", free>>20, leastSpace>>20)}
	}
	return nil
}

func (x *examination) whole(ctx context.Context, st store.Store) finding {
	problems, err := st.Check(ctx)
	return append(finding(problems), asFinding(err)...)
}

// files examines the place of the files and those that jobs need.
func (x *examination) files(ctx context.Context, st store.Store, flags *filesFlags) (err error) {
	if flags.FilesURL == "" && flags.FilesURLFile == "" && len(x.directory()) > 0 {
		x.report("files can be stored", finding{"no --files-url is given, and there is no data directory"})
		return nil
	}
	place, err := flags.openFiles(ctx, x.flags.dir())
	if err == nil {
		defer func() { err = errors.Join(err, place.Close()) }()
		err = place.Ping(ctx)
	}
	x.report("files can be stored", asFinding(err))
	if err != nil {
		return nil
	}
	uploads, outputs, err := neededFiles(ctx, st)
	if err != nil {
		return err
	}
	x.report("uploads of unfinished jobs", x.missing(ctx, st, place, uploads))
	x.report("logs and extracts", x.missing(ctx, st, place, outputs))
	return nil
}

// missing finds files that jobs need and that are not there, or not as long as they were.
func (x *examination) missing(ctx context.Context, st store.Store, place *files.Files, needed []neededFile) finding {
	var found finding
	for _, file := range needed {
		size, err := place.Size(ctx, file.key)
		if err == nil && (file.size < 0 || size == file.size) {
			continue
		}
		if used, again := st.FilesInUse(ctx, []string{file.key}); again == nil && !used[file.key] {
			continue // the job has ended or was deleted meanwhile
		}
		if err != nil {
			found = append(found, fmt.Sprintf("job %s: its file %s cannot be read: %v", file.job, file.key, err))
			continue
		}
		found = append(found, fmt.Sprintf("job %s: its file %s has %d bytes, it was received with %d", file.job, file.key, size, file.size))
	}
	return found
}

// The least time that a clock can show, and how far ahead of it the last event may be.
const (
	leastYear = 2025
	maxSkew   = time.Minute
)

// clock finds a clock that was set back: events that are remembered from its future.
func (x *examination) clock(ctx context.Context, st store.Store) finding {
	now := x.con.now().UTC()
	if now.Year() < leastYear {
		return finding{"the clock shows " + now.Format(time.RFC3339)}
	}
	last, err := lastEvent(ctx, st)
	switch {
	case err != nil:
		return asFinding(err)
	case last != nil && last.At.After(now.Add(maxSkew)):
		return finding{fmt.Sprintf("it is %s, and the last event is of %s", now.Format(time.RFC3339), last.At.Format(time.RFC3339))}
	}
	return nil
}

// lastEvent finds the newest event of the audit trail, which can only be read forwards, by
// halving the range of positions that it can have. Nil if there is none.
func lastEvent(ctx context.Context, st store.Store) (*trail.Record, error) {
	var last *trail.Record
	after := func(position int64) (bool, error) {
		page, err := st.AuditEvents(ctx, trail.Filter{After: position, Limit: 1})
		if err != nil || len(page) == 0 {
			return false, err
		}
		last = &page[0]
		return true, nil
	}
	low, high := int64(0), int64(1)
	for {
		more, err := after(high)
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		low, high = last.Position, 2*last.Position
	}
	for low < high {
		middle := low + (high-low)/2
		more, err := after(middle)
		if err != nil {
			return nil, err
		}
		if more {
			low = last.Position
		} else {
			high = middle
		}
	}
	return last, nil
}
