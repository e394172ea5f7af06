package cli

import (
	"context"
	"errors"
	"fmt"

	"rollcall/internal/audit"
	"rollcall/internal/registry"
	"rollcall/internal/store/trail"
)

// auditVerify checks the audit trail.
type auditVerify struct{ databaseFlags }

// Help implements kong.HelpProvider.
func (auditVerify) Help() string {
	return "Checks that the numbers of events have no gaps, that every participant was added by an event, that nobody who was " +
		"deleted is still there, and whatever else the database can tell about itself. It finds what was lost; it does not " +
		"yet find a trail that somebody with access to the database has rewritten with care."
}

// Run implements the command.
func (c *auditVerify) Run(ctx context.Context, con *console) (err error) {
	st, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	a, err := newApp(ctx, st, con.now, signIn{})
	if err != nil {
		return err
	}
	problems, err := st.Check(ctx)
	if err != nil {
		return err
	}
	catalog, err := a.registry.Catalog(ctx)
	if err != nil {
		return err
	}
	v := &verification{app: a, problems: problems}
	if err := v.study(ctx, "the deployment", 0); err != nil {
		return err
	}
	for _, s := range catalog.Studies() {
		if err := v.study(ctx, s.OID, s.ID); err != nil {
			return err
		}
	}
	for _, p := range v.problems {
		fmt.Fprintln(con.Out, p)
	}
	if len(v.problems) > 0 {
		return failed("the audit trail does not hold: %d problems", len(v.problems)).
			withHint("rollcall doctor checks the rest; keep this database and look for a backup from before")
	}
	fmt.Fprintf(con.Out, "%d events, %d participants: the audit trail is whole\n", v.events, v.participants)
	return nil
}

// maxNamed is how many problems of one study are named.
const maxNamed = 20

// verification walks through participants and events side by side: both are in order of
// creation, so that memory holds only those events whose participant has been deleted since.
type verification struct {
	*app
	problems             []string
	events, participants int64
}

// study checks the events of one study.
func (v *verification) study(ctx context.Context, name string, id registry.StudyID) error {
	t := &studyTrail{verification: v, name: name, id: id, due: 1, waiting: map[registry.ID]bool{}}
	var after int64
	for {
		page, err := v.registry.Participants(ctx, id, nil, after, auditPage)
		if err != nil {
			return err
		}
		for _, p := range page {
			after = p.Seq
			v.participants++
			explained, err := t.added(ctx, p.ID)
			if err != nil {
				return err
			}
			if !explained {
				t.problem("participant %s (number %d) was added by no event", p.ID, p.Seq)
			}
		}
		if len(page) < auditPage {
			break
		}
	}
	return t.rest(ctx)
}

// studyTrail reads one study's events in order.
type studyTrail struct {
	*verification
	name  string
	id    registry.StudyID
	after int64 // the position of the last event read
	due   int64 // the number that the next event has to have
	named int

	waiting map[registry.ID]bool // added by an event that was read, and not met yet
}

func (t *studyTrail) problem(format string, args ...any) {
	if t.named++; t.named <= maxNamed {
		t.problems = append(t.problems, t.name+": "+fmt.Sprintf(format, args...))
	}
}

// added reads on until the event that added the participant.
func (t *studyTrail) added(ctx context.Context, id registry.ID) (bool, error) {
	for !t.waiting[id] {
		more, err := t.read(ctx)
		if !more || err != nil {
			return false, err
		}
	}
	delete(t.waiting, id)
	return true, nil
}

// rest reads to the end.
func (t *studyTrail) rest(ctx context.Context) error {
	for {
		more, err := t.read(ctx)
		if !more || err != nil {
			return err
		}
	}
}

// read reads a page of events; false if there are no more.
func (t *studyTrail) read(ctx context.Context) (more bool, err error) {
	page, err := t.store.AuditEvents(ctx, trail.Filter{Study: &t.id, After: t.after, Limit: auditPage})
	if err != nil {
		return false, fmt.Errorf("read the audit trail: %w", err)
	}
	for i := range page {
		r := &page[i]
		t.after = r.Position
		t.events++
		if r.Seq != t.due {
			t.problem("event %d follows where %d is due", r.Seq, t.due)
		}
		t.due = r.Seq + r.Width()
		if err := t.account(ctx, r); err != nil {
			return false, err
		}
	}
	return len(page) > 0, nil
}

// account notes who was added, and checks that who was deleted is gone.
func (t *studyTrail) account(ctx context.Context, r *trail.Record) error {
	switch r.Action {
	case audit.ParticipantAdded:
		t.waiting[r.Participant] = true
	case audit.ParticipantDeleted:
		delete(t.waiting, r.Participant)
		p, err := t.store.ParticipantByID(ctx, t.id, r.Participant)
		if err != nil {
			return fmt.Errorf("look for a deleted participant: %w", err)
		}
		if p != nil {
			t.problem("participant %s was deleted by event %d and is still there", r.Participant, r.Seq)
		}
	default: // says nothing about who is there
	}
	return nil
}
