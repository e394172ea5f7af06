package relational

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"

	"rollcall/internal/fault"
)

// copying is the name under which a copy that is under way is marked among the versions.
const copying = "copying"

// What can keep a registry from being copied or served.
const (
	CopyUnfinished fault.Code = "copyUnfinished" // the registry is a copy that is not whole yet
	CopyDiffers    fault.Code = "copyDiffers"    // the copy does not hold what the source holds
	CopyOccupied   fault.Code = "copyOccupied"   // the target holds another registry
)

// Whole answers fault.Conflict with CopyUnfinished for a registry that is a copy under way.
func (db *DB) Whole(ctx context.Context) error {
	_, unfinished, err := queryOne(ctx, db.engine.Read(), scanValue[int64], versionQuery, copying)
	if err != nil {
		return db.engine.Classify("look for an unfinished copy", err)
	}
	if unfinished {
		return fault.New(fault.Conflict, CopyUnfinished, "this registry is a copy that is not whole").
			WithHint("run the same rollcall copy again: it goes on where it stopped")
	}
	return nil
}

// Progress is told how far a copy has got: what it does with which table, how many of its rows
// are done, and how many there are.
type Progress func(doing, table string, done, total int64)

// Copy copies a whole registry into an empty database, or goes on with a copy that was cut off,
// and compares every row of both. Nobody else may write to either. The copy is marked as
// unfinished until it is whole. Files, if not nil, is called once the target is known to be fit:
// it copies what is kept beside the database. Copy answers what was compared.
func Copy(ctx context.Context, from, to *DB, files func(ctx context.Context) error, progress Progress) ([]Sum, error) {
	if err := from.Whole(ctx); err != nil {
		return nil, err
	}
	if err := to.begin(ctx, from); err != nil {
		return nil, err
	}
	if files != nil {
		if err := files(ctx); err != nil {
			return nil, err
		}
	}
	for _, t := range tables() {
		if err := copyTable(ctx, from, to, &t, progress); err != nil {
			return nil, fmt.Errorf("copy %s: %w", t.name, err)
		}
	}
	var sums []Sum
	for _, t := range tables() {
		sum, err := compare(ctx, from, to, &t, progress)
		if err != nil {
			return nil, err
		}
		sums = append(sums, sum)
	}
	return sums, to.finish(ctx, from)
}

// begin marks the target as a copy under way and gives it the source's keys. A target that has
// other keys, or is a whole registry, is left alone.
func (db *DB) begin(ctx context.Context, from *DB) error {
	keys := tables()[0]
	want, err := query(ctx, from.engine.Read(), keys.scan(from, len(keys.columns)), keys.after(true))
	if err != nil {
		return from.engine.Classify("read the source's keys", err)
	}
	return db.inStudy(ctx, 0, func(ctx context.Context, t *tx) error {
		_, unfinished, err := queryOne(ctx, t.w, scanValue[int64], versionQuery, copying)
		if err != nil {
			return t.fail("look at the target", err)
		}
		have, err := query(ctx, t.w, keys.scan(db, len(keys.columns)), keys.after(true))
		if err != nil {
			return t.fail("look at the target", err)
		}
		if unfinished {
			if !slices.EqualFunc(want, have, sameRow) {
				return fault.New(fault.Conflict, CopyOccupied, "the target is an unfinished copy of another registry").WithHint("name an empty database")
			}
			return nil
		}
		studies, _, err := queryOne(ctx, t.w, scanValue[int64], "SELECT count(*) FROM studies")
		if err != nil {
			return t.fail("look at the target", err)
		}
		if len(have) > 0 || studies > 0 {
			return fault.New(fault.Conflict, CopyOccupied, "the target holds a registry already").WithHint("name an empty database")
		}
		if _, err := t.w.Exec(ctx, "INSERT INTO versions (name, version) VALUES ($1, 1)", copying); err != nil {
			return t.fail("mark the copy", err)
		}
		_, err = t.w.Insert(ctx, &Insertion{Table: keys.name, Columns: keys.names()}, len(want),
			func(to []any, i int) ([]any, error) { return append(to, want[i]...), nil })
		return t.fail("copy the keys", err)
	})
}

func sameRow(a, b []any) bool {
	x, y := sha256.New(), sha256.New()
	addTo(x, a)
	addTo(y, b)
	return slices.Equal(x.Sum(nil), y.Sum(nil))
}

