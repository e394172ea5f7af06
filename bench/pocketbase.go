package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// pocketBase is PocketBase with a collection that has the same fields and finds people by the same
// ones. Its superuser asks, who passes every rule; it keeps no audit trail, and its SQLite runs with
// synchronous=NORMAL, so that it need not wait for the disk.
type pocketBase struct {
	*process
	address string
	token   string
	people  int
}

const (
	recordsPath  = "/api/collections/participants/records"
	peerModule   = "tools/pocketbase/go.mod"
	peerProgram  = "github.com/pocketbase/pocketbase/examples/base"
	peerUser     = "bench@example.org"
	peerPassword = "not-a-secret-1"
)

// peerIndexes are those that its users would make for the same lookups.
var peerIndexes = []string{
	"CREATE UNIQUE INDEX by_identifier ON participants (identifier)",
	"CREATE INDEX by_last_name ON participants (lastName)",
	"CREATE INDEX by_email ON participants (email)",
	"CREATE INDEX by_phone ON participants (mobilePhone)",
}

// startPeer builds PocketBase, starts it and makes the collection.
func startPeer(ctx context.Context, dir string) (*pocketBase, error) {
	binary, data := filepath.Join(dir, "pocketbase"), filepath.Join(dir, "pb_data")
	if _, err := command(ctx, "go", "build", "-modfile="+peerModule, "-trimpath", "-o", binary, peerProgram); err != nil {
		return nil, err
	}
	if _, err := command(ctx, binary, "superuser", "upsert", peerUser, peerPassword, "--dir", data); err != nil {
		return nil, err
	}
	p := &pocketBase{}
	var err error
	if p.address, err = freeAddress(ctx); err != nil {
		return nil, err
	}
	if p.process, err = launch(ctx, filepath.Join(dir, "pocketbase.log"), binary, "serve", "--http", p.address, "--dir", data); err != nil {
		return nil, err
	}
	err = p.until(ctx, "start PocketBase", 10*time.Millisecond, func() bool { return answers(ctx, p.address) })
	if err == nil {
		err = p.prepare(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	return p, nil
}

// prepare signs in, allows large batches and makes the collection.
func (p *pocketBase) prepare(ctx context.Context) error {
	var signedIn struct{ Token string }
	text, err := p.ask(ctx, http.MethodPost, "/api/collections/_superusers/auth-with-password",
		map[string]any{"identity": peerUser, "password": peerPassword})
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &signedIn); err != nil {
		return err
	}
	p.token = signedIn.Token
	batch := map[string]any{"enabled": true, "maxRequests": bulkSize, "timeout": 60, "maxBodySize": 32 << 20}
	if _, err := p.ask(ctx, http.MethodPatch, "/api/settings", map[string]any{"batch": batch}); err != nil {
		return err
	}
	fields := []map[string]any{{
		"name": "id", "type": "text", "primaryKey": true, "required": true, "system": true, "min": 15, "max": 15, "pattern": "^[a-z0-9]+$",
	}}
	for i, name := range peerFields(personNumber(0)) {
		if i%2 == 0 {
			fields = append(fields, map[string]any{"name": name, "type": "text"})
		}
	}
	_, err = p.ask(ctx, http.MethodPost, "/api/collections",
		map[string]any{"name": "participants", "type": "base", "fields": fields, "indexes": peerIndexes})
	return err
}

// ask sends a request that is not measured.
func (p *pocketBase) ask(ctx context.Context, method, path string, body any) ([]byte, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	conn, err := dial(ctx, p.address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	status, err := conn.do(appendRequest(nil, method, path, p.token, text))
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("PocketBase: %s %s: %d %.500s", method, path, status, conn.body)
	}
	return conn.body, err
}

// peerFields are the names and values of the person's record.
func peerFields(p person) []string {
	return slices.Concat([]string{"identifier", p.identifier(), "institutionCode", siteCode, "invitationStatus", strings.Trim(p.invitation(), `"`)},
		p.demographics(), p.custom())
}

// peerID is the record's id: 15 digits and letters.
func peerID(n int) string { return fmt.Sprintf("%015x", scattered(n)) }

func appendRecord(to []byte, n int) []byte {
	return appendObject(to, append(peerFields(personNumber(n)), "id", peerID(n)))
}

// createOne adds people one a request.
func (p *pocketBase) createOne(ctx context.Context, period time.Duration) (measures, error) {
	var next atomic.Int64
	next.Store(int64(p.people))
	l := &load{
		address: p.address, connections: connections, period: period,
		request: func(to []byte, _ int) []byte {
			body := appendRecord(make([]byte, 0, 1024), int(next.Add(1)-1))
			return appendRequest(to, http.MethodPost, recordsPath, p.token, body)
		},
	}
	found, err := l.run(ctx)
	p.people = int(next.Load())
	return found, err
}

// createMany adds so many people in batches, one after the other.
func (p *pocketBase) createMany(ctx context.Context, people int) (measures, error) {
	conn, err := dial(ctx, p.address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var took time.Duration
	for end := p.people + people; p.people < end; {
		size := min(bulkSize, end-p.people)
		body := []byte(`{"requests":[`)
		for n := p.people; n < p.people+size; n++ {
			if n > p.people {
				body = append(body, ',')
			}
			body = append(appendRecord(append(body, `{"method":"POST","url":"`+recordsPath+`","body":`...), n), '}')
		}
		request := appendRequest(nil, http.MethodPost, "/api/batch", p.token, append(body, `]}`...))
		began := time.Now()
		status, err := conn.do(request)
		took += time.Since(began)
		if err != nil || status != http.StatusOK {
			return nil, errors.Join(fmt.Errorf("PocketBase: a batch: %d %.500s", status, conn.body), err)
		}
		p.people += size
	}
	return per(people, took), nil
}

// readOne reads people by their ids.
func (p *pocketBase) readOne(ctx context.Context, period time.Duration) (measures, error) {
	l := &load{
		address: p.address, connections: connections, period: period,
		request: func(to []byte, i int) []byte {
			return appendRequest(to, http.MethodGet, recordsPath+"/"+peerID(int(scattered(i)>>1)%p.people), p.token, nil)
		},
	}
	return l.run(ctx)
}

// list asks for the first 20 of those whom a filter finds, and how many there are.
func (p *pocketBase) list(ctx context.Context, period time.Duration, filter func(p person) string) (measures, error) {
	l := &load{
		address: p.address, connections: 1, period: period, most: samples,
		request: func(to []byte, i int) []byte {
			query := url.Values{"perPage": {"20"}, "filter": {filter(personNumber(i * 7 % p.people))}}
			return appendRequest(to, http.MethodGet, recordsPath+"?"+query.Encode(), p.token, nil)
		},
		check: func(body []byte) error {
			total, err := totalOf(body, "totalItems")
			return errors.Join(err, atLeastOne(total))
		},
	}
	return l.run(ctx)
}

// searchFilter looks for a text in every field in which Rollcall's search looks.
func searchFilter(text string) string {
	fields := peerFields(personNumber(0))
	var some []string
	for i := 0; i < len(fields); i += 2 {
		if slices.Contains([]string{"institutionCode", "invitationStatus", "Smoker", "FavoriteColor", "Consented", "Weight", "SurgeryDate"}, fields[i]) {
			continue
		}
		some = append(some, fields[i]+`~"`+text+`"`)
	}
	return strings.Join(some, "||")
}
