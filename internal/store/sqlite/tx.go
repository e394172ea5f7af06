package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"rollcall/internal/registry"
)

// tx is one transaction of the writer. The first error of any of its methods ends it: from
// then on each of them answers that error, and nothing is committed.
type tx struct {
	db    *DB
	w     *writer
	study registry.StudyID
	err   error

	counters *registry.Counters // as read in this transaction; nil if not read
	places   map[registry.ID]place
	erased   bool // whether something was erased
}

// place is what is known of a participant's indexed columns.
type place struct {
	identifier, oid string
	site            registry.SiteID
}

// InStudy implements registry.Store.
func (db *DB) InStudy(ctx context.Context, study registry.StudyID, fn func(ctx context.Context, t registry.Tx) error) error {
	return db.inTx(ctx, study, func(t *tx) error { return fn(ctx, t) })
}

// inTx runs fn in one transaction of the writer; study 0 is the deployment.
func (db *DB) inTx(ctx context.Context, study registry.StudyID, fn func(t *tx) error) (err error) {
	if err := db.write.begin(ctx); err != nil {
		return classify("begin a transaction", err)
	}
	t := &tx{db: db, w: db.write, study: study}
	ended := false
	defer func() { // fn may panic
		if !ended {
			db.write.rollback()
		}
		t.end()
	}()
	err = fn(t)
	if err == nil {
		err = t.err
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	ended = true
	if t.erased {
		db.write.erasedInLog = true
	}
	return classify("commit", db.write.commit(ctx))
}

var errEnded = errors.New("the transaction has ended")

// end makes the transaction refuse whoever has kept it beyond its function.
func (t *tx) end() {
	if t.err == nil {
		t.err = errEnded
	}
}

// fail ends the transaction with the error of doing something, if there is one.
func (t *tx) fail(doing string, err error) error {
	if err != nil {
		t.err = classify(doing, err)
	}
	return t.err
}

// get implements querier.
func (t *tx) get(ctx context.Context, text string) (*sql.Stmt, error) {
	return t.w.stmts.get(ctx, text)
}

// exec runs a statement and tells how many rows it changed.
func (t *tx) exec(ctx context.Context, text string, args ...any) (int64, error) {
	result, err := t.w.exec(ctx, text, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// cachedStudy is a study as it was at a version of the catalog.
type cachedStudy struct {
	version int64
	study   *registry.Study
}

// Study implements registry.Tx. A study is read anew only if the catalog has changed, in this
// process or another, since it was last read.
func (t *tx) Study(ctx context.Context) (*registry.Study, error) {
	if t.err != nil {
		return nil, t.err
	}
	study, err := t.readStudy(ctx)
	if err == nil && study == nil {
		err = studyUnknown()
	}
	if err := t.fail("read the study", err); err != nil {
		return nil, err
	}
	return study, nil
}

func (t *tx) readStudy(ctx context.Context) (*registry.Study, error) {
	version, err := readVersion(ctx, t, catalogVersion)
	if err != nil {
		return nil, err
	}
	t.db.mu.Lock()
	cached := t.db.studies[t.study]
	t.db.mu.Unlock()
	if cached.study != nil && cached.version == version {
		return cached.study, nil
	}
	study, err := readStudy(ctx, t, t.study)
	if err != nil || study == nil {
		return nil, err
	}
	t.db.mu.Lock()
	t.db.studies[t.study] = cachedStudy{version, study}
	t.db.mu.Unlock()
	return study, nil
}

const (
	selectCounters     = "SELECT last_seq, counted FROM study_counters WHERE study_id = $1"
	selectSiteCounters = "SELECT site_id, last_number FROM site_counters WHERE study_id = $1"
)

// Counters implements registry.Tx.
func (t *tx) Counters(ctx context.Context) (*registry.Counters, error) {
	if t.err != nil {
		return nil, t.err
	}
	counters, err := t.readCounters(ctx)
	if err := t.fail("read the study's counters", err); err != nil {
		return nil, err
	}
	t.counters = counters
	return cloneCounters(counters), nil
}

func (t *tx) readCounters(ctx context.Context) (*registry.Counters, error) {
	counters, found, err := queryOne(ctx, t, func(row scanner) (*registry.Counters, error) {
		c := &registry.Counters{Numbered: map[registry.SiteID]int64{}}
		return c, row.Scan(&c.LastSeq, &c.Counted)
	}, selectCounters, int64(t.study))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, studyUnknown()
	}
	_, err = query(ctx, t, func(row scanner) (struct{}, error) {
		var site registry.SiteID
		var last int64
		err := row.Scan(&site, &last)
		counters.Numbered[site] = last
		return struct{}{}, err
	}, selectSiteCounters, int64(t.study))
	return counters, err
}
