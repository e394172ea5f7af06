package cli

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"rollcall/internal/fault"
	"rollcall/internal/files"
	"rollcall/internal/store"
	"rollcall/internal/store/relational"
)

// copyCommand moves a registry to another database.
type copyCommand struct {
	From         string `placeholder:"URL" help:"The database to copy: sqlite:///path/rollcall.db or postgres://..."`
	FromFile     string `placeholder:"FILE" help:"A file that holds that URL."`
	To           string `placeholder:"URL" help:"The database to copy to; it must be empty, or hold an unfinished copy."`
	ToFile       string `placeholder:"FILE" help:"A file that holds that URL."`
	FromFilesURL string `name:"from-files-url" placeholder:"URL" help:"Where the uploads, logs and extracts are, if not beside an SQLite database."`
	ToFilesURL   string `name:"to-files-url" placeholder:"URL" help:"Where to copy them; they stay where they are if not given."`
}

// Help implements kong.HelpProvider.
func (copyCommand) Help() string {
	return "Copies a whole registry, its audit trail included, into an empty database of either engine, and then compares every " +
		"row of both by count and checksum. Stop every server on either before. A copy that is cut off goes on when the same " +
		"command is run again; until it is whole, no server starts on it.\n\n" +
		"The source is not changed."
}

// Run implements the command.
func (c *copyCommand) Run(ctx context.Context, con *console) (err error) {
	from, to, err := c.addresses()
	if err != nil {
		return err
	}
	path, err := sourceFile(from)
	if err != nil {
		return err
	}
	release, err := lockSource(path)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, release()) }()
	source, err := store.Open(ctx, store.Config{DatabaseURL: from})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	if err := usable(ctx, source); err != nil {
		return err
	}
	if err := quiet(ctx, source); err != nil {
		return err
	}
	if _, err := source.ServerKey(ctx, registryKey, registryKeySize); err != nil { // so that both have it
		return err
	}
	target, err := store.Open(ctx, store.Config{DatabaseURL: to, Migrate: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	bar := newProgress(con)
	copyFiles := func(ctx context.Context) error { return c.copyFiles(ctx, path, source, con) }
	sums, err := store.Copy(ctx, source, target, copyFiles, func(doing, table string, done, total int64) {
		bar.show(doing, float64(done)/float64(max(total, 1)), ", "+strings.ReplaceAll(table, "_", " "))
	})
	bar.end()
	if errors.Is(err, context.Canceled) {
		return failed("interrupted").withHint("run the same command again: the copy goes on where it stopped")
	}
	if err != nil {
		return err
	}
	return printSums(con.Out, sums)
}

// printSums prints what was compared.
func printSums(w io.Writer, sums []relational.Sum) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "table\trows\tchecksum of both")
	for _, sum := range sums {
		fmt.Fprintf(table, "%s\t%d\t%s\n", sum.Table, sum.Rows, hex.EncodeToString(sum.Checksum[:8]))
	}
	fmt.Fprintln(table, "the copy is whole; start the servers on it")
	if err := table.Flush(); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

func (c *copyCommand) addresses() (from, to string, err error) {
	if from, err = secret("from", c.From, c.FromFile); err != nil {
		return "", "", err
	}
	if to, err = secret("to", c.To, c.ToFile); err != nil {
		return "", "", err
	}
	switch {
	case from == "":
		return "", "", wrong("nothing is named to copy").withHint("give --from, for example --from sqlite:///var/lib/rollcall/rollcall.db")
	case to == "":
		return "", "", wrong("nothing is named to copy to").withHint("give --to, for example --to postgres://rollcall@db.example.org/rollcall")
	case from == to:
		return "", "", wrong("--from and --to name one database")
	}
	return from, to, nil
}

// lockSource keeps servers from the folder of an SQLite database.
func lockSource(path string) (release func() error, err error) {
	if path == "" {
		return func() error { return nil }, nil
	}
	return store.Lock(filepath.Dir(path), fmt.Sprintf("pid %d, copying it", os.Getpid()))
}

// quiet answers an error while a node works on a job: then a server runs.
func quiet(ctx context.Context, st store.Store) error {
	unfinished, err := st.UnfinishedJobs(ctx)
	if err != nil {
		return err
	}
	for _, job := range unfinished {
		if job.Held {
			return failed("a server works on job %s of the source", job.ID).withHint("stop every server on it and run this again after 15 seconds")
		}
	}
	return nil
}

// copyFiles copies the files that jobs need, before the database says that they are there. They
// are beside an SQLite source, whose file is path.
func (c *copyCommand) copyFiles(ctx context.Context, path string, source store.Store, con *console) (err error) {
	uploads, outputs, err := neededFiles(ctx, source)
	if err != nil {
		return err
	}
	needed := slices.Concat(uploads, outputs)
	if c.ToFilesURL == "" {
		if len(needed) > 0 {
			fmt.Fprintf(con.Err, "%d uploads, logs and extracts stay where they are; --to-files-url would copy them\n", len(needed))
		}
		return nil
	}
	if path == "" && c.FromFilesURL == "" {
		return wrong("the files of a PostgreSQL registry are not beside it").withHint("give --from-files-url")
	}
	here, err := files.Open(ctx, files.Config{URL: c.FromFilesURL, Dir: filepath.Dir(path)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, here.Close()) }()
	there, err := files.Open(ctx, files.Config{URL: c.ToFilesURL})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, there.Close()) }()
	bar := newProgress(con)
	defer bar.end()
	lost := 0
	for i, file := range needed {
		bar.show("copying", float64(i)/float64(len(needed)), ", files")
		err := copyFile(ctx, here, there, file.key)
		switch {
		case err == nil:
		case fault.KindOf(err) != fault.NotFound:
			return fmt.Errorf("copy the file %s: %w", file.key, err)
		case i < len(uploads):
			return failed("the upload %s of job %s, which has not ended, is missing", file.key, file.job).
				withHint("--from-files-url names where the files are; or delete the job")
		default:
			lost++ // a log or extract that nobody can read any more
		}
	}
	if lost > 0 {
		bar.end()
		fmt.Fprintf(con.Err, "%d logs and extracts were missing already; rollcall doctor lists them\n", lost)
	}
	kept := &place{Files: there, store: source, accept: true}
	return kept.prove(ctx) // marks it
}

// copyFile copies one file. One that is there already is left alone: no file ever changes.
func copyFile(ctx context.Context, from, to *files.Files, key string) error {
	size, err := from.Size(ctx, key)
	if err != nil {
		return err
	}
	there, err := to.Size(ctx, key)
	if err != nil && fault.KindOf(err) != fault.NotFound {
		return err
	}
	if err == nil && there == size {
		return nil
	}
	file, err := from.Open(ctx, key)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := to.Put(ctx, key, file); err != nil {
		return fmt.Errorf("copy a file: %w", err)
	}
	return nil
}
