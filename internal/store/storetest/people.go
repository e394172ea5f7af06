package storetest

import (
	"context"

	"rollcall/internal/access"
	"rollcall/internal/config"
	"rollcall/internal/fault"
	"rollcall/internal/registry"
)

func (b *bed) directory() *access.Directory {
	b.Helper()
	d, err := b.Directory(b.ctx)
	b.must(err)
	return d
}

func (b *bed) accessVersion() int64 {
	b.Helper()
	v, err := b.AccessVersion(b.ctx)
	b.must(err)
	return v
}

func (b *bed) user() *access.User {
	return &access.User{Username: "Clara", PasswordHash: "$hash", Grants: []access.Grant{
		{Study: b.other.ID, Role: access.DataManager},
		{Study: b.study.ID, Site: b.south, Role: access.CRC},
		{Study: b.study.ID, Site: b.north, Role: access.Monitor},
		{Study: b.study.ID, Site: b.north, Role: access.CRC},
	}}
}

func (b *bed) account() *access.ServiceAccount {
	return &access.ServiceAccount{Name: "RKS.Juno", Studies: []registry.StudyID{b.other.ID, b.study.ID}, Keys: []string{"PEM 2\n", "PEM 1\n"}}
}

var peopleLaws = []law{
	{"a moment answers both versions, no older than itself, and once", func(b *bed) {
		elsewhere := b.another()
		defer func() { b.must(elsewhere.Close()) }()
		before := b.version()
		b.must(elsewhere.Define(b.ctx, putting(fullStudy())))
		ctx := registry.WithMoment(b.ctx)
		people, err := b.AccessVersion(ctx)
		b.must(err)
		b.same("the directory's version", b.accessVersion(), people)
		changed := b.version()
		if changed == before {
			b.Fatal("a study was put and the catalog's version has not changed")
		}
		again := b.user()
		b.must(elsewhere.Define(b.ctx, func(ctx context.Context, tx config.Tx) error { return tx.PutUser(ctx, again) }))
		study := *b.study
		study.Name += " again"
		b.must(elsewhere.Define(b.ctx, putting(&study)))
		for _, want := range []int64{changed, b.version()} {
			got, err := b.CatalogVersion(ctx)
			b.must(err)
			b.same("the catalog's version", want, got)
		}
		people, err = b.AccessVersion(ctx) // nobody is let in on an old look
		b.must(err)
		b.same("the directory's version asked for again", b.accessVersion(), people)
	}},
	{"a user reads back as stored and is found without regard to case", func(b *bed) {
		want := b.user()
		b.define(func(tx config.Tx) error { return tx.PutUser(b.ctx, want) })
		if want.ID == 0 {
			b.Fatal("no id is set")
		}
		got, _ := b.directory().User("cLARA")
		b.same("in the directory", want, got)
		b.define(func(tx config.Tx) error {
			all, err := tx.Users(b.ctx)
			b.same("in a definition", []*access.User{want}, all)
			return err
		})
	}},
	{"an update of a user replaces the grants", func(b *bed) {
		u := b.user()
		b.define(func(tx config.Tx) error { return tx.PutUser(b.ctx, u) })
		want := &access.User{ID: u.ID, Username: "clara2", PasswordHash: "$other", Grants: u.Grants[2:3]}
		b.define(func(tx config.Tx) error { return tx.PutUser(b.ctx, want) })
		got, _ := b.directory().User("Clara2")
		b.same("user", want, got)
		if _, found := b.directory().User("Clara"); found {
			b.Error("the old name is still known")
		}
	}},
	{"a service account reads back as stored and is found by its exact name", func(b *bed) {
		want := b.account()
		b.define(func(tx config.Tx) error { return tx.PutServiceAccount(b.ctx, want) })
		if want.ID == 0 {
			b.Fatal("no id is set")
		}
		got, _ := b.directory().ServiceAccount("RKS.Juno")
		b.same("in the directory", want, got)
		if _, found := b.directory().ServiceAccount("rks.juno"); found {
			b.Error("found in another case")
		}
		b.define(func(tx config.Tx) error {
			all, err := tx.ServiceAccounts(b.ctx)
			b.same("in a definition", []*access.ServiceAccount{want}, all)
			return err
		})
	}},
	{"an update of a service account replaces its studies and keys", func(b *bed) {
		a := b.account()
		b.define(func(tx config.Tx) error { return tx.PutServiceAccount(b.ctx, a) })
		want := &access.ServiceAccount{ID: a.ID, Name: "RKS.Other", Studies: a.Studies[:1], Keys: []string{"PEM 3\n"}}
		b.define(func(tx config.Tx) error { return tx.PutServiceAccount(b.ctx, want) })
		got, _ := b.directory().ServiceAccount("RKS.Other")
		b.same("account", want, got)
	}},
	{"service accounts whose names differ in case are two", func(b *bed) {
		b.define(func(tx config.Tx) error {
			b.must(tx.PutServiceAccount(b.ctx, &access.ServiceAccount{Name: "A"}))
			return tx.PutServiceAccount(b.ctx, &access.ServiceAccount{Name: "a"})
		})
	}},
	{"the directory's version changes with every change of people and only then", func(b *bed) {
		before := b.accessVersion()
		b.same("of the directory", before, b.directory().Version())
		b.putStudy(b.study)
		b.same("after other changes", before, b.accessVersion())
		b.define(func(tx config.Tx) error { return tx.PutUser(b.ctx, b.user()) })
		second := b.accessVersion()
		b.define(func(tx config.Tx) error { return tx.PutServiceAccount(b.ctx, b.account()) })
		if third := b.accessVersion(); before == second || second == third {
			b.Errorf("versions %d, %d, %d", before, second, third)
		}
		b.same("of the new directory", b.accessVersion(), b.directory().Version())
	}},
	{"names in use are conflicts", func(b *bed) {
		b.define(func(tx config.Tx) error {
			b.must(tx.PutUser(b.ctx, b.user()))
			return tx.PutServiceAccount(b.ctx, b.account())
		})
		for name, put := range map[string]func(ctx context.Context, tx config.Tx) error{
			"user":            func(ctx context.Context, tx config.Tx) error { return tx.PutUser(ctx, &access.User{Username: "CLARA"}) },
			"service account": func(ctx context.Context, tx config.Tx) error { return tx.PutServiceAccount(ctx, b.account()) },
		} {
			if err := b.Define(b.ctx, put); err == nil || fault.KindOf(err) != fault.Conflict {
				b.Errorf("%s: %v, want a conflict", name, err)
			}
		}
	}},
	{"people who do not exist cannot be updated, and no grant names an unknown study", func(b *bed) {
		for name, put := range map[string]func(ctx context.Context, tx config.Tx) error{
			"user": func(ctx context.Context, tx config.Tx) error {
				return tx.PutUser(ctx, &access.User{ID: 9, Username: "x"})
			},
			"service account": func(ctx context.Context, tx config.Tx) error {
				return tx.PutServiceAccount(ctx, &access.ServiceAccount{ID: 9, Name: "x"})
			},
			"grant": func(ctx context.Context, tx config.Tx) error {
				return tx.PutUser(ctx, &access.User{Username: "x", Grants: []access.Grant{{Study: 987654, Role: access.Viewer}}})
			},
		} {
			if err := b.Define(b.ctx, put); err == nil {
				b.Errorf("%s: no error", name)
			}
		}
		if _, found := b.directory().User("x"); found {
			b.Error("stored all the same")
		}
	}},
}
