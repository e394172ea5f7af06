package relational

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/registry"
	"rollcall/internal/store/trail"
)

var eventColumns = []string{
	"study_id", "seq", "width", "at", "actor", "role", "dialect", "request_id", "reason",
	"action", "participant_id", "identifier", "fields",
}

// recordEvents numbers the events and stores them.
func (t *tx) recordEvents(ctx context.Context, at time.Time, events []audit.Event) error {
	if len(events) == 0 {
		return nil
	}
	var width int64
	for i := range events {
		width += events[i].Width()
	}
	last, found, err := queryOne(ctx, t.w, scanValue[int64],
		"UPDATE study_counters SET last_audit_seq = last_audit_seq + $1 WHERE study_id = $2 RETURNING last_audit_seq",
		width, int64(t.study))
	if err != nil {
		return err
	}
	if !found {
		return studyUnknown()
	}
	if err := t.w.Announce(ctx); err != nil {
		return err
	}
	seq := last - width + 1
	var text []byte
	_, err = t.w.Insert(ctx, t.db.set.events, len(events), func(args []any, row int) ([]any, error) {
		e := &events[row]
		text = appendFields(text[:0], e.Fields)
		args = append(args, int64(t.study), seq, e.Width(), at.UnixMicro(),
			e.Origin.Actor, e.Origin.Role, e.Origin.Dialect, e.Origin.RequestID, e.Origin.Reason,
			string(e.Action), nullUUID(e.Participant), e.Identifier, string(text))
		seq += e.Width()
		return args, nil
	})
	return err
}

// RecordEvents remembers events of a study (0 for the deployment) outside a change: what was
// read, or requested. An event about somebody who was erased is kept without a personal value.
func (db *DB) RecordEvents(ctx context.Context, study registry.StudyID, at time.Time, events []audit.Event) error {
	return db.inStudy(ctx, study, func(ctx context.Context, t *tx) error {
		err := t.recordEvents(ctx, at, events)
		if err == nil {
			err = t.eraseLate(ctx, events, nil)
		}
		return t.fail("record audit events", err)
	})
}

const eventsRead = `position, study_id, seq, at, actor, role, dialect, request_id, reason,
	action, participant_id, identifier, fields, erased`

// The pages of the trail. Where to go on is one bound of one index, read in the order of that
// index: so an engine that knows little of a table yet does not think of sorting all the rest.
const (
	eventsOfAll = "SELECT " + eventsRead + " FROM audit_events WHERE position > $1 ORDER BY position LIMIT $2"

	eventsOfStudy = "SELECT " + eventsRead + ` FROM
		(SELECT * FROM audit_events WHERE (study_id, seq) > ($1, $2) ORDER BY study_id, seq LIMIT $3) AS page
		WHERE study_id = $1 ORDER BY seq`
)

// AuditEvents reads the audit trail, oldest first.
func (db *DB) AuditEvents(ctx context.Context, filter trail.Filter) ([]trail.Record, error) {
	read := db.eventsOfAll
	if filter.Study != nil {
		read = db.eventsOfStudy
	}
	records, err := read(ctx, filter)
	return records, db.engine.Classify("read the audit trail", err)
}

// eventsOfStudy reads a page of one study, in which seq and position grow together.
func (db *DB) eventsOfStudy(ctx context.Context, filter trail.Filter) ([]trail.Record, error) {
	study := int64(*filter.Study)
	after, _, err := queryOne(ctx, db.engine.Read(), scanValue[int64],
		"SELECT coalesce(max(CASE WHEN study_id = $2 THEN seq END), 0) FROM audit_events WHERE position = $1", filter.After, study)
	if err != nil {
		return nil, err
	}
	return query(ctx, db.engine.Read(), scanRecord, eventsOfStudy, study, after, max(filter.Limit, 0))
}

// eventsOfAll reads a page of all studies. Another study's transaction may still write an event
// below one that has committed, and a page that ended at that one would never be followed by it:
// so a page ends at the last position that is known to be settled.
func (db *DB) eventsOfAll(ctx context.Context, filter trail.Filter) ([]trail.Record, error) {
	page := func() ([]trail.Record, error) {
		return query(ctx, db.engine.Read(), scanRecord, eventsOfAll, filter.After, max(filter.Limit, 0))
	}
	records, err := page()
	if err != nil || len(records) == 0 || records[len(records)-1].Position <= db.settled.Load() {
		return records, err
	}
	settled, err := db.engine.SettledPosition(ctx)
	if err != nil {
		return nil, err
	}
	db.settled.Store(settled)
	if records, err = page(); err != nil {
		return nil, err
	}
	unsettled := func(r trail.Record) bool { return r.Position > settled }
	if end := slices.IndexFunc(records, unsettled); end >= 0 {
		records = records[:end]
	}
	return records, nil
}

func scanRecord(row scanner) (trail.Record, error) {
	var r trail.Record
	var at int64
	var participant uuid.NullUUID
	var fields string
	o := &r.Origin
	err := row.Scan(&r.Position, &r.Study, &r.Seq, &at, &o.Actor, &o.Role, &o.Dialect, &o.RequestID, &o.Reason,
		(*string)(&r.Action), &participant, &r.Identifier, &fields, &r.Erased)
	if err != nil {
		return r, err
	}
	r.At = time.UnixMicro(at).UTC()
	r.Participant = participant.UUID
	r.Fields, err = decodeFields(fields)
	return r, err
}

// appendFields encodes field changes as [["field","old","new"],...], "" for none.
func appendFields(to []byte, fields []audit.FieldChange) []byte {
	if len(fields) == 0 {
		return to
	}
	for i, f := range fields {
		if i == 0 {
			to = append(to, '[')
		} else {
			to = append(to, ',')
		}
		to = appendJSON(append(to, '['), f.Field)
		to = appendJSON(append(to, ','), f.Old)
		to = appendJSON(append(to, ','), f.New)
		to = append(to, ']')
	}
	return append(to, ']')
}

// appendJSON appends s as a JSON string; bytes that are not UTF-8 become U+FFFD.
func appendJSON(to []byte, s string) []byte {
	const hex = "0123456789abcdef"
	to = append(to, '"')
	plain := 0 // from here on up to i nothing needs encoding
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < 0x7f && c != '"' && c != '\\' {
			i++
			continue
		}
		to = append(to, s[plain:i]...)
		switch {
		case c == '"' || c == '\\':
			to = append(to, '\\', c)
			i++
		case c < utf8.RuneSelf:
			to = append(to, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			i++
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			to = utf8.AppendRune(to, r)
			i += size
		}
		plain = i
	}
	to = append(to, s[plain:]...)
	return append(to, '"')
}

func decodeFields(text string) ([]audit.FieldChange, error) {
	if text == "" {
		return nil, nil
	}
	var raw [][]string
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		return nil, fmt.Errorf("decode an audit event: %w", err)
	}
	fields := make([]audit.FieldChange, len(raw))
	for i, f := range raw {
		if len(f) != 3 {
			return nil, errors.New("decode an audit event: a field change has not three parts")
		}
		fields[i] = audit.FieldChange{Field: f[0], Old: f[1], New: f[2]}
	}
	return fields, nil
}
