package relational

import (
	"context"
	"errors"
	"sync"

	"github.com/google/uuid"

	"rollcall/internal/audit"
	"rollcall/internal/registry"
	"rollcall/internal/store/roster"
)

// DefaultRosterMemory is how many bytes the rosters of studies may take together where nothing
// else is said.
const DefaultRosterMemory = 2 << 30

// manyChanged is how many changed participants a roster catches up with one by one; past that it
// is read anew. Those who are new do not count: they come as fast as in a new one.
const manyChanged = 20_000

// manyAdded is for how many new participants a roster asks to which segments they belong; past
// that it asks for all members again, once somebody wants to know.
const manyAdded = 1000

// rosters are the rosters of the studies that have been queried, see [roster.Roster]. Those that
// were not asked for longest go when all take too much memory; one study's always stays.
type rosters struct {
	mu    sync.Mutex
	limit int64 // bytes
	kept  map[registry.StudyID]*keptRoster
	uses  int64
}

// keptRoster is one study's roster, as of a position.
type keptRoster struct {
	turn chan struct{} // holds one token while somebody changes the roster

	mu     sync.RWMutex   // held to change what is below, with the turn; or to ask
	roster *roster.Roster // nil: not read yet
	upTo   position

	reading *reading // nil: nobody reads it now

	total   int // how many are listed, as of a position, while the roster is not read
	totalAt position

	used, bytes int64 // guarded by rosters.mu
}

// position is how far a study has come. Whatever a query can see of participants changes
// together with one of the two numbers.
type position struct {
	events      int64 // the number of the last audit event
	memberships int64 // grows when members of segments change who have not changed themselves
}

func readPosition(ctx context.Context, in Querier, study registry.StudyID) (position, error) {
	at, _, err := queryOne(ctx, in, func(row scanner) (position, error) {
		var p position
		return p, row.Scan(&p.events, &p.memberships)
	}, "SELECT last_audit_seq, memberships FROM study_counters WHERE study_id = $1", int64(study))
	return at, err
}

// of finds a study's roster, which may not have been read yet.
func (s *rosters) of(study registry.StudyID) *keptRoster {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.kept[study]
	if k == nil {
		k = &keptRoster{turn: make(chan struct{}, 1)}
		s.kept[study] = k
	}
	s.uses++
	k.used = s.uses
	return k
}

// weigh notes how much memory a roster takes, and lets go of others if that is too much.
func (s *rosters) weigh(k *keptRoster, bytes int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k.bytes = bytes
	for {
		var all int64
		oldest := registry.StudyID(0)
		for study, other := range s.kept {
			all += other.bytes
			if other != k && other.bytes > 0 && (oldest == 0 || other.used < s.kept[oldest].used) {
				oldest = study
			}
		}
		if all <= s.limit || oldest == 0 {
			return
		}
		delete(s.kept, oldest) // who asks it right now still may
	}
}

// read tells whether the roster has been read.
func (k *keptRoster) read() bool {
	k.mu.RLock()
	defer k.mu.RUnlock()
	return k.roster != nil
}

// settle waits until nobody changes the roster. Nobody who waits here holds a connection: whoever
// changes the roster may need the last one.
func (k *keptRoster) settle(ctx context.Context) error {
	select {
	case k.turn <- struct{}{}:
		<-k.turn
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reading is the reading of a roster, which all who ask meanwhile wait for.
type reading struct {
	done chan struct{}
	err  error // once it is done
}

// awaitRoster waits until a study's roster has been read.
func (db *DB) awaitRoster(ctx context.Context, study registry.StudyID, k *keptRoster) error {
	if k.read() {
		return nil
	}
	r := db.beginRoster(study, k)
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done(): // it goes on: whoever asks next needs it too
		return ctx.Err()
	}
}

// beginRoster has a study's roster read, unless that is going on already. [DB.Stop] ends it.
func (db *DB) beginRoster(study registry.StudyID, k *keptRoster) *reading {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.reading != nil {
		return k.reading
	}
	r := &reading{done: make(chan struct{})}
	if db.open.Err() != nil {
		r.err = Away(errors.New("the database is closed"))
		close(r.done)
		return r
	}
	k.reading = r
	db.reading.Go(func() {
		defer close(r.done)
		r.err = db.readRoster(db.open, study, k)
		k.mu.Lock()
		k.reading = nil
		k.mu.Unlock()
	})
	return r
}

// readRoster reads a study's roster, unless it has been read.
func (db *DB) readRoster(ctx context.Context, study registry.StudyID, k *keptRoster) error {
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	if k.read() {
		return nil
	}
	var fresh *roster.Roster
	var at position
	err := db.engine.Survey(ctx, func(in Querier) (err error) {
		if at, err = readPosition(ctx, in, study); err == nil {
			fresh, err = db.readAll(ctx, in, study)
		}
		return err
	})
	if err != nil {
		return err
	}
	k.mu.Lock()
	k.roster, k.upTo = fresh, at
	k.mu.Unlock()
	db.rosters.weigh(k, fresh.Bytes())
	return nil
}

// answersFrom tells what to do with a question that is asked in the picture at a position.
type answersFrom int

const (
	rosterFits   answersFrom = iota // the roster is as that picture
	rosterBehind                    // it has to catch up first
	rosterAhead                     // it has seen a later one
)

// ask has the roster find the participants of a query, if it is at the position.
func (k *keptRoster) ask(at position, q *registry.Query) (seqs []int64, total int, fits answersFrom) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	switch {
	case k.roster == nil || at.events > k.upTo.events || at.memberships > k.upTo.memberships:
		return nil, 0, rosterBehind
	case at != k.upTo:
		return nil, 0, rosterAhead
	case q.Segment != nil && !k.roster.HasSegment(*q.Segment):
		return nil, 0, rosterBehind
	}
	seqs, total = k.roster.Find(q)
	return seqs, total, rosterFits
}

