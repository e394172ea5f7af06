package storetest

import (
	"context"
	"errors"

	"rollcall/internal/fault"
	"rollcall/internal/jobs"
	"rollcall/internal/registry"
)

var transactionLaws = []law{
	{"an error of the function undoes everything and comes back", func(b *bed) {
		out := b.adding(b.person(1))
		err := b.in(func(tx registry.Tx) error {
			b.must(tx.Write(b.ctx, now, remembered(out)))
			return errOurs
		})
		if !errors.Is(err, errOurs) {
			b.Errorf("%v, want our own error", err)
		}
		b.same("participants", []int64(nil), seqs(b.list()))
	}},
	{"an error of a method undoes everything, even if the function forgets it", func(b *bed) {
		b.add(b.person(1))
		fresh, twin := b.adding(b.person(2)), b.adding(b.person(1))
		err := b.in(func(tx registry.Tx) error {
			b.must(tx.Write(b.ctx, now, remembered(fresh)))
			_ = tx.Write(b.ctx, now, remembered(twin))
			return nil
		})
		b.wantKind(err, fault.Conflict)
		b.same("participants", []int64{1}, seqs(b.list()))
	}},
	{"after an error every method refuses", func(b *bed) {
		b.add(b.person(1))
		twin := b.adding(b.person(1))
		_ = b.in(func(tx registry.Tx) error {
			first := tx.Write(b.ctx, now, remembered(twin))
			b.wantKind(first, fault.Conflict)
			for name, call := range methods(b, tx) {
				if err := call(); err == nil {
					b.Errorf("%s works on", name)
				}
			}
			return nil
		})
	}},
	{"a transaction that has ended refuses", func(b *bed) {
		for name, end := range map[string]error{"committed": nil, "undone": errOurs} {
			var kept registry.Tx
			if err := b.in(func(tx registry.Tx) error { kept = tx; return end }); !errors.Is(err, end) {
				b.Fatalf("%s: %v", name, err)
			}
			for method, call := range methods(b, kept) {
				if err := call(); err == nil {
					b.Errorf("%s: %s works on", name, method)
				}
			}
		}
	}},
	{"a panic undoes everything and the database works on", func(b *bed) {
		out := b.adding(b.person(1))
		func() {
			defer func() {
				if recover() == nil {
					b.Error("the panic is lost")
				}
			}()
			_ = b.in(func(tx registry.Tx) error {
				b.must(tx.Write(b.ctx, now, remembered(out)))
				panic("ours")
			})
		}()
		b.same("participants", []int64(nil), seqs(b.list()))
		b.add(b.person(1))
	}},
	{"a context that ends before the commit undoes everything", func(b *bed) {
		out := b.adding(b.person(1))
		ctx, cancel := context.WithCancel(b.ctx)
		defer cancel()
		err := b.InStudy(ctx, b.study.ID, func(ctx context.Context, tx registry.Tx) error {
			if err := tx.Write(ctx, now, remembered(out)); err != nil {
				return err
			}
			cancel()
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			b.Errorf("%v, want context.Canceled", err)
		}
		b.same("participants", []int64(nil), seqs(b.list()))
		b.add(b.person(1))
	}},
	{"a context that has ended starts nothing", func(b *bed) {
		ctx, cancel := context.WithCancel(b.ctx)
		cancel()
		err := b.InStudy(ctx, b.study.ID, func(context.Context, registry.Tx) error {
			b.Error("the function ran")
			return nil
		})
		if !errors.Is(err, context.Canceled) {
			b.Errorf("%v, want context.Canceled", err)
		}
		if _, err := b.CatalogVersion(ctx); !errors.Is(err, context.Canceled) {
			b.Errorf("reading: %v, want context.Canceled", err)
		}
	}},
	{"the study is the one of the transaction, as it is now", func(b *bed) {
		read := func() *registry.Study {
			var s *registry.Study
			b.must(b.in(func(tx registry.Tx) (err error) { s, err = tx.Study(b.ctx); return err }))
			return s
		}
		b.same("at first", b.study, read())
		b.study.Status = registry.Frozen
		b.putStudy(b.study)
		b.same("after a change", b.study, read())
		b.study.Sites[1].Name = "South-east"
		elsewhere := b.another()
		b.must(elsewhere.Define(b.ctx, putting(b.study)))
		b.same("after a change by another process", b.study, read())
	}},
	{"an unknown study is not found", func(b *bed) {
		err := b.inStudy(987654, func(tx registry.Tx) error { _, err := tx.Study(b.ctx); return err })
		b.wantCode(err, fault.NotFound, registry.StudyUnknown)
	}},
	{"an empty outcome is no error", func(b *bed) {
		b.must(b.write(&registry.Outcome{}))
	}},
}

// methods is a call of each method of a transaction.
func methods(b *bed, tx registry.Tx) map[string]func() error {
	return map[string]func() error{
		"Study":       func() error { _, err := tx.Study(b.ctx); return err },
		"Counters":    func() error { _, err := tx.Counters(b.ctx); return err },
		"Load":        func() error { _, err := tx.Load(b.ctx, &registry.Ask{}); return err },
		"Write":       func() error { return tx.Write(b.ctx, now, &registry.Outcome{}) },
		"SaveStep":    func() error { return tx.SaveStep(b.ctx, &registry.JobStep{Study: b.study.ID, At: now}) },
		"Identifiers": func() error { _, err := tx.Identifiers(b.ctx, nil); return err },
		"RewriteOutputs": func() error {
			return tx.RewriteOutputs(b.ctx, func(_ string, part []byte) []byte { return part })
		},
		"RememberErasure": func() error { return tx.RememberErasure(b.ctx, b.erasure(1, now)) },
	}
}

// stepOf is the step of a job that it does next.
func stepOf(j *jobs.Job, part int) *registry.JobStep {
	return &registry.JobStep{Study: j.Study, Job: j.ID, Lease: j.Lease, Part: part, Cursor: []byte{byte(part + 1)}, Rows: int64(part+1) * 10, Failed: int64(part), At: now}
}
