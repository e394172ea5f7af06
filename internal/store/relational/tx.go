package relational

import (
	"context"
	"errors"
	"maps"

	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

// tx is one transaction of a study. The first error of any of its methods ends it: from then
// on each of them answers that error, and nothing is committed.
type tx struct {
	db    *DB
	w     Transaction
	study registry.StudyID
	err   error

	counters *registry.Counters // as read in this transaction; nil if not read
	places   map[registry.ID]place
	free     map[registry.Claim]bool // what nobody held when it was loaded
}

// place is what is known of a participant's indexed columns.
type place struct {
	identifier, oid string
	site            registry.SiteID
}

// InStudy implements registry.Store.
func (db *DB) InStudy(ctx context.Context, study registry.StudyID, fn func(ctx context.Context, t registry.Tx) error) error {
	return db.inStudy(ctx, study, func(ctx context.Context, t *tx) error { return fn(ctx, t) })
}

// inStudy runs fn in one transaction that has the study to itself; study 0 is the deployment.
func (db *DB) inStudy(ctx context.Context, study registry.StudyID, fn func(ctx context.Context, t *tx) error) error {
	return db.engine.Write(ctx, study, func(ctx context.Context, w Transaction) error {
		t := &tx{db: db, w: w, study: study}
		defer t.end()
		err := fn(ctx, t)
		if err == nil {
			err = t.err
		}
		return err
	})
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
		t.err = t.db.engine.Classify(doing, err)
	}
	return t.err
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
	version, err := readVersion(ctx, t.w, catalogVersion)
	if err != nil {
		return nil, err
	}
	t.db.mu.Lock()
	cached := t.db.studies[t.study]
	t.db.mu.Unlock()
	if cached.study != nil && cached.version == version {
		return cached.study, nil
	}
	study, err := readStudy(ctx, t.w, t.study)
	if err != nil || study == nil {
		return nil, err
	}
	t.db.mu.Lock()
	t.db.studies[t.study] = cachedStudy{version, study}
	t.db.mu.Unlock()
	return study, nil
}

const (
	selectCounters     = "SELECT last_seq, counted, last_audit_seq FROM study_counters WHERE study_id = $1"
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
	counters, found, err := queryOne(ctx, t.w, func(row scanner) (*registry.Counters, error) {
		c := &registry.Counters{Numbered: map[registry.SiteID]int64{}}
		return c, row.Scan(&c.LastSeq, &c.Counted, &c.State)
	}, selectCounters, int64(t.study))
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, studyUnknown()
	}
	_, err = query(ctx, t.w, func(row scanner) (struct{}, error) {
		var site registry.SiteID
		var last int64
		err := row.Scan(&site, &last)
		counters.Numbered[site] = last
		return struct{}{}, err
	}, selectSiteCounters, int64(t.study))
	return counters, err
}

func cloneCounters(c *registry.Counters) *registry.Counters {
	return &registry.Counters{LastSeq: c.LastSeq, Counted: c.Counted, State: c.State, Numbered: maps.Clone(c.Numbered)}
}

func studyUnknown() error {
	return fault.New(fault.NotFound, registry.StudyUnknown, "there is no such study")
}

func siteUnknown() error {
	return fault.New(fault.NotFound, registry.SiteUnknown, "there is no such site of the study")
}

func holderUnknown(what string) error {
	return fault.New(fault.NotFound, "", "there is no such %s", what)
}
