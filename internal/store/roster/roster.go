package roster

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"sync"

	"github.com/google/uuid"

	"rollcall/internal/registry"
)

// Roster is a study's participants. Find may be called concurrently; whatever changes the roster
// must have it to itself.
type Roster struct {
	seqs    []int64                // by row; rows are in the order of creation
	ids     []registry.ID          // by row
	index   map[registry.ID]uint32 // rows by id; nil while ids are in their own order
	present bitmap                 // rows of participants who exist
	listed  bitmap                 // those among them who are not removed
	people  int                    // how many exist

	fixed  [fixedColumns]*column
	custom map[string]*column // by the name of the custom field

	segments map[uuid.UUID]bitmap

	changed []uint32 // rows in the order in which they changed in this era
	era     int      // grows when what changed is forgotten

	memory sync.Mutex // guards the maps below, not what is in them
	asked  map[condition]*answer
	orders map[orderKey]*keptOrder
	clock  int64 // grows with each use of an answer
}

// The columns that every participant has; details come first, by [registry.Field].
const (
	identifierColumn = int(registry.FieldCount) + iota
	phoneColumn      // as MyDataHelps writes it, where that is not within the stored form
	siteColumn
	statusColumn
	participateColumn
	invitationColumn
	enrolledColumn
	enrolledAtColumn
	withdrawnColumn
	fixedColumns
)

// yes is the value of what is true; what is not is "".
const yes = "y"

// New makes an empty roster.
func New() *Roster {
	r := &Roster{
		custom: map[string]*column{}, segments: map[uuid.UUID]bitmap{},
		asked: map[condition]*answer{}, orders: map[orderKey]*keptOrder{},
	}
	for i := range r.fixed {
		r.fixed[i] = newColumn()
	}
	return r
}

// Len is how many participants exist, the removed among them.
func (r *Roster) Len() int { return r.people }

// Last is the Seq of the participant who was created last; 0 if there has been nobody.
func (r *Roster) Last() int64 {
	if len(r.seqs) == 0 {
		return 0
	}
	return r.seqs[len(r.seqs)-1]
}

// row finds the row of a participant who exists.
func (r *Roster) row(id registry.ID) (uint32, bool) {
	row, known := r.index[id]
	if r.index == nil {
		i, found := slices.BinarySearchFunc(r.ids, id, compareIDs)
		row, known = uint32(i), found //nolint:gosec // rows are counted in 32 bits
	}
	return row, known && r.present.has(row)
}

func compareIDs(a, b registry.ID) int { return bytes.Compare(a[:], b[:]) }

// Put adds a participant or gives one a new state, and tells whether that was possible: whom the
// roster does not know has to come after all others in the order of creation. It keeps nothing
// of p.
func (r *Roster) Put(p *registry.Participant) bool {
	row, known := uint32(len(r.seqs)), false //nolint:gosec // rows are counted in 32 bits
	if p.Seq <= r.Last() {
		if row, known = r.row(p.ID); !known {
			return false
		}
	}
	if !known {
		r.add(row, p)
	}
	r.listed.put(row, p.Status != registry.StatusRemoved)
	r.putValues(row, p)
	r.change(row)
	return true
}

// add makes a row for a participant.
func (r *Roster) add(row uint32, p *registry.Participant) {
	if r.index == nil && len(r.ids) > 0 && compareIDs(r.ids[len(r.ids)-1], p.ID) >= 0 {
		r.index = make(map[registry.ID]uint32, len(r.ids))
		for at, id := range r.ids {
			r.index[id] = uint32(at) //nolint:gosec // rows are counted in 32 bits
		}
	}
	if r.index != nil {
		r.index[p.ID] = row
	}
	r.seqs, r.ids = append(r.seqs, p.Seq), append(r.ids, p.ID)
	r.present, r.listed = r.present.grown(len(r.seqs)), r.listed.grown(len(r.seqs))
	for id, members := range r.segments {
		r.segments[id] = members.grown(len(r.seqs))
	}
	r.present.put(row, true)
	r.people++
}

