package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// participantCommand shows a participant or changes the status of the record.
type participantCommand struct {
	Show    showCommand   `cmd:"" help:"Print what is known about a participant."`
	Remove  removeCommand `cmd:"" help:"Hide a participant; restore brings them back."`
	Restore restoreOne    `cmd:"" help:"Bring a removed participant back."`
	Lock    lockCommand   `cmd:"" help:"Allow no more updates of a participant."`
	Unlock  unlockCommand `cmd:"" help:"Allow updates again."`
}

// participantFlags name one participant.
type participantFlags struct {
	Study string `required:"" placeholder:"OID" help:"The study's OID."`
	ID    string `required:"" name:"id" placeholder:"ID" help:"The participant's identifier."`
	databaseFlags
}

// within opens the registry, finds the study and does the work.
func (f *participantFlags) within(ctx context.Context, con *console, work func(a *app, study *registry.Study) error) (err error) {
	st, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	a, err := newApp(ctx, st, con.now, signIn{})
	if err != nil {
		return err
	}
	study, err := a.study(ctx, f.Study)
	if err != nil {
		return err
	}
	return work(a, study)
}

func (f *participantFlags) unknown(err error) error {
	if fault.HasCode(err, registry.ParticipantUnknown) {
		return failed("there is no participant %q in %s", f.ID, f.Study).
			withHint("--id takes the participant's identifier, as ParticipantID in a file")
	}
	return err
}

// actionFlags are those of a change.
type actionFlags struct {
	participantFlags
	Reason string `placeholder:"TEXT" help:"Why, for the audit trail."`
}

func (f *actionFlags) act(ctx context.Context, con *console, action registry.Action, done string) error {
	return f.within(ctx, con, func(a *app, study *registry.Study) error {
		results, err := a.registry.Apply(ctx, study.ID, registry.Change{
			Action: action, Profile: registry.Staff(), Origin: operator(f.Reason), Identifier: f.ID,
		})
		if err != nil {
			return err
		}
		r := results[0]
		if r.Err != nil {
			return f.unknown(r.Err)
		}
		if r.Done == registry.Unchanged {
			fmt.Fprintf(con.Out, "%s: nothing to change, it is %s\n", r.Participant.Identifier, r.Participant.Status)
			return nil
		}
		fmt.Fprintf(con.Out, "%s: %s\n", r.Participant.Identifier, done)
		return nil
	})
}

type removeCommand struct{ actionFlags }

// Run implements the command.
func (c *removeCommand) Run(ctx context.Context, con *console) error {
	return c.act(ctx, con, registry.Remove, "removed")
}

type restoreOne struct{ actionFlags }

// Run implements the command.
func (c *restoreOne) Run(ctx context.Context, con *console) error {
	return c.act(ctx, con, registry.Restore, "restored")
}

type lockCommand struct{ actionFlags }

// Run implements the command.
func (c *lockCommand) Run(ctx context.Context, con *console) error {
	return c.act(ctx, con, registry.Lock, "locked")
}

type unlockCommand struct{ actionFlags }

// Run implements the command.
func (c *unlockCommand) Run(ctx context.Context, con *console) error {
	return c.act(ctx, con, registry.Unlock, "unlocked")
}

// showCommand prints a participant.
type showCommand struct{ participantFlags }

// Help implements kong.HelpProvider.
func (showCommand) Help() string {
	return "That personal details were read is remembered in the audit trail. The access code is not shown."
}

// Run implements the command.
func (c *showCommand) Run(ctx context.Context, con *console) error {
	return c.within(ctx, con, func(a *app, study *registry.Study) error {
		p, err := a.registry.Find(ctx, study.ID, c.ID)
		if err != nil {
			return c.unknown(err)
		}
		event := audit.Event{
			Origin: operator(""), Action: audit.ParticipantInfoRead, Participant: p.ID, Identifier: p.Identifier,
		}
		if err := a.store.RecordEvents(ctx, study.ID, a.registry.Now(), []audit.Event{event}); err != nil {
			return fmt.Errorf("remember that the participant was read: %w", err)
		}
		return printParticipant(con, study, p)
	})
}

// printParticipant writes one line for each thing that is known.
func printParticipant(con *console, study *registry.Study, p *registry.Participant) error {
	w := tabwriter.NewWriter(con.Out, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, printable(value))
		}
	}
	line("identifier", p.Identifier)
	line("id", p.ID.String())
	line("oid", p.OID)
	line("study", study.OID)
	if site, ok := study.Site(p.Site); ok {
		line("site", site.OID)
	}
	line("status", string(p.Status))
	for _, f := range registry.Fields() {
		line(f.String(), p.Details[f])
	}
	for _, field := range study.CustomFields {
		line(registry.CustomFieldsName+"."+field.Name, p.Custom[field.Name])
	}
	line("participate", string(p.ParticipateNow()))
	line("invitation", string(p.Invitation))
	line("enrolled", dateText(p.EnrolledAt))
	line("withdrawn", dateText(p.WithdrawnAt))
	line("created", dateText(p.CreatedAt)+" by "+p.CreatedBy)
	line("updated", dateText(p.UpdatedAt)+" by "+p.UpdatedBy)
	if err := w.Flush(); err != nil {
		return fmt.Errorf("print the participant: %w", err)
	}
	return nil
}

func dateText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// printable keeps what people have typed from steering the terminal or the table.
func printable(text string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || (c >= 0x7f && c < 0xa0) {
			return '\uFFFD'
		}
		return c
	}, text)
}
