package main

import (
	"context"
	"net/http"
	"os/exec"
	"strings"
)

// operation is a row of the table: what is measured against what, and what is demanded.
type operation struct {
	name      string
	bars      []bar
	ours      []entry // one for each engine
	baselines []entry
}

// entry is one contestant of an operation. What it needs is ready when it runs.
type entry struct {
	name string
	ours bool
	run  func(context.Context) (measures, error)
}

// turns are the entries in the order in which they run in a round: a baseline, ours, a baseline ...
func (op *operation) turns() []entry {
	var order []entry
	for i := range max(len(op.ours), len(op.baselines)) {
		if i < len(op.baselines) {
			order = append(order, op.baselines[i])
		}
		if i < len(op.ours) {
			order = append(order, op.ours[i])
		}
	}
	return order
}

// The names of entries.
const (
	ourSQLite       = "Rollcall on SQLite"
	ourPostgres     = "Rollcall on PostgreSQL"
	ourSearched     = "Rollcall on SQLite, searched each second meanwhile"
	floorPOST       = "POST to a server that does nothing"
	floorGET        = "GET from a server that does nothing"
	floorByWrk      = "the same by wrk with one thread, to see that our client is no slower"
	sqliteSingles   = "SQLite, a transaction for each row"
	sqliteCoalesced = "SQLite, 64 writers sharing transactions"
	sqliteBulk      = "SQLite, bulk"
	sqliteRead      = "SQLite, reading the columns"
	postgresSingles = "PostgreSQL, 32 connections inserting"
	postgresCopy    = "PostgreSQL, COPY through pgx and INSERT ... SELECT of the audit trail"
	postgresRead    = "PostgreSQL, reading the columns"
	pocketBaseName  = "PocketBase"
)

var ourNames = map[string]string{sqliteEngine: ourSQLite, postgresEngine: ourPostgres}

// sortKeys are the documented orders; the fields are those of the made-up people.
var sortKeys = []string{
	"InsertedDate", "ParticipantIdentifier", "SecondaryIdentifier", "InvitationStatus", "EnrollmentDate",
	"CustomField.Smoker", "CustomField.FavoriteColor", "CustomField.Consented", "CustomField.Weight", "CustomField.SurgeryDate",
	"DemographicField.lastName", "DemographicField.firstName", "DemographicField.middleName", "DemographicField.email",
	"DemographicField.mobilePhone", "DemographicField.street1", "DemographicField.city", "DemographicField.state",
	"DemographicField.postalCode", "DemographicField.dateOfBirth", "DemographicField.gender", "DemographicField.preferredLanguage",
	"DemographicField.timeZone", "DemographicField.utcOffset", "DemographicField.unsubscribedFromEmails",
}

// searches are kinds of texts that are looked for.
var searches = []struct {
	name string
	text func(p person) string
}{
	{"an identifier, which is rare", func(p person) string { return p.identifier()[2:] }},
	{"a fragment of an e-mail address", func(p person) string { return strings.ToLower(p.first[1:]) + "." + p.email()[len(p.first)+1:][:1] }},
	{"a last name", func(p person) string { return p.last }},
	{"three letters", func(p person) string { return string([]rune(p.last)[:3]) }},
	{"what everybody has", func(person) string { return "example.org" }},
}

// operations is the table. Reads come first, so that they see as many people as was asked for; those
// that write add a little with each round.
func operations(w *world) []operation {
	table := []operation{w.importing(), w.reading(), w.filtering()}
	for _, s := range searches {
		table = append(table, w.searching(s.name, s.text))
	}
	for _, key := range sortKeys {
		table = append(table, w.sorting(key))
	}
	return append(table, w.walking(), w.starting(), w.extracting(), w.addingMany(), w.addingOne())
}

// each makes our entries from what one registry does.
func (w *world) each(run func(context.Context, *registry) (measures, error)) []entry {
	var all []entry
	for _, engine := range w.options.engines {
		all = append(all, entry{ourNames[engine], true, func(ctx context.Context) (measures, error) {
			return run(ctx, w.registries[engine])
		}})
	}
	return all
}

// baseline adds an entry, if what it needs is there.
func (op *operation) baseline(there bool, name string, run func(context.Context) (measures, error)) {
	if there {
		op.baselines = append(op.baselines, entry{name: name, run: run})
	}
}

func (w *world) addingOne() operation {
	period := w.options.period
	op := operation{name: "create one, 32 connections", ours: w.each(w.createOne), bars: []bar{
		atLeast(0.5, ourSQLite, rate, sqliteCoalesced, floorPOST), atLeast(4, ourSQLite, rate, pocketBaseName),
	}}
	op.baseline(true, floorPOST, func(ctx context.Context) (measures, error) {
		return (&load{address: w.floor.address, connections: connections, period: period, request: func(to []byte, i int) []byte {
			return appendRequest(to, http.MethodPost, clinicPath, "token", personNumber(i).appendClinic(nil))
		}}).run(ctx)
	})
	op.baseline(w.has(sqliteEngine), sqliteCoalesced, func(ctx context.Context) (measures, error) { return w.rawSQLite.coalesced(ctx, period) })
	op.baseline(w.has(sqliteEngine), sqliteSingles, func(ctx context.Context) (measures, error) { return w.rawSQLite.singles(ctx, period) })
	op.baseline(w.has(postgresEngine), postgresSingles, func(ctx context.Context) (measures, error) { return w.rawPostgres.singles(ctx, period) })
	op.baseline(w.peer != nil, pocketBaseName, func(ctx context.Context) (measures, error) { return w.peer.createOne(ctx, period) })
	return op
}

