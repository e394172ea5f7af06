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

// manyChanges is how many audit events a roster catches up with; past that it is read anew.
const manyChanges = 100_000

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

// take waits for the turn to change the roster. The caller gives it back.
func (k *keptRoster) take(ctx context.Context) error {
	select {
	case k.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// readRoster reads a study's roster, unless it has been read. It is read to the end even if the
// caller gives up: whoever asks next needs it too.
func (db *DB) readRoster(ctx context.Context, study registry.StudyID, k *keptRoster) error {
	if k.read() {
		return nil
	}
	if err := k.take(ctx); err != nil {
		return err
	}
	defer func() { <-k.turn }()
	if k.read() {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	fresh := roster.New()
	var at position
	err := db.engine.Survey(ctx, func(in Querier) (err error) {
		fresh = roster.New()
		if at, err = readPosition(ctx, in, study); err != nil {
			return err
		}
		return each(ctx, in, db.scanParticipant, func(p *registry.Participant) error {
			fresh.Put(p)
			return nil
		}, selectParticipant+" WHERE study_id = $1 ORDER BY study_id, seq", int64(study))
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

// news is what has happened since a position.
type news struct {
	people   []*registry.Participant            // new or changed, as they are now, new ones last
	gone     []registry.ID                      // erased
	segments []uuid.UUID                        // whose members are looked at
	members  map[uuid.UUID]map[registry.ID]bool // of people, by segment
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
// segment that is asked for. It changes nothing if the roster has seen a later picture.
func (db *DB) catchUp(ctx context.Context, in Querier, study registry.StudyID, k *keptRoster, at position, segment *uuid.UUID) error {
	if err := k.take(ctx); err != nil {
		return err
	}
	defer func() { <-k.turn }()
	from, r := k.upTo, k.roster // nobody changes them: the turn is ours
	if r == nil || at.events < from.events || at.memberships < from.memberships {
		return nil
	}
	if at.events-from.events > manyChanges {
		k.forget()
		return nil
	}
	known := r.Segments()
	if at.memberships != from.memberships {
		known = nil
	}
	n, err := db.readNews(ctx, in, study, from, r.Last(), known)
	if err != nil {
		return err
	}
	var members []registry.ID
	more := segment != nil && (known == nil || !r.HasSegment(*segment))
	if more {
		members, err = query(ctx, in, scanValue[registry.ID],
			"SELECT participant_id FROM segment_members WHERE study_id = $1 AND segment_id = $2", int64(study), *segment)
		if err != nil {
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if at.memberships != from.memberships {
		r.ForgetSegments()
	}
	if !n.tell(r) {
		k.roster = nil
		return nil
	}
	if more {
		r.PutSegment(*segment, members)
	}
	k.upTo = at
	return nil
}

// forget has the roster be read anew.
func (k *keptRoster) forget() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.roster = nil
}

// tell puts the news into the roster, and tells whether that was possible.
func (n *news) tell(r *roster.Roster) bool {
	for _, p := range n.people {
		if !r.Put(p) {
			return false
		}
		for _, segment := range n.segments {
			r.PutMember(segment, p.ID, n.members[segment][p.ID])
		}
	}
	for _, id := range n.gone {
		r.Drop(id)
	}
	return true
}

// The audit trail tells who has changed since a number: a change commits with its event. Who
// was added since is found by their Seq, and a reading changes nobody.
const changedSince = `SELECT DISTINCT participant_id FROM audit_events
	WHERE study_id = $1 AND seq > $2 AND participant_id IS NOT NULL AND action NOT IN ('` +
	string(audit.ParticipantAdded) + `', '` + string(audit.AccessCodeRead) + `', '` + string(audit.ParticipantInfoRead) + `')`

// readNews reads what has happened since a position, and since the last participant was added.
func (db *DB) readNews(ctx context.Context, in Querier, study registry.StudyID, from position, last int64, segments []uuid.UUID) (*news, error) {
	n := &news{segments: segments}
	changed, err := query(ctx, in, scanValue[registry.ID], changedSince, int64(study), from.events)
	if err != nil {
		return nil, err
	}
	there := map[registry.ID]bool{}
	err = db.engine.In("id", 2, anys(changed), func(condition string, args []any) error {
		people, err := query(ctx, in, db.scanParticipant,
			selectParticipant+" WHERE study_id = $1 AND "+condition, append([]any{int64(study)}, args...)...)
		for _, p := range people {
			there[p.ID] = true
			if p.Seq <= last {
				n.people = append(n.people, p)
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, id := range changed {
		if !there[id] {
			n.gone = append(n.gone, id)
		}
	}
	added, err := query(ctx, in, db.scanParticipant,
		selectParticipant+" WHERE study_id = $1 AND seq > $2 ORDER BY study_id, seq", int64(study), last)
	if err != nil {
		return nil, err
	}
	n.people = append(n.people, added...)
	return n, db.readMembers(ctx, in, study, n)
}

// readMembers reads who of the people belongs to which of the segments.
func (db *DB) readMembers(ctx context.Context, in Querier, study registry.StudyID, n *news) error {
	if len(n.segments) == 0 {
		return nil
	}
	n.members = map[uuid.UUID]map[registry.ID]bool{}
	for _, segment := range n.segments {
		n.members[segment] = map[registry.ID]bool{}
	}
	ids := make([]any, len(n.people))
	for i, p := range n.people {
		ids[i] = p.ID
	}
	return db.engine.In("participant_id", 2, ids, func(condition string, args []any) error {
		_, err := query(ctx, in, func(row scanner) (struct{}, error) {
			var segment uuid.UUID
			var id registry.ID
			err := row.Scan(&segment, &id)
			if members := n.members[segment]; members != nil {
				members[id] = true
			}
			return struct{}{}, err
		}, "SELECT segment_id, participant_id FROM segment_members WHERE study_id = $1 AND "+condition, append([]any{int64(study)}, args...)...)
		return err
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
