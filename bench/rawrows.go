package main

import (
	"fmt"
	"slices"

	"github.com/google/uuid"
)

// rawRows makes rows of the participants table for the baselines, which write what Rollcall
// would write, into the table that Rollcall has made, without asking anybody. A row is one that
// Rollcall has written, with another person's keys.
type rawRows struct {
	columns   []string
	templates [][]any
	wrapped   bool // a UUID is a [16]byte, not a []byte

	seq, id, identifier, key, oid, email int // places in a row
}

// templateRows is how many rows of Rollcall's are taken for templates.
const templateRows = 1000

// locate finds the columns whose values differ from the template's.
func (r *rawRows) locate() error {
	for name, place := range map[string]*int{
		"seq": &r.seq, "id": &r.id, "identifier": &r.identifier, "identifier_key": &r.key, "oid": &r.oid, "email": &r.email,
	} {
		if *place = slices.Index(r.columns, name); *place < 0 {
			return fmt.Errorf("the table participants has no column %s", name)
		}
	}
	return nil
}

// row writes the n-th person's row.
func (r *rawRows) row(to []any, n int) []any {
	p := personNumber(n)
	had := len(to)
	to = append(to, r.templates[n%len(r.templates)]...)
	row := to[had:]
	id := uuid.Must(uuid.NewV7())
	row[r.seq], row[r.identifier], row[r.key], row[r.oid], row[r.email] = int64(n+1), p.identifier(), "p-"+p.identifier()[2:],
		"SS_"+p.identifier(), p.email()
	if row[r.id] = id[:]; r.wrapped {
		row[r.id] = [16]byte(id)
	}
	return to
}
