package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/registry"
	"rollcall/internal/store"
	"rollcall/internal/store/trail"
)

// auditCommand reads the audit trail.
type auditCommand struct {
	Export auditExport `cmd:"" help:"Write the audit trail as JSON lines, oldest first."`
	Verify auditVerify `cmd:"" help:"Check that the audit trail is whole and explains the registry."`
}

// auditPage is how many events are held in memory at a time.
const auditPage = 1000

// auditExport writes the audit trail.
type auditExport struct {
	Study  string `placeholder:"OID" help:"The events of this study alone."`
	Output string `short:"o" placeholder:"FILE" help:"A file to write instead of printing."`
	databaseFlags
}

// Help implements kong.HelpProvider.
func (auditExport) Help() string {
	return "One line for each field that changed, or one for an event without: seq, at, actor, role, dialect, requestId, " +
		"reason, study, participant, identifier, action, field, old, new. seq counts without gaps within a study; " +
		"events of the whole deployment have no study. Can be run beside a server."
}

// Run implements the command.
func (c *auditExport) Run(ctx context.Context, con *console) (err error) {
	st, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	a, err := newApp(ctx, st, con.now, signIn{})
	if err != nil {
		return err
	}
	var filter trail.Filter
	if c.Study != "" {
		study, err := a.study(ctx, c.Study)
		if err != nil {
			return err
		}
		filter.Study = &study.ID
	}
	if c.Output == "" {
		return a.exportTrail(ctx, con.Out, filter)
	}
	return writeFrom(c.Output, func(w io.Writer) error { return a.exportTrail(ctx, w, filter) })
}

// auditLine is one line of the export.
type auditLine struct {
	Seq         int64  `json:"seq"`
	At          string `json:"at"` // UTC, to the microsecond
	Actor       string `json:"actor"`
	Role        string `json:"role"`
	Dialect     string `json:"dialect"`
	RequestID   string `json:"requestId"`
	Reason      string `json:"reason"`
	Study       string `json:"study"`       // OID; "" for the deployment
	Participant string `json:"participant"` // uuid; "" if the event is about none
	Identifier  string `json:"identifier"`
	Action      string `json:"action"`
	Field       string `json:"field"` // "" for an event that changed no field
	Old         string `json:"old"`
	New         string `json:"new"`
	Erased      bool   `json:"erased,omitempty"` // the participant was deleted, values are gone
}

const auditTime = "2006-01-02T15:04:05.000000Z"

// exportTrail writes the events as they come from the store; memory stays flat.
func (a *app) exportTrail(ctx context.Context, w io.Writer, filter trail.Filter) error {
	out := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for r, err := range records(ctx, a.store, filter) {
		if err != nil {
			return err
		}
		catalog, err := a.registry.Catalog(ctx)
		if err != nil {
			return err
		}
		line := lineOf(catalog, &r)
		fields := r.Fields
		if len(fields) == 0 {
			fields = []audit.FieldChange{{}}
		}
		for _, f := range fields {
			line.Field, line.Old, line.New = f.Field, f.Old, f.New
			if err := enc.Encode(line); err != nil {
				return fmt.Errorf("write the audit trail: %w", err)
			}
			line.Seq++
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the audit trail: %w", err)
	}
	return nil
}

// lineOf is the first line of an event, without a field.
func lineOf(catalog *registry.Catalog, r *trail.Record) auditLine {
	line := auditLine{
		Seq: r.Seq, At: r.At.UTC().Format(auditTime),
		Actor: r.Origin.Actor, Role: r.Origin.Role, Dialect: r.Origin.Dialect, RequestID: r.Origin.RequestID,
		Reason: r.Origin.Reason, Identifier: r.Identifier, Action: string(r.Action), Erased: r.Erased,
	}
	if study, ok := catalog.StudyByID(r.Study); ok {
		line.Study = study.OID
	}
	if r.Participant != uuid.Nil {
		line.Participant = r.Participant.String()
	}
	return line
}

// records reads the audit trail page by page, oldest first, up to its end at that moment.
func records(ctx context.Context, st store.Store, filter trail.Filter) func(yield func(trail.Record, error) bool) {
	filter.Limit = auditPage
	return func(yield func(trail.Record, error) bool) {
		for {
			page, err := st.AuditEvents(ctx, filter)
			if err != nil {
				yield(trail.Record{}, fmt.Errorf("read the audit trail: %w", err))
				return
			}
			for _, r := range page {
				if !yield(r, nil) {
					return
				}
				filter.After = r.Position
			}
			if len(page) < filter.Limit {
				return
			}
		}
	}
}
