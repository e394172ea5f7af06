package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// rowsOfInsert is how many rows one statement inserts, as measured: more rows cost more in
// binding than they save. It is a power of two.
const rowsOfInsert = 64

// statementSet holds the statements that Write builds once.
type statementSet struct {
	participants, claims, codes, events *insertion
	members, invitations                *insertion
	updateState, updatePlace            string
}

func newStatementSet() *statementSet {
	return &statementSet{
		participants: newInsertion("participants", slices.Concat(participantColumns, searchColumns), ""),
		members: newInsertion("segment_members",
			[]string{"study_id", "segment_id", "participant_id", "added_at"},
			"ON CONFLICT (study_id, segment_id, participant_id) DO NOTHING"),
		invitations: newInsertion("invitations",
			[]string{"study_id", "participant_id", "state", "queued_at", "updated_at"},
			"ON CONFLICT (study_id, participant_id) DO NOTHING"),
		// Taking one's own claim again is no conflict; taking another's changes no row.
		claims: newInsertion("contact_claims",
			[]string{"study_id", "kind", "contact_key", "participant_id"},
			`ON CONFLICT (study_id, kind, contact_key) DO UPDATE SET participant_id = excluded.participant_id
			 WHERE contact_claims.participant_id = excluded.participant_id`),
		codes:       newInsertion("access_codes", []string{"fingerprint", "study_id", "participant_id"}, ""),
		events:      newInsertion("audit_events", eventColumns, ""),
		updateState: updateOf(slices.Concat(stateColumns, searchColumns)),
		updatePlace: updateOf(placeColumns),
	}
}

// updateOf is the UPDATE of one participant's columns.
func updateOf(columns []string) string {
	return fmt.Sprintf("UPDATE participants SET (%s) = (%s) WHERE study_id = ? AND id = ?",
		strings.Join(columns, ", "), placeholders(len(columns)))
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
	if err := t.member(ctx, at, out.Memberships); err != nil {
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
	_, err := t.insertAll(ctx, t.db.set.participants, len(added), func(args []any, row int) ([]any, error) {
		t.remember(added[row])
		args, err := participantValues(args, added[row])
		return searchValues(args, added[row]), err
	})
	return err
}

// update writes the final state of participants who exist. Identifiers may change hands within
// a batch, even in a circle, so those that change are given up before any is taken.
func (t *tx) update(ctx context.Context, writes []registry.Write) error {
	var moved []*registry.Participant
	for _, w := range writes {
		if w.New {
			continue
		}
		p := w.Participant
		args, err := stateValues(make([]any, 0, len(stateColumns)+len(searchColumns)+2), p)
		if err != nil {
			return err
		}
		args = searchValues(args, p)
		n, err := t.exec(ctx, t.db.set.updateState, append(args, int64(t.study), blob(p.ID))...)
		if err != nil {
			return err
		}
		if n != 1 {
			return errors.New("the participant to update does not exist")
		}
		if t.places[p.ID] != (place{p.Identifier, p.OID, p.Site}) {
			moved = append(moved, p)
		}
	}
	for _, p := range moved {
		// Neither an identifier nor an OID begins with NUL.
		_, err := t.exec(ctx, "UPDATE participants SET identifier_key = char(0) || seq, oid = char(0) || seq WHERE study_id = $1 AND id = $2",
			int64(t.study), blob(p.ID))
		if err != nil {
			return err
		}
	}
	for _, p := range moved {
		args := append(placeValues(nil, p), int64(t.study), blob(p.ID))
		if _, err := t.exec(ctx, t.db.set.updatePlace, args...); err != nil {
			return err
		}
		t.remember(p)
	}
	return nil
}

func (t *tx) release(ctx context.Context, released []registry.Claim) error {
	for _, c := range released {
		_, err := t.exec(ctx, "DELETE FROM contact_claims WHERE study_id = $1 AND kind = $2 AND contact_key = $3",
			int64(t.study), int64(c.Kind), c.Key)
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) claim(ctx context.Context, claimed map[registry.Claim]registry.ID) error {
	claims := make([]registry.Claim, 0, len(claimed))
	for c := range claimed {
		claims = append(claims, c)
	}
	slices.SortFunc(claims, func(a, b registry.Claim) int { // neighbours in the index are neighbours in time
		if a.Kind != b.Kind {
			return int(a.Kind) - int(b.Kind)
		}
		return strings.Compare(a.Key, b.Key)
	})
	won, err := t.insertAll(ctx, t.db.set.claims, len(claims), func(args []any, row int) ([]any, error) {
		c := claims[row]
		return append(args, int64(t.study), int64(c.Kind), c.Key, blob(claimed[c])), nil
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
	_, err := t.insertAll(ctx, t.db.set.codes, len(prints), func(args []any, row int) ([]any, error) {
		print := prints[row]
		return append(args, print[:], int64(t.study), blob(codes[print])), nil
	})
	return err
}

// count writes the counters that differ from those that were read.
func (t *tx) count(ctx context.Context, to *registry.Counters) error {
	if to == nil {
		return nil
	}
	n, err := t.exec(ctx, "UPDATE study_counters SET last_seq = $1, counted = $2 WHERE study_id = $3",
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
		_, err := t.exec(ctx, `INSERT INTO site_counters (study_id, site_id, last_number) VALUES ($1, $2, $3)
			ON CONFLICT (study_id, site_id) DO UPDATE SET last_number = excluded.last_number`,
			int64(t.study), int64(site), last)
		if err != nil {
			return err
		}
	}
	t.counters = cloneCounters(to)
	return nil
}
