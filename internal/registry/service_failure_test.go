package registry_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"rollcall/internal/registry"
	"rollcall/internal/store"
	"rollcall/internal/store/enginetest"
)

// breaking is a real database of which one step of a transaction fails.
type breaking struct {
	store.Store
	step string
}

var errBroken = errors.New("broken on purpose")

func (b *breaking) InStudy(ctx context.Context, study registry.StudyID, fn func(context.Context, registry.Tx) error) error {
	return b.Store.InStudy(ctx, study, func(ctx context.Context, tx registry.Tx) error { return fn(ctx, &breakingTx{tx, b}) })
}

func (b *breaking) Catalog(ctx context.Context) (*registry.Catalog, error) {
	if b.step == "catalog" {
		return nil, errBroken
	}
	return b.Store.Catalog(ctx)
}

type breakingTx struct {
	registry.Tx
	from *breaking
}

func (tx *breakingTx) Load(ctx context.Context, ask *registry.Ask) (*registry.Known, error) {
	if tx.from.step == "load" {
		return nil, errBroken
	}
	return tx.Tx.Load(ctx, ask)
}

func (tx *breakingTx) Counters(ctx context.Context) (*registry.Counters, error) {
	if tx.from.step == "counters" {
		return nil, errBroken
	}
	return tx.Tx.Counters(ctx)
}

func (tx *breakingTx) Write(ctx context.Context, at time.Time, out *registry.Outcome) error {
	if tx.from.step == "write" {
		return errBroken
	}
	return tx.Tx.Write(ctx, at, out)
}

func (tx *breakingTx) RewriteOutputs(ctx context.Context, rewrite func(string, []byte) []byte) error {
	if tx.from.step == "rewrite" {
		return errBroken
	}
	if tx.from.step == "scrub" {
		rewrite("kind", nil) // as if there were an output
	}
	return tx.Tx.RewriteOutputs(ctx, rewrite)
}

func (tx *breakingTx) RememberErasure(ctx context.Context, e *registry.Erasure) error {
	if tx.from.step == "remember" {
		return errBroken
	}
	return tx.Tx.RememberErasure(ctx, e)
}

func TestFailuresOfTheStoreUndoEverything(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		r := setup(t, engine, nil)
		broken := &breaking{Store: r.db}
		r.Service = registry.NewService(broken, nil, func() time.Time { return noon },
			registry.WithScrubber(func(_ string, to io.Writer, from io.Reader, _ []registry.ErasedName) (bool, error) {
				if broken.step == "scrub" {
					return false, errBroken
				}
				_, err := io.Copy(to, from)
				return false, err
			}))
		for _, step := range []string{"load", "counters", "write"} {
			broken.step = step
			if results, err := r.Apply(t.Context(), r.study.ID, r.openClinica("A")); !errors.Is(err, errBroken) || results != nil {
				t.Errorf("%s fails: answer %v, %v", step, results, err)
			}
		}
		broken.step = "catalog"
		if catalog, err := r.Catalog(t.Context()); !errors.Is(err, errBroken) || catalog != nil {
			t.Errorf("catalog %v, %v", catalog, err)
		}
		if len(r.all(t)) != 0 || len(r.events(t)) != 0 {
			t.Error("a failed batch leaves something behind")
		}
		broken.step = ""
		r.must(t, r.openClinica("A"))
		erase := registry.Change{Action: registry.Delete, Profile: registry.MyDataHelps(), Identifier: "A"}
		for _, step := range []string{"rewrite", "scrub", "remember"} {
			broken.step = step
			if results, err := r.Apply(t.Context(), r.study.ID, erase); !errors.Is(err, errBroken) || results != nil {
				t.Errorf("%s fails: answer %v, %v", step, results, err)
			}
			if len(r.all(t)) != 1 || len(r.events(t)) != 1 || len(r.Erased()) > 0 {
				t.Errorf("%s fails: somebody is erased whose name is still in an output", step)
			}
		}
	})
}

func TestReadsOfACallerWhoGaveUp(t *testing.T) {
	t.Parallel()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) {
		r := setup(t, engine, nil)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		reads := map[string]func() error{
			"catalog":      func() error { _, err := r.Catalog(ctx); return err },
			"find":         func() error { _, err := r.Find(ctx, r.study.ID, "A"); return err },
			"find by id":   func() error { _, err := r.FindByID(ctx, r.study.ID, registry.ID{1}); return err },
			"participants": func() error { _, err := r.Participants(ctx, r.study.ID, nil, 0, 10); return err },
			"query":        func() error { _, err := r.Query(ctx, r.study.ID, &registry.Query{Limit: 10}); return err },
			"segments":     func() error { _, err := r.SegmentsOf(ctx, r.study.ID, registry.ID{1}); return err },
		}
		for name, read := range reads {
			if err := read(); !errors.Is(err, context.Canceled) {
				t.Errorf("%s of a caller who gave up: %v, want that it was cancelled", name, err)
			}
		}
	})
}

// hanging is a real database that holds whoever reads the catalog.
type hanging struct {
	store.Store

	reached, open chan struct{}
}

func (h *hanging) Catalog(ctx context.Context) (*registry.Catalog, error) {
	h.reached <- struct{}{}
	<-h.open
	return h.Store.Catalog(ctx)
}

// Who waits while another reads the catalog waits no longer than they want to.
func TestWaitForTheCatalog(t *testing.T) {
	t.Parallel()
	r := setup(t, engines.SQLite(), nil)
	held := &hanging{r.db, make(chan struct{}, 2), make(chan struct{})}
	r.Service = registry.NewService(held, nil, func() time.Time { return noon })
	read := make(chan error, 1)
	go func() { // ends when the catalog is read
		_, err := r.Catalog(t.Context())
		read <- err
	}()
	<-held.reached
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	waited := make(chan error, 1)
	go func() { // ends with ctx
		_, err := r.Catalog(ctx)
		waited <- err
	}()
	select {
	case err := <-waited:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("told %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("waits longer than its context")
	}
	close(held.open)
	if err := <-read; err != nil {
		t.Error(err)
	}
	if _, err := r.Catalog(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