// catchUp brings the roster to the position of a picture, and has it know the members of a
// segment that is asked for. It changes nothing if the roster has seen a later picture, or while
// somebody else changes it.
func (db *DB) catchUp(ctx context.Context, in Querier, study registry.StudyID, k *keptRoster, at position, segment *uuid.UUID) error {
	select {
	case k.turn <- struct{}{}:
		defer func() { <-k.turn }()
	default:
		return nil
	}
	from, r := k.upTo, k.roster // nobody changes them: the turn is ours
	if r == nil || at.events < from.events || at.memberships < from.memberships {
		return nil
	}
	changed, err := query(ctx, in, scanValue[registry.ID], changedSince, int64(study), from.events, manyChanged+1)
	if err != nil {
		return err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.roster = nil // until all has gone well
	if len(changed) > manyChanged {
		return nil
	}
	if at.memberships != from.memberships {
		r.ForgetSegments()
	}
	if whole, err := db.update(ctx, in, study, r, changed); err != nil || !whole {
		return err
	}
	if segment != nil && !r.HasSegment(*segment) {
		members, err := query(ctx, in, scanValue[registry.ID],
			"SELECT participant_id FROM segment_members WHERE study_id = $1 AND segment_id = $2", int64(study), *segment)
		if err != nil {
			return err
		}
		r.PutSegment(*segment, members)
	}
	k.roster, k.upTo = r, at
	return nil
}

// The audit trail tells who has changed since a number: a change commits with its event. Who
// was added since is found by their Seq, and a reading changes nobody.
const changedSince = `SELECT DISTINCT participant_id FROM audit_events
	WHERE study_id = $1 AND seq > $2 AND participant_id IS NOT NULL AND action NOT IN ('` +
	string(audit.ParticipantAdded) + `', '` + string(audit.AccessCodeRead) + `', '` + string(audit.ParticipantInfoRead) + `') LIMIT $3`

// update puts those who have changed, and those who are new, into a roster. It tells whether that
// was possible; if not, or after an error, the roster is of no use any more.
func (db *DB) update(ctx context.Context, in Querier, study registry.StudyID, r *roster.Roster, changed []registry.ID) (whole bool, err error) {
	there := map[registry.ID]bool{}
	last, whole := r.Last(), true
	err = db.engine.In("id", 2, anys(changed), func(condition string, args []any) error {
		people, err := query(ctx, in, db.scanParticipant,
			selectParticipant+" WHERE study_id = $1 AND "+condition, append([]any{int64(study)}, args...)...)
		for _, p := range people {
			there[p.ID] = true
			if p.Seq <= last { // others come below, in order
				whole = whole && r.Put(p)
			}
		}
		return err
	})
	if err != nil || !whole {
		return false, err
	}
	for _, id := range changed {
		if !there[id] {
			r.Drop(id)
		}
	}
	moved := changed
	whole, err = db.readJoined(ctx, in, study, r, func(id registry.ID) { moved = append(moved, id) })
	if err != nil || !whole {
		return false, err
	}
	if len(moved) > len(changed)+manyAdded {
		r.ForgetSegments()
	}
	return true, db.moveMembers(ctx, in, study, r, moved)
}

// moveMembers has the roster know to which of the segments that it knows participants belong.
func (db *DB) moveMembers(ctx context.Context, in Querier, study registry.StudyID, r *roster.Roster, people []registry.ID) error {
	segments := r.Segments()
	if len(segments) == 0 {
		return nil
	}
	for _, segment := range segments {
		for _, id := range people {
			r.PutMember(segment, id, false)
		}
	}
	return db.engine.In("participant_id", 2, anys(people), func(condition string, args []any) error {
		return each(ctx, in, func(row scanner) (m registry.Membership, err error) {
			return m, row.Scan(&m.Segment, &m.Participant)
		}, func(m registry.Membership) error {
			if r.HasSegment(m.Segment) {
				r.PutMember(m.Segment, m.Participant, true)
			}
			return nil
		}, "SELECT segment_id, participant_id FROM segment_members WHERE study_id = $1 AND "+condition, append([]any{int64(study)}, args...)...)
	})
}

// unremembered answers an error if somebody is changed without an audit event that names them, or
// added without any: rosters, also those of other processes, would not hear of it.
func unremembered(out *registry.Outcome) error {
	told := map[registry.ID]bool{}
	changed := len(out.Deleted) > 0
	for _, w := range out.Writes {
		changed = changed || !w.New
	}
	if changed {
		for i := range out.Events {
			told[out.Events[i].Participant] = true
		}
	}
	for _, w := range out.Writes {
		if !told[w.Participant.ID] && (!w.New || len(out.Events) == 0) {
			return errUnremembered
		}
	}
	for _, id := range out.Deleted {
		if !told[id] {
			return errUnremembered
		}
	}
	return nil
}

var errUnremembered = errors.New("a participant is changed without an audit event")