func (w *world) importing() operation {
	op := operation{name: "bulk CSV import", bars: []bar{
		atLeast(0.4, ourSQLite, rate, sqliteBulk), atLeast(4, ourSQLite, rate, pocketBaseName), atLeast(0.4, ourPostgres, rate, postgresCopy),
		atLeast(0.75, ourSearched, rate, ourSQLite), atMost(200, ourSQLite, peak), atMost(200, ourPostgres, peak), atLeast(0.7, ourSQLite, tenths), atLeast(0.7, ourPostgres, tenths),
	}}
	op.ours = w.each(func(ctx context.Context, r *registry) (measures, error) { return w.importCSV(ctx, r.engine, nil) })
	if w.has(sqliteEngine) {
		op.ours = append(op.ours, entry{ourSearched, true, func(ctx context.Context) (measures, error) {
			return w.importCSV(ctx, sqliteEngine, searchEachSecond)
		}})
	}
	op.baseline(w.has(sqliteEngine), sqliteBulk, w.bulkSQLite)
	op.baseline(w.has(postgresEngine), postgresCopy, w.bulkPostgres)
	op.baseline(w.peer != nil, pocketBaseName, func(ctx context.Context) (measures, error) { return w.peer.createMany(ctx, w.some()) })
	return op
}

// some is how many people a bulk operation adds to what stands: as many at every size of a curve.
func (w *world) some() int { return min(w.people, 10_000) }

func (w *world) addingMany() operation {
	op := operation{name: "bulk JSON of 500", bars: []bar{
		atLeast(0.3, ourSQLite, rate, sqliteBulk), atLeast(3, ourSQLite, rate, pocketBaseName),
	}}
	op.ours = w.each(func(ctx context.Context, r *registry) (measures, error) { return w.createMany(ctx, r, w.some()) })
	op.baseline(w.has(sqliteEngine), sqliteBulk, func(ctx context.Context) (measures, error) { return w.rawSQLite.bulk(ctx, w.some()) })
	op.baseline(w.has(postgresEngine), postgresCopy, func(ctx context.Context) (measures, error) { return w.rawPostgres.bulk(ctx, w.some()) })
	op.baseline(w.peer != nil, pocketBaseName, func(ctx context.Context) (measures, error) { return w.peer.createMany(ctx, w.some()) })
	return op
}

func (w *world) reading() operation {
	period := w.options.period
	op := operation{name: "read by id, 32 connections", ours: w.each(w.readOne), bars: []bar{
		atLeast(0.5, ourSQLite, rate, floorGET), atLeast(4, ourSQLite, rate, pocketBaseName),
	}}
	op.baseline(true, floorGET, func(ctx context.Context) (measures, error) {
		return (&load{address: w.floor.address, connections: connections, period: period, request: func(to []byte, i int) []byte {
			return appendRequest(to, http.MethodGet, projectPath+"/"+personNumber(i).identifier(), "token", nil)
		}}).run(ctx)
	})
	_, err := exec.LookPath("wrk")
	op.baseline(err == nil, floorByWrk, func(ctx context.Context) (measures, error) { return w.floor.byWrk(ctx, period) })
	op.baseline(w.peer != nil, pocketBaseName, func(ctx context.Context) (measures, error) { return w.peer.readOne(ctx, period) })
	return op
}

func (w *world) filtering() operation {
	op := operation{name: "filter, page of 20, exact total", ours: w.each(w.filter), bars: []bar{
		atLeast(5, ourSQLite, rate, pocketBaseName), atMost(10, ourSQLite, p99),
	}}
	op.baseline(w.peer != nil, pocketBaseName, func(ctx context.Context) (measures, error) {
		return w.peer.list(ctx, w.options.period, func(p person) string { return `lastName="` + p.last + `"` })
	})
	return op
}

func (w *world) searching(name string, text func(p person) string) operation {
	op := operation{name: "search: " + name, bars: []bar{atMost(15, ourSQLite, p50), atMost(60, ourSQLite, p99)}}
	op.ours = w.each(func(ctx context.Context, r *registry) (measures, error) { return w.search(ctx, r, text) })
	op.baseline(w.peer != nil, pocketBaseName, func(ctx context.Context) (measures, error) {
		return w.peer.list(ctx, w.options.period, func(p person) string { return searchFilter(text(p)) })
	})
	return op
}

func (w *world) sorting(key string) operation {
	op := operation{name: "sort by " + key, bars: []bar{
		atMost(30, ourSQLite, p99), atMost(250, ourSQLite, slowest), atMost(600, ourPostgres, slowest),
	}}
	op.ours = w.each(func(ctx context.Context, r *registry) (measures, error) { return w.sorted(ctx, r, key) })
	return op
}

func (w *world) walking() operation {
	return operation{name: "whole registry by pageSize=200", ours: w.each(w.walk), bars: []bar{
		atMost(3, ourSQLite, spread), atMost(3, ourPostgres, spread),
	}}
}

func (w *world) extracting() operation {
	op := operation{name: "extract", ours: w.each(w.extract), bars: []bar{
		atLeast(0.3, ourSQLite, rate, sqliteRead), atMost(200, ourSQLite, peak),
	}}
	op.baseline(w.has(sqliteEngine), sqliteRead, func(ctx context.Context) (measures, error) {
		return readSQLite(ctx, w.registries[sqliteEngine].sqliteFile())
	})
	op.baseline(w.has(postgresEngine), postgresRead, func(ctx context.Context) (measures, error) {
		return readPostgres(ctx, w.registries[postgresEngine].database)
	})
	return op
}

func (w *world) starting() operation {
	return operation{name: "start-up until /readyz", ours: w.each(w.restart), bars: []bar{atMost(300, ourSQLite, slowest)}}
}
