package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"rollcall/internal/store"
	"rollcall/internal/store/sqlite"
)

// restoreCommand puts a backup in place.
type restoreCommand struct {
	File  string `arg:"" help:"The archive that rollcall backup has written."`
	Force bool   `help:"Move what is in the data directory aside instead of refusing."`
	databaseFlags
}

// Help implements kong.HelpProvider.
func (restoreCommand) Help() string {
	return "Restores into a data directory that is new or empty, and not in use. The archive is checked as a whole before " +
		"anything is put in place. Jobs that were unfinished go on when the server starts."
}

// Run implements the command.
func (c *restoreCommand) Run(ctx context.Context, con *console) (err error) {
	if c.DatabaseURL != "" || c.DatabaseURLFile != "" {
		return wrong("a backup is restored into a data directory, not to --database-url").withHint("name the directory with --data-dir")
	}
	dir := c.dir()
	if info, err := os.Stat(c.File); err != nil || !info.Mode().IsRegular() {
		return wrong("%s is no file", c.File).withHint("name an archive that rollcall backup has written")
	}
	release, err := store.Lock(dir, fmt.Sprintf("pid %d, restoring a backup", os.Getpid()))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	old, err := occupants(dir)
	if err != nil {
		return err
	}
	if len(old) > 0 && !c.Force {
		return wrong("%s is not empty: it holds %s", dir, strings.Join(old, ", ")).
			withHint("restore into a new --data-dir, or give --force to move the old files aside")
	}
	staging, err := os.MkdirTemp(dir, stagingPrefix+"*")
	if err != nil {
		return fmt.Errorf("make a folder for the backup: %w", err)
	}
	defer os.RemoveAll(staging) //nolint:errcheck // the next restore removes what stays behind
	m, err := unpack(c.File, staging)
	if err != nil {
		return err
	}
	if err := checkRestored(ctx, c.File, staging); err != nil {
		return err
	}
	if len(old) > 0 {
		aside := filepath.Join(dir, asidePrefix+con.now().UTC().Format("20060102T150405.000Z"))
		if err := moveAside(dir, aside, old); err != nil {
			return err
		}
		fmt.Fprintf(con.Out, "the old files are in %s\n", aside)
	}
	if err := putInPlace(dir, staging); err != nil {
		return err
	}
	fmt.Fprintf(con.Out, "restored the backup of %s into %s\n", dateText(m.CreatedAt), dir)
	return nil
}

// Names of folders that restoring makes in the data directory.
const (
	stagingPrefix = ".restoring-"
	asidePrefix   = "before-restore-"
)

// occupants lists what stands in the data directory beside its lock and what restoring itself
// has left there. Leftovers of a restore that was cut off are removed.
func occupants(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("look into the data directory: %w", err)
	}
	var names []string
	for _, e := range entries {
		switch name := e.Name(); {
		case name == sqlite.LockName, name == nodeFile, strings.HasPrefix(name, asidePrefix):
		case strings.HasPrefix(name, stagingPrefix):
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				return nil, fmt.Errorf("remove what an earlier restore left: %w", err)
			}
		default:
			names = append(names, name)
		}
	}
	return names, nil
}

// checkRestored examines the unpacked database.
func checkRestored(ctx context.Context, archive, staging string) (err error) {
	st, err := store.Open(ctx, store.Config{DataDir: staging})
	if err != nil {
		return fmt.Errorf("open the database of %s: %w", archive, err)
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	problems, err := st.Check(ctx)
	if err != nil {
		return fmt.Errorf("check the database of %s: %w", archive, err)
	}
	if len(problems) > 0 {
		return notABackup(archive, fmt.Sprintf("its database does not hold together: %s", problems[0]))
	}
	return nil
}

func moveAside(dir, aside string, names []string) error {
	if err := os.Mkdir(aside, 0o700); err != nil {
		return fmt.Errorf("move the old files aside: %w", err)
	}
	for _, name := range names {
		if err := os.Rename(filepath.Join(dir, name), filepath.Join(aside, name)); err != nil {
			return fmt.Errorf("move the old files aside: %w", err)
		}
	}
	return errors.Join(syncFolder(aside), syncFolder(dir))
}

// putInPlace moves the unpacked files to where they belong, the database last: where it is,
// everything is.
func putInPlace(dir, staging string) error {
	for _, name := range append(archivedFolders(), store.FileName) {
		if err := syncFolder(staging); err != nil {
			return fmt.Errorf("put the backup in place: %w", err)
		}
		err := os.Rename(filepath.Join(staging, name), filepath.Join(dir, name))
		if errors.Is(err, fs.ErrExist) {
			return failed("%s has appeared in %s meanwhile", name, dir).withHint("try again")
		}
		if err != nil {
			return fmt.Errorf("put the backup in place: %w", err)
		}
	}
	if err := syncFolder(dir); err != nil {
		return fmt.Errorf("put the backup in place: %w", err)
	}
	return nil
}