func (r *Roster) putValues(row uint32, p *registry.Participant) {
	var scratch [256]byte
	folded := func(into int, text string) { r.fixed[into].put(row, fold(scratch[:0], text)) }
	plain := func(into int, text string) { r.fixed[into].put(row, append(scratch[:0], text...)) }
	for f, value := range p.Details {
		folded(f, value)
	}
	folded(identifierColumn, p.Identifier)
	folded(phoneColumn, otherPhone(p.Details[registry.MobilePhone]))
	plain(siteColumn, siteValue(p.Site))
	plain(statusColumn, string(p.Status))
	plain(participateColumn, string(p.ParticipateNow()))
	folded(invitationColumn, string(p.Invitation))
	plain(enrolledColumn, truth(p.Enrolled))
	plain(withdrawnColumn, truth(p.Withdrawn()))
	if p.EnrolledAt.IsZero() {
		plain(enrolledAtColumn, "")
	} else {
		micros := uint64(p.EnrolledAt.UnixMicro()) ^ 1<<63 //nolint:gosec // the bits are what is ordered
		r.fixed[enrolledAtColumn].put(row, binary.BigEndian.AppendUint64(scratch[:0], micros))
	}
	for name := range p.Custom {
		if r.custom[name] == nil {
			r.custom[name] = newColumn()
		}
	}
	for name, column := range r.custom {
		column.put(row, fold(scratch[:0], p.Custom[name]))
	}
}

// otherPhone is a phone number as MyDataHelps writes it, if the stored form does not hold that.
func otherPhone(stored string) string {
	form := registry.PhoneForMyDataHelps(stored)
	if strings.Contains(stored, form) {
		return ""
	}
	return form
}

func siteValue(site registry.SiteID) string {
	return string(binary.BigEndian.AppendUint64(nil, uint64(site))) //nolint:gosec // the bits are what is compared
}

func truth(is bool) string {
	if is {
		return yes
	}
	return ""
}

// Drop forgets a participant who is erased. Nobody is no mistake.
func (r *Roster) Drop(id registry.ID) {
	row, known := r.row(id)
	if !known {
		return
	}
	r.putValues(row, &registry.Participant{})
	r.present.put(row, false)
	r.listed.put(row, false)
	for _, members := range r.segments {
		members.put(row, false)
	}
	r.people--
	r.change(row)
}

// change remembers that a row has changed, for what is kept of earlier queries.
func (r *Roster) change(row uint32) {
	if len(r.changed) > 1<<14 && len(r.changed) > len(r.seqs)/8 {
		r.changed, r.era = nil, r.era+1
	}
	r.changed = append(r.changed, row)
}

// HasSegment tells whether the roster knows the members of a segment.
func (r *Roster) HasSegment(segment uuid.UUID) bool {
	_, known := r.segments[segment]
	return known
}

// Segments lists the segments whose members the roster knows.
func (r *Roster) Segments() []uuid.UUID {
	all := make([]uuid.UUID, 0, len(r.segments))
	for id := range r.segments {
		all = append(all, id)
	}
	return all
}

// PutSegment tells the roster of all members of a segment. Whom it does not know it leaves out.
func (r *Roster) PutSegment(segment uuid.UUID, members []registry.ID) {
	set := bitmapFor(len(r.seqs))
	for _, id := range members {
		if row, known := r.row(id); known {
			set.put(row, true)
		}
	}
	r.segments[segment] = set
}

// PutMember says whether a participant belongs to a segment whose members the roster knows.
func (r *Roster) PutMember(segment uuid.UUID, id registry.ID, member bool) {
	if row, known := r.row(id); known {
		r.segments[segment].put(row, member)
	}
}

// ForgetSegments forgets the members of all segments.
func (r *Roster) ForgetSegments() { clear(r.segments) }

// Bytes is about how much memory the roster takes.
func (r *Roster) Bytes() int64 {
	const entry = 40 // of the index
	n := entry*len(r.index) + 16*cap(r.ids) + 8*cap(r.seqs) + 8*(cap(r.present)+cap(r.listed)) + 4*cap(r.changed)
	for _, c := range r.fixed {
		n += c.bytes()
	}
	for _, c := range r.custom {
		n += c.bytes()
	}
	r.memory.Lock()
	defer r.memory.Unlock()
	n += len(r.asked) * len(r.seqs) / 8
	for _, o := range r.orders {
		n += 4 * cap(o.rows)
	}
	return int64(n)
}
