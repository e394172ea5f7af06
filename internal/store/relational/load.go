package relational

import (
	"context"

	"rollcall/internal/registry"
)

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
	if err := t.loadParticipants(ctx, "identifier_key", anys(ask.Identifiers), byID, known); err != nil {
		return nil, err
	}
	if err := t.loadParticipants(ctx, "id", anys(ask.IDs), byID, known); err != nil {
		return nil, err
	}
	err := t.db.engine.In("oid", 2, anys(ask.OIDs), func(condition string, args []any) error {
		taken, err := query(ctx, t.w, scanValue[string],
			"SELECT oid FROM participants WHERE study_id = $1 AND "+condition, t.withStudy(args)...)
		known.OIDs = append(known.OIDs, taken...)
		return err
	})
	if err != nil {
		return nil, err
	}
	if err := t.loadClaims(ctx, ask.Claims, known); err != nil {
		return nil, err
	}
	t.rememberFree(ask.Claims, known)
	return known, t.loadFingerprints(ctx, ask.Fingerprints, known)
}

// loadParticipants reads those whose column has one of the values, each once.
func (t *tx) loadParticipants(
	ctx context.Context, column string, values []any, seen map[registry.ID]*registry.Participant, known *registry.Known,
) error {
	return t.db.engine.In(column, 2, values, func(condition string, args []any) error {
		found, err := query(ctx, t.w, t.db.scanParticipant,
			selectParticipant+" WHERE study_id = $1 AND "+condition, t.withStudy(args)...)
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
		err := t.db.engine.In("contact_key", 3, keys, func(condition string, args []any) error {
			_, err := query(ctx, t.w, func(row scanner) (struct{}, error) {
				claim := registry.Claim{Kind: kind}
				var holder registry.ID
				err := row.Scan(&claim.Key, &holder)
				known.Claims[claim] = holder
				return struct{}{}, err
			}, "SELECT contact_key, participant_id FROM contact_claims WHERE study_id = $1 AND kind = $2 AND "+condition,
				append([]any{int64(t.study), int64(kind)}, args...)...)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// rememberFree keeps which claims are free: nobody else can take them within this transaction.
func (t *tx) rememberFree(asked []registry.Claim, known *registry.Known) {
	if t.free == nil {
		t.free = make(map[registry.Claim]bool, len(asked))
	}
	for _, c := range asked {
		if _, held := known.Claims[c]; !held {
			t.free[c] = true
		}
	}
}

func (t *tx) loadFingerprints(ctx context.Context, prints []registry.Fingerprint, known *registry.Known) error {
	values := make([]any, len(prints))
	for i := range prints {
		values[i] = prints[i][:]
	}
	return t.db.engine.In("fingerprint", 1, values, func(condition string, args []any) error {
		taken, err := query(ctx, t.w, scanValue[[]byte], "SELECT fingerprint FROM access_codes WHERE study_id = 0 AND "+condition, args...)
		for _, print := range taken {
			known.Fingerprints[registry.Fingerprint(print)] = true
		}
		return err
	})
}

func (t *tx) withStudy(args []any) []any { return append([]any{int64(t.study)}, args...) }

// anys makes arguments of values.
func anys[T any](values []T) []any {
	args := make([]any, len(values))
	for i, v := range values {
		args[i] = v
	}
	return args
}
