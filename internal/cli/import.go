package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
)

// importCommand sends a CSV file to a running server and fetches its log.
type importCommand struct {
	Study    string `required:"" placeholder:"OID" help:"The study's OID."`
	Site     string `required:"" placeholder:"OID" help:"The site's OID."`
	Register bool   `help:"Register the participants for Participate too."`
	DryRun   bool   `help:"Tell what the file would do, and do nothing."`
	serverFlags
	File string `arg:"" name:"file.csv" help:"The CSV file; its first line names the columns, ParticipantID among them."`
}

// Help implements kong.HelpProvider.
func (importCommand) Help() string {
	return "Adds and updates the participants of the file, record by record, and writes what became of each to a log " +
		"beside it: people.csv has people.log.csv. Exits with 1 if a record failed.\n\n" +
		"With --dry-run nothing is written; people.preview.csv tells of each record whether it would be added, updated " +
		"(and in which columns), left as it is, or fail, and why.\n\n" +
		"The server keeps the file before it begins. Interrupting this command does not stop the import."
}

// Run implements the command.
func (c *importCommand) Run(ctx context.Context, con *console) error {
	file, size, err := openCSV(c.File)
	if err != nil {
		return err
	}
	defer file.Close()
	cl, err := c.connect(ctx, con)
	if err != nil {
		return err
	}
	bar := newProgress(con)
	defer bar.end()
	job, err := c.upload(ctx, cl, file, size, bar)
	if err != nil {
		return err
	}
	state, err := cl.follow(ctx, job, func(j remoteJob) {
		bar.show(c.doing(), j.Progress, fmt.Sprintf(", %d records, %d failed", j.Rows, j.Failed))
	})
	if errors.Is(err, context.Canceled) {
		return failed("interrupted; job %s goes on at the server", job)
	}
	if err != nil {
		return err
	}
	bar.end()
	log := c.logPath()
	if err := cl.download(ctx, job, log); err != nil {
		if state.Status != jobCompleted {
			return failed("job %s ended as %s: %s", job, state.Status, state.Message)
		}
		return err
	}
	return c.report(con, job, state, log)
}

// openCSV opens the file to send.
func openCSV(path string) (*os.File, int64, error) {
	if !strings.EqualFold(filepath.Ext(path), ".csv") {
		return nil, 0, wrong("%s: the name does not end in .csv", path).withHint("save the file as CSV and give it such a name")
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, 0, wrong("%v", err)
	}
	info, err := file.Stat()
	switch {
	case err != nil:
		_ = file.Close()
		return nil, 0, wrong("%v", err)
	case !info.Mode().IsRegular():
		_ = file.Close()
		return nil, 0, wrong("%s: not a regular file", path)
	case info.Size() == 0:
		_ = file.Close()
		return nil, 0, wrong("%s: the file is empty", path).withHint("its first line has to name its columns, ParticipantID among them")
	}
	return file, info.Size(), nil
}

// upload sends the file as it is read from the disk and answers the job's uuid.
func (c *importCommand) upload(ctx context.Context, cl *client, file io.Reader, size int64, bar *progress) (string, error) {
	var envelope bytes.Buffer
	form := multipart.NewWriter(&envelope)
	if _, err := form.CreateFormFile("file", filepath.Base(c.File)); err != nil {
		return "", fmt.Errorf("prepare the upload: %w", err)
	}
	head := envelope.Len()
	if err := form.Close(); err != nil {
		return "", fmt.Errorf("prepare the upload: %w", err)
	}
	before, after := envelope.Bytes()[:head], envelope.Bytes()[head:]
	counted := &countingReader{Reader: file, tell: func(read int64) { bar.show("sending", float64(read)/float64(size), "") }}
	body := io.MultiReader(bytes.NewReader(before), counted, bytes.NewReader(after))
	answer, err := cl.call(ctx, http.MethodPost, sitePath(c.Study, c.Site)+"/bulk"+registerQuery(c.Register)+c.dryRunQuery(), body,
		func(req *http.Request) {
			req.ContentLength = int64(envelope.Len()) + size
			req.Header.Set("Expect", "100-continue") // a refusal arrives before the file is sent
			req.Header.Set("Content-Type", form.FormDataContentType())
		})
	if err != nil {
		return "", err
	}
	return jobIn(answer)
}

func (c *importCommand) dryRunQuery() string {
	if c.DryRun {
		return "&dryRun=y"
	}
	return ""
}

// logPath is where the log of an import goes: beside the file.
func (c *importCommand) logPath() string {
	ending := ".log.csv"
	if c.DryRun {
		ending = ".preview.csv"
	}
	return strings.TrimSuffix(c.File, filepath.Ext(c.File)) + ending
}

func (c *importCommand) doing() string {
	if c.DryRun {
		return "checking"
	}
	return "importing"
}

// report prints what became of the file.
func (c *importCommand) report(con *console, job string, state remoteJob, log string) error {
	if len(state.Ignored) > 0 {
		fmt.Fprintf(con.Err, "columns that nobody reads: %s\n", strings.Join(state.Ignored, ", "))
	}
	if c.DryRun {
		fmt.Fprintf(con.Out, "%d records, %d would be done, %d would fail, nothing was written; log: %s\n", state.Rows, state.Rows-state.Failed, state.Failed, log)
	} else {
		fmt.Fprintf(con.Out, "%d records, %d done, %d failed; log: %s\n", state.Rows, state.Rows-state.Failed, state.Failed, log)
	}
	switch {
	case state.Status != jobCompleted:
		return failed("job %s ended as %s: %s", job, state.Status, state.Message).withHint("what was done until then is in %s", log)
	case state.Failed > 0:
		return failed("%d of %d records failed", state.Failed, state.Rows).withHint("each one's reason is in %s", log)
	}
	return nil
}