func (db *DB) count(ctx context.Context, name string) (int64, error) {
	var n int64
	err := db.engine.Survey(ctx, func(q Querier) (err error) {
		n, _, err = queryOne(ctx, q, scanValue[int64], "SELECT count(*) FROM "+name)
		return err
	})
	return n, db.engine.Classify("count "+name, err)
}

// copyTable copies the rows after the last one that the target has, a page at a time.
func copyTable(ctx context.Context, from, to *DB, t *table, progress Progress) error {
	total, err := from.count(ctx, t.name)
	if err != nil {
		return err
	}
	done, err := to.count(ctx, t.name)
	if err != nil {
		return err
	}
	last, found, err := queryOne(ctx, to.engine.Read(), t.scan(to, t.keys), t.last())
	if err != nil {
		return to.engine.Classify("find where to go on", err)
	}
	into := &Insertion{Table: t.name, Columns: t.names()}
	for first := !found; ; first = false {
		progress("copying", t.name, done, total)
		page, err := query(ctx, from.engine.Read(), t.scan(from, len(t.columns)), t.after(first), last...)
		if err != nil {
			return from.engine.Classify("read the source", err)
		}
		if len(page) == 0 {
			return nil
		}
		last = slices.Clone(page[len(page)-1][:t.keys])
		err = to.engine.Touch(ctx, func(ctx context.Context, w Transaction) error {
			_, err := w.Insert(ctx, into, len(page), func(args []any, i int) ([]any, error) {
				return to.bindable(args, page[i]), nil
			})
			return err
		})
		if err != nil {
			return to.engine.Classify("write the copy", err)
		}
		done += int64(len(page))
	}
}

// compare adds up both sides.
func compare(ctx context.Context, from, to *DB, t *table, progress Progress) (Sum, error) {
	want, err := from.sum(ctx, t, progress)
	if err != nil {
		return want, err
	}
	have, err := to.sum(ctx, t, progress)
	if err != nil {
		return want, err
	}
	if have != want {
		return want, fault.New(fault.Conflict, CopyDiffers, "table %s of the copy differs: it has %d rows, the source has %d", t.name, have.Rows, want.Rows).
			WithHint("somebody has written to one of them meanwhile; empty the target and copy again")
	}
	return want, nil
}

// sum adds up a table.
func (db *DB) sum(ctx context.Context, t *table, progress Progress) (Sum, error) {
	sum := Sum{Table: t.name}
	total, err := db.count(ctx, t.name)
	if err != nil {
		return sum, err
	}
	hash := sha256.New()
	var last []any
	for first := true; ; first = false {
		progress("comparing", t.name, sum.Rows, total)
		page, err := query(ctx, db.engine.Read(), t.scan(db, len(t.columns)), t.after(first), last...)
		if err != nil {
			return sum, db.engine.Classify("compare "+t.name, err)
		}
		for _, row := range page {
			addTo(hash, row)
		}
		sum.Rows += int64(len(page))
		if len(page) < t.rows() {
			break
		}
		last = slices.Clone(page[len(page)-1][:t.keys])
	}
	sum.Checksum = [sha256.Size]byte(hash.Sum(nil))
	return sum, nil
}

// finish writes the numbers that run on and takes the mark away, in one transaction: from then
// on the copy is a registry.
func (db *DB) finish(ctx context.Context, from *DB) error {
	rows := map[string][][]any{}
	for _, t := range running() {
		all, err := query(ctx, from.engine.Read(), t.scan(from, len(t.columns)), t.after(true))
		if err != nil {
			return from.engine.Classify("read the source's counters", err)
		}
		rows[t.name] = all
	}
	return db.inStudy(ctx, 0, func(ctx context.Context, t *tx) error {
		var errs []error
		for _, r := range running() {
			_, err := t.w.Exec(ctx, "DELETE FROM "+r.name)
			errs = append(errs, err)
			all := rows[r.name]
			_, err = t.w.Insert(ctx, &Insertion{Table: r.name, Columns: r.names()}, len(all),
				func(to []any, i int) ([]any, error) { return append(to, all[i]...), nil })
			errs = append(errs, err)
		}
		errs = append(errs, db.engine.RunOn(ctx, t.w))
		return t.fail("finish the copy", errors.Join(errs...))
	})
}
