package sqlite

import (
	"context"
	"maps"
	"strings"

	"rollcall/internal/registry"
)

// listSizes are the lengths of IN lists for which statements are kept. A shorter list is
// filled up with its last value.
var listSizes = [...]int{1, 8, 64, 512}

// inChunks cuts values into lists of the kept sizes and calls fn with the placeholders and
// arguments of each.
func inChunks(values []any, fn func(placeholders string, args []any) error) error {
	for len(values) > 0 {
		size := listSizes[len(listSizes)-1]
		for _, s := range listSizes {
			if s >= len(values) {
				size = s
				break
			}
		}
		n := min(size, len(values))
		args := append(make([]any, 0, size), values[:n]...)
		for len(args) < size {
			args = append(args, values[n-1])
		}
		if err := fn(placeholders(size), args); err != nil {
			return err
		}
		values = values[n:]
	}
	return nil
}

// placeholders is "?,?,..." for n parameters. SQLite numbers them on from the parameter before.
// Numbered ones would have names, among which the driver looks each one up in turn.
func placeholders(n int) string {
	return strings.TrimSuffix(strings.Repeat("?,", n), ",")
}

// Load implements registry.Tx.
func (t *tx) Load(ctx context.Context, ask *registry.Ask) (*registry.Known, error) {
	if t.err != nil {
		return nil, t.err
	}
	known, err := t.load(ctx, ask)
	if err := t.fail("load what is known", err); err != nil {
		return nil, err
	}
	return known, nil
}

func (t *tx) load(ctx context.Context, ask *registry.Ask) (*registry.Known, error) {
	known := &registry.Known{
		Claims:       map[registry.Claim]registry.ID{},
		Fingerprints: map[registry.Fingerprint]bool{},
	}
	byID := map[registry.ID]*registry.Participant{}
	if err := t.loadParticipants(ctx, "identifier_key", anys(ask.Identifiers, func(s string) any { return s }), byID, known); err != nil {
		return nil, err
	}
	if err := t.loadParticipants(ctx, "id", anys(ask.IDs, func(id registry.ID) any { return blob(id) }), byID, known); err != nil {
		return nil, err
	}
	err := inChunks(anys(ask.OIDs, func(s string) any { return s }), func(list string, args []any) error {
		taken, err := query(ctx, t, scanValue[string],
			"SELECT oid FROM participants WHERE study_id = $1 AND oid IN ("+list+")", t.withStudy(args)...)
		known.OIDs = append(known.OIDs, taken...)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := t.loadClaims(ctx, ask.Claims, known); err != nil {
		return nil, err
	}
	return known, t.loadFingerprints(ctx, ask.Fingerprints, known)
}

// loadParticipants reads those whose column has one of the values, each once.
func (t *tx) loadParticipants(
	ctx context.Context, column string, values []any, seen map[registry.ID]*registry.Participant, known *registry.Known,
) error {
	return inChunks(values, func(list string, args []any) error {
		found, err := query(ctx, t, scanParticipant,
			selectParticipant+" WHERE study_id = $1 AND "+column+" IN ("+list+")", t.withStudy(args)...)
		for _, p := range found {
			if seen[p.ID] == nil {
				seen[p.ID] = p
				known.Participants = append(known.Participants, p)
				t.remember(p)
			}
		}
		return err
	})
}

// remember keeps what Write compares with. It is copied, since the caller owns p.
func (t *tx) remember(p *registry.Participant) {
	if t.places == nil {
		t.places = map[registry.ID]place{}
	}
	t.places[p.ID] = place{p.Identifier, p.OID, p.Site}
}

func (t *tx) loadClaims(ctx context.Context, claims []registry.Claim, known *registry.Known) error {
	byKind := map[registry.ContactKind][]any{}
	for _, c := range claims {
		byKind[c.Kind] = append(byKind[c.Kind], c.Key)
	}
	for kind, keys := range byKind {
		err := inChunks(keys, func(list string, args []any) error {
			args = append([]any{int64(t.study), int64(kind)}, args...)
			_, err := query(ctx, t, func(row scanner) (struct{}, error) {
				claim := registry.Claim{Kind: kind}
				var holder registry.ID
				err := row.Scan(&claim.Key, &holder)
				known.Claims[claim] = holder
				return struct{}{}, err
			}, "SELECT contact_key, participant_id FROM contact_claims WHERE study_id = $1 AND kind = $2 AND contact_key IN ("+list+")", args...)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (t *tx) loadFingerprints(ctx context.Context, prints []registry.Fingerprint, known *registry.Known) error {
	return inChunks(anys(prints, func(p registry.Fingerprint) any { return p[:] }), func(list string, args []any) error {
		taken, err := query(ctx, t, scanValue[[]byte], "SELECT fingerprint FROM access_codes WHERE fingerprint IN ("+list+")", args...)
		for _, print := range taken {
			known.Fingerprints[registry.Fingerprint(print)] = true
		}
		return err
	})
}

func (t *tx) withStudy(args []any) []any { return append([]any{int64(t.study)}, args...) }

// anys makes arguments of values.
func anys[T any](values []T, arg func(T) any) []any {
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = arg(v)
	}
	return args
}

func cloneCounters(c *registry.Counters) *registry.Counters {
	return &registry.Counters{LastSeq: c.LastSeq, Counted: c.Counted, Numbered: maps.Clone(c.Numbered)}
}
