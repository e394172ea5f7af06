package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"rollcall/internal/store/pgtest"
)

// The engines, as flags name them.
const (
	sqliteEngine   = "sqlite"
	postgresEngine = "postgres"
)

// world is what is measured at one size: for each engine a registry that stands, with that many
// participants, and a raw database with as many rows; the server that does nothing; and PocketBase.
// What stands grows a little with each round.
type world struct {
	options *options
	people  int
	dir     string // for all files but PostgreSQL's; it goes at the end
	binary  string
	made    int

	databases   *databases
	registries  map[string]*registry // by engine
	rawSQLite   *rawSQLite
	rawPostgres *rawPostgres
	floor       *floor
	peer        *pocketBase
	ending      []func() error // what close does, last first
}

func newWorld(o *options, people int) *world {
	return &world{options: o, people: people, binary: o.binary, registries: map[string]*registry{}}
}

// say tells the user what is going on.
func (w *world) say(format string, args ...any) {
	fmt.Fprintf(w.options.progress, "%s  %d people: %s\n", time.Now().Format(time.TimeOnly), w.people, fmt.Sprintf(format, args...))
}

// close stops and removes everything.
func (w *world) close() error {
	var errs []error
	for i := len(w.ending) - 1; i >= 0; i-- {
		errs = append(errs, w.ending[i]())
	}
	w.ending = nil
	return errors.Join(errs...)
}

func (w *world) atEnd(do func() error) { w.ending = append(w.ending, do) }

func (w *world) has(engine string) bool { return w.registries[engine] != nil }

// furnish makes and fills everything that stands.
func (w *world) furnish(ctx context.Context) error {
	var err error
	if w.dir, err = os.MkdirTemp(w.options.dir, "rollcall-bench-"); err != nil {
		return err
	}
	w.atEnd(func() error { return os.RemoveAll(w.dir) })
	if w.binary == "" {
		w.say("build Rollcall")
		w.binary = filepath.Join(w.dir, "rollcall")
		if err := build(ctx, w.binary); err != nil {
			return err
		}
	}
	for _, engine := range w.options.engines {
		if err := w.stand(ctx, engine); err != nil {
			return fmt.Errorf("prepare %s: %w", engine, err)
		}
	}
	if err := w.layFloor(ctx); err != nil {
		return err
	}
	if w.options.peer {
		return w.invitePeer(ctx)
	}
	return nil
}

// build builds the program from the sources that the current folder belongs to.
func build(ctx context.Context, binary string) error {
	_, err := command(ctx, "go", "build", "-o", binary, "rollcall/cmd/rollcall")
	return err
}

// stand makes an engine's registry and raw database.
func (w *world) stand(ctx context.Context, engine string) error {
	w.say("load the registry of %s", engine)
	if engine == postgresEngine {
		server, err := pgtest.Run(ctx, pgtest.Durable())
		if err != nil {
			return err
		}
		w.databases = &databases{server: server}
		w.atEnd(server.Close)
	}
	r, err := w.freshRegistry(ctx, engine)
	if err != nil {
		return err
	}
	w.registries[engine] = r
	w.atEnd(r.stop)
	if _, err := r.start(ctx); err != nil {
		return err
	}
	if _, err := w.createMany(ctx, r, w.people); err != nil {
		return err
	}
	w.say("load the raw database of %s", engine)
	if engine == sqliteEngine {
		return w.standRawSQLite(ctx, r)
	}
	return w.standRawPostgres(ctx, r)
}

func (w *world) standRawSQLite(ctx context.Context, r *registry) error {
	rows, err := sqliteRows(ctx, r.sqliteFile())
	if err != nil {
		return err
	}
	if w.rawSQLite, err = w.freshRawSQLite(ctx, rows); err != nil {
		return err
	}
	w.atEnd(w.rawSQLite.close)
	_, err = w.rawSQLite.bulk(ctx, w.people)
	return err
}

func (w *world) standRawPostgres(ctx context.Context, r *registry) error {
	rows, err := postgresRows(ctx, r.database)
	if err != nil {
		return err
	}
	if w.rawPostgres, err = w.freshRawPostgres(ctx, rows); err != nil {
		return err
	}
	w.atEnd(func() error { w.rawPostgres.pool.Close(); return nil })
	if _, err := w.rawPostgres.bulk(ctx, w.people); err != nil {
		return err
	}
	return w.databases.settle(ctx, r.database)
}

// freshRegistry makes an empty registry that is not served yet.
func (w *world) freshRegistry(ctx context.Context, engine string) (*registry, error) {
	w.made++
	database := ""
	if engine == postgresEngine {
		var err error
		if database, err = w.databases.create(ctx); err != nil {
			return nil, err
		}
	}
	return newRegistry(ctx, engine, w.binary, filepath.Join(w.dir, fmt.Sprintf("registry-%d", w.made)), database)
}

// discard stops a registry and removes all of it.
func (w *world) discard(ctx context.Context, r *registry) error {
	errs := []error{r.stop()}
	if r.database != "" {
		errs = append(errs, w.databases.drop(ctx, r.database))
	}
	return errors.Join(append(errs, os.RemoveAll(r.dir))...)
}

func (w *world) freshRawSQLite(ctx context.Context, rows *rawRows) (*rawSQLite, error) {
	r, err := w.freshRegistry(ctx, sqliteEngine)
	if err != nil {
		return nil, err
	}
	return openRawSQLite(ctx, r, rows)
}

func (w *world) freshRawPostgres(ctx context.Context, rows *rawRows) (*rawPostgres, error) {
	r, err := w.freshRegistry(ctx, postgresEngine)
	if err != nil {
		return nil, err
	}
	return openRawPostgres(ctx, r.database, rows)
}

// bulkSQLite loads a raw file that is empty at first.
func (w *world) bulkSQLite(ctx context.Context) (_ measures, err error) {
	r, err := w.freshRawSQLite(ctx, w.rawSQLite.rawRows)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	return r.bulk(ctx, w.people)
}

// bulkPostgres loads a raw database that is empty at first.
func (w *world) bulkPostgres(ctx context.Context) (_ measures, err error) {
	r, err := w.freshRawPostgres(ctx, w.rawPostgres.rawRows)
	if err != nil {
		return nil, err
	}
	defer func() {
		database := r.pool.Config().ConnString()
		r.pool.Close()
		err = errors.Join(err, w.databases.drop(ctx, database))
	}()
	return r.bulk(ctx, w.people)
}

// layFloor starts the server that does nothing, whose answers are as long as Rollcall's.
func (w *world) layFloor(ctx context.Context) error {
	const created = `{"subjectKey":"P-00000000","subjectOid":"SS_P00000","status":"AVAILABLE","participateStatus":""}`
	r := w.registries[w.options.engines[0]]
	token, err := r.serviceToken(ctx)
	if err != nil {
		return err
	}
	conn, err := dial(ctx, r.address)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.do(appendRequest(nil, "GET", projectPath+"/"+personNumber(0).identifier(), token, nil))
	if err != nil {
		return err
	}
	if w.floor, err = startFloor(ctx, filepath.Join(w.dir, "floor.log"), len(conn.body), len(created)); err != nil {
		return err
	}
	w.atEnd(w.floor.stop)
	return nil
}

// invitePeer starts PocketBase with as many people.
func (w *world) invitePeer(ctx context.Context) error {
	w.say("build and load PocketBase")
	var err error
	if w.peer, err = startPeer(ctx, w.dir); err != nil {
		return err
	}
	w.atEnd(w.peer.stop)
	_, err = w.peer.createMany(ctx, w.people)
	return err
}
