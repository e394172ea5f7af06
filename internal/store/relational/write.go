package relational

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// statementSet holds the statements that Write builds once.
type statementSet struct {
	participants, claims, codes, events *Insertion
	freeClaims                          *Insertion
	members, invitations                *Insertion
	updateState, updatePlace            string
}

func newStatementSet() *statementSet {
	return &statementSet{
		participants: &Insertion{Table: "participants", Columns: participantColumns, Blank: blankColumns},
		members: &Insertion{
			Table: "segment_members", Columns: []string{"study_id", "segment_id", "participant_id", "added_at"},
			Suffix: "ON CONFLICT (study_id, segment_id, participant_id) DO NOTHING",
		},
		invitations: &Insertion{
			Table: "invitations", Columns: []string{"study_id", "participant_id", "state", "queued_at", "updated_at"},
			Suffix: "ON CONFLICT (study_id, participant_id) DO NOTHING",
		},
		freeClaims: &Insertion{Table: "contact_claims", Columns: claimColumns},
		// Taking one's own claim again is no conflict; taking another's changes no row.
		claims: &Insertion{
			Table: "contact_claims", Columns: claimColumns,
			Suffix: `ON CONFLICT (study_id, kind, contact_key) DO UPDATE SET participant_id = excluded.participant_id
			 WHERE contact_claims.participant_id = excluded.participant_id`,
		},
		codes:       &Insertion{Table: "access_codes", Columns: []string{"fingerprint", "of_study", "participant_id"}},
		events:      &Insertion{Table: "audit_events", Columns: eventColumns},
		updateState: updateOf(stateColumns),
		updatePlace: updateOf(placeColumns),
	}
}

var claimColumns = []string{"study_id", "kind", "contact_key", "participant_id"}

// updateOf is the UPDATE of one participant's columns; the study and the participant's id are
// the last two parameters.
func updateOf(columns []string) string {
	set := make([]string, len(columns))
	for i, column := range columns {
		set[i] = fmt.Sprintf("%s = $%d", column, i+1)
	}
	return fmt.Sprintf("UPDATE participants SET %s WHERE study_id = $%d AND id = $%d",
		strings.Join(set, ", "), len(columns)+1, len(columns)+2)
}

// Write implements registry.Tx.
func (t *tx) Write(ctx context.Context, at time.Time, out *registry.Outcome) error {
	if t.err != nil {
		return t.err
	}
	return t.fail("write the outcome", t.write(ctx, at, out))
}

// write goes in an order in which what is given up is free before it is taken, and in which
// an erasure finds the events of its own batch too.
func (t *tx) write(ctx context.Context, at time.Time, out *registry.Outcome) error {
	if err := unremembered(out); err != nil {
		return err
	}
	if err := t.recordEvents(ctx, at, out.Events); err != nil {
		return err
	}
	if err := t.erase(ctx, out.Deleted); err != nil {
		return err
	}
	if err := t.eraseLate(ctx, out.Events, out); err != nil {
		return err
	}
	if err := t.release(ctx, out.Released); err != nil {
		return err
	}
	if err := t.update(ctx, out.Writes); err != nil {
		return err
	}
	if err := t.insert(ctx, out.Writes); err != nil {
		return err
	}
	if err := t.claim(ctx, out.Claimed); err != nil {
		return err
	}
	if err := t.giveCodes(ctx, out.Codes); err != nil {
		return err
	}
	if err := t.member(ctx, at, out); err != nil {
		return err
	}
	if err := t.queueInvitations(ctx, at, out.Invited); err != nil {
		return err
	}
	return t.count(ctx, out.Counters)
}

// insert adds the new participants.
func (t *tx) insert(ctx context.Context, writes []registry.Write) error {
	added := make([]*registry.Participant, 0, len(writes))
	for _, w := range writes {
		if w.New {
			added = append(added, w.Participant)
		}
	}
	_, err := t.w.Insert(ctx, t.db.set.participants, len(added), func(args []any, row int) ([]any, error) {
		t.remember(added[row])
		return t.db.participantValues(args, added[row]), nil
	})
	return err
}

