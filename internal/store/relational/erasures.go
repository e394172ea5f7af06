package relational

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/registry"
)

// RememberErasure implements registry.Tx.
func (t *tx) RememberErasure(ctx context.Context, e *registry.Erasure) error {
	if t.err != nil {
		return t.err
	}
	return t.fail("remember an erasure", t.rememberErasure(ctx, e))
}

func (t *tx) rememberErasure(ctx context.Context, e *registry.Erasure) error {
	if e.Study != t.study {
		return fmt.Errorf("the erasure is of study %d, the transaction of study %d", e.Study, t.study)
	}
	people, err := encodeNames(e.People)
	if err != nil {
		return err
	}
	_, err = t.w.Exec(ctx, "INSERT INTO erasures (study_id, id, at, people) VALUES ($1, $2, $3, $4)",
		int64(e.Study), e.ID, e.At.UnixMicro(), people)
	return err
}

// Erasures implements jobs.OutputStore.
func (db *DB) Erasures(ctx context.Context) ([]registry.Erasure, error) {
	list, err := query(ctx, db.engine.Read(), scanErasure, "SELECT study_id, id, at, people FROM erasures ORDER BY at, study_id, id")
	return list, db.engine.Classify("list erasures", err)
}

func scanErasure(row scanner) (registry.Erasure, error) {
	var e registry.Erasure
	var at int64
	var people string
	if err := row.Scan(&e.Study, &e.ID, &at, &people); err != nil {
		return e, err
	}
	e.At = time.UnixMicro(at).UTC()
	var err error
	e.People, err = decodeNames(people)
	return e, err
}

// EndErasure implements jobs.OutputStore.
func (db *DB) EndErasure(ctx context.Context, study registry.StudyID, id uuid.UUID) error {
	return db.inStudy(ctx, study, func(ctx context.Context, t *tx) error {
		n, err := t.w.Exec(ctx, "DELETE FROM erasures WHERE study_id = $1 AND id = $2", int64(study), id)
		if n > 0 {
			t.w.Erased() // names
		}
		return t.fail("end an erasure", err)
	})
}

// encodeNames writes names as a JSON array of pairs: identifier and OID.
func encodeNames(people []registry.ErasedName) (string, error) {
	pairs := make([][2]string, len(people))
	for i, p := range people {
		pairs[i] = [2]string{p.Identifier, p.OID}
	}
	text, err := json.Marshal(pairs)
	if err != nil {
		return "", fmt.Errorf("encode the names of erased participants: %w", err)
	}
	return string(text), nil
}

func decodeNames(text string) ([]registry.ErasedName, error) {
	var pairs [][2]string
	if err := json.Unmarshal([]byte(text), &pairs); err != nil {
		return nil, fmt.Errorf("decode the names of erased participants: %w", err)
	}
	var people []registry.ErasedName
	for _, p := range pairs {
		people = append(people, registry.ErasedName{Identifier: p[0], OID: p[1]})
	}
	return people, nil
}

// ReplaceOutput implements jobs.OutputStore.
func (db *DB) ReplaceOutput(ctx context.Context, study registry.StudyID, id uuid.UUID, old, new string) (bool, error) {
	var replaced bool
	err := db.inStudy(ctx, study, func(ctx context.Context, t *tx) error {
		n, err := t.w.Exec(ctx, "UPDATE jobs SET output = $1 WHERE study_id = $2 AND id = $3 AND output = $4",
			new, int64(study), id, old)
		replaced = n > 0
		return t.fail("replace a job's output", err)
	})
	return replaced && err == nil, err
}

// FilesInUse implements jobs.OutputStore.
func (db *DB) FilesInUse(ctx context.Context, keys []string) (map[string]bool, error) {
	used := map[string]bool{}
	for column, state := range map[string]string{"upload": "state IN ('queued', 'in progress')", "output": "output <> ''"} {
		err := db.engine.In(column, 1, anys(keys), func(condition string, args []any) error {
			found, err := query(ctx, db.engine.Read(), scanValue[string],
				"SELECT "+column+" FROM jobs WHERE "+state+" AND "+column+" <> '' AND "+condition, args...)
			for _, key := range found {
				used[key] = true
			}
			return err
		})
		if err != nil {
			return nil, db.engine.Classify("look for files in use", err)
		}
	}
	return used, nil
}
