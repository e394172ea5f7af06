package cli

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
)

// extractCommand fetches a site's participants from a running server.
type extractCommand struct {
	Study    string `required:"" placeholder:"OID" help:"The study's OID."`
	Site     string `required:"" placeholder:"OID" help:"The site's OID."`
	Register bool   `help:"Access codes and Participate statuses too; reading a code is remembered in the audit trail."`
	Output   string `short:"o" required:"" placeholder:"FILE.csv" help:"The CSV file to write; one that exists is replaced."`
	serverFlags
}

// Help implements kong.HelpProvider.
func (extractCommand) Help() string {
	return "Writes the available participants of a site, in order of creation. For CRCs and investigators of that site."
}

// Run implements the command.
func (c *extractCommand) Run(ctx context.Context, con *console) error {
	if info, err := os.Stat(filepath.Dir(c.Output)); err != nil || !info.IsDir() {
		return wrong("%s: there is no such folder", filepath.Dir(c.Output))
	}
	cl, err := c.connect(ctx, con)
	if err != nil {
		return err
	}
	bar := newProgress(con)
	defer bar.end()
	answer, err := cl.call(ctx, http.MethodPost, sitePath(c.Study, c.Site)+"/extractParticipantsInfo"+registerQuery(c.Register), nil, nil)
	if err != nil {
		return err
	}
	job, err := jobIn(answer)
	if err != nil {
		return err
	}
	state, err := cl.follow(ctx, job, func(j remoteJob) {
		bar.show("extract", j.Progress, fmt.Sprintf(", %d participants", j.Rows))
	})
	if err != nil {
		return err
	}
	if state.Status != jobCompleted {
		return failed("job %s ended as %s: %s", job, state.Status, state.Message)
	}
	if err := cl.download(ctx, job, c.Output); err != nil {
		return err
	}
	bar.end()
	fmt.Fprintf(con.Out, "%d participants written to %s\n", state.Rows, c.Output)
	return nil
}