// update writes the final state of participants who exist. Identifiers may change hands within
// a batch, even in a circle, so those that change are given up before any is taken.
func (t *tx) update(ctx context.Context, writes []registry.Write) error {
	var changed, moved []*registry.Participant
	for _, w := range writes {
		if w.New {
			continue
		}
		p := w.Participant
		changed = append(changed, p)
		if t.places[p.ID] != (place{p.Identifier, p.OID, p.Site}) {
			moved = append(moved, p)
		}
	}
	err := t.w.Update(ctx, t.db.set.updateState, len(changed), func(args []any, i int) ([]any, error) {
		p := changed[i]
		return append(t.db.stateValues(args, p), int64(t.study), p.ID), nil
	})
	if err != nil {
		return err
	}
	err = t.w.Update(ctx, "UPDATE participants SET identifier_key = $1, oid = $1 WHERE study_id = $2 AND id = $3", len(moved),
		func(args []any, i int) ([]any, error) {
			// Neither an identifier nor an OID begins with NUL.
			return append(args, "\x00"+strconv.FormatInt(moved[i].Seq, 10), int64(t.study), moved[i].ID), nil
		})
	if err != nil {
		return err
	}
	return t.w.Update(ctx, t.db.set.updatePlace, len(moved), func(args []any, i int) ([]any, error) {
		t.remember(moved[i])
		return append(placeValues(args, moved[i]), int64(t.study), moved[i].ID), nil
	})
}

func (t *tx) release(ctx context.Context, released []registry.Claim) error {
	byKind := map[registry.ContactKind][]any{}
	for _, c := range released {
		byKind[c.Kind] = append(byKind[c.Kind], c.Key)
	}
	for kind, keys := range byKind {
		err := t.db.engine.In("contact_key", 3, keys, func(condition string, args []any) error {
			_, err := t.w.Exec(ctx, "DELETE FROM contact_claims WHERE study_id = $1 AND kind = $2 AND "+condition,
				append([]any{int64(t.study), int64(kind)}, args...)...)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// claim writes the claims that were won. Those that are known to be free are simply added, which
// is cheaper than asking the database about each once more.
func (t *tx) claim(ctx context.Context, claimed map[registry.Claim]registry.ID) error {
	free, others := make([]registry.Claim, 0, len(claimed)), []registry.Claim(nil)
	for c := range claimed {
		if t.free[c] {
			free = append(free, c)
			delete(t.free, c)
		} else {
			others = append(others, c)
		}
	}
	if err := t.insertClaims(ctx, t.db.set.claims, others, claimed); err != nil {
		return err
	}
	return t.insertClaims(ctx, t.db.set.freeClaims, free, claimed)
}

func (t *tx) insertClaims(ctx context.Context, into *Insertion, claims []registry.Claim, holders map[registry.Claim]registry.ID) error {
	slices.SortFunc(claims, func(a, b registry.Claim) int { // neighbours in the index are neighbours in time
		if a.Kind != b.Kind {
			return int(a.Kind) - int(b.Kind)
		}
		return strings.Compare(a.Key, b.Key)
	})
	won, err := t.w.Insert(ctx, into, len(claims), func(args []any, row int) ([]any, error) {
		c := claims[row]
		return append(args, int64(t.study), int64(c.Kind), c.Key, holders[c]), nil
	})
	if err == nil && won != int64(len(claims)) {
		return fault.New(fault.Conflict, "", "a contact belongs to another participant")
	}
	return err
}

func (t *tx) giveCodes(ctx context.Context, codes map[registry.Fingerprint]registry.ID) error {
	prints := make([]registry.Fingerprint, 0, len(codes))
	for print := range codes {
		prints = append(prints, print)
	}
	slices.SortFunc(prints, func(a, b registry.Fingerprint) int { return bytes.Compare(a[:], b[:]) })
	_, err := t.w.Insert(ctx, t.db.set.codes, len(prints), func(args []any, row int) ([]any, error) {
		print := prints[row]
		return append(args, print[:], int64(t.study), codes[print]), nil
	})
	return err
}

// count writes the counters that differ from those that were read.
func (t *tx) count(ctx context.Context, to *registry.Counters) error {
	if to == nil {
		return nil
	}
	n, err := t.w.Exec(ctx, "UPDATE study_counters SET last_seq = $1, counted = $2 WHERE study_id = $3",
		to.LastSeq, to.Counted, int64(t.study))
	if err != nil {
		return err
	}
	if n != 1 {
		return studyUnknown()
	}
	for site, last := range to.Numbered {
		if t.counters != nil {
			if was, ok := t.counters.Numbered[site]; ok && was == last {
				continue
			}
		}
		_, err := t.w.Exec(ctx, `INSERT INTO site_counters (study_id, site_id, last_number) VALUES ($1, $2, $3)
			ON CONFLICT (study_id, site_id) DO UPDATE SET last_number = excluded.last_number`,
			int64(t.study), int64(site), last)
		if err != nil {
			return err
		}
	}
	t.counters = cloneCounters(to)
	return nil
}
