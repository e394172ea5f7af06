package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// bulkSize is how many participants a JSON request adds.
const bulkSize = 500

// createMany adds so many participants through MyDataHelps' API, in requests one after the other.
func (w *world) createMany(ctx context.Context, r *registry, people int) (measures, error) {
	conn, err := dial(ctx, r.address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var body, request []byte
	var took time.Duration
	var held heldToken
	for done := 0; done < people; done += bulkSize {
		size := min(bulkSize, people-done)
		body = appendBulk(body[:0], r.people, size)
		token, err := held.get(ctx, r)
		if err != nil {
			return nil, err
		}
		request = appendRequest(request[:0], http.MethodPost, projectPath, token, body)
		began := time.Now()
		status, err := conn.do(request)
		took += time.Since(began)
		if err != nil || status != http.StatusOK {
			return nil, errors.Join(fmt.Errorf("add %d people: %d %.300s", size, status, conn.body), err)
		}
		r.people += size
	}
	return per(people, took), nil
}

// heldToken is a token for work that may take longer than the hour that one is good for.
type heldToken struct {
	token string
	since time.Time
}

func (h *heldToken) get(ctx context.Context, r *registry) (string, error) {
	const life = 50 * time.Minute
	if h.token != "" && time.Since(h.since) < life {
		return h.token, nil
	}
	var err error
	h.token, err = r.serviceToken(ctx)
	h.since = time.Now()
	return h.token, err
}

func appendBulk(to []byte, first, size int) []byte {
	to = append(to, `{"participants":[`...)
	for n := first; n < first+size; n++ {
		if n > first {
			to = append(to, ',')
		}
		to = personNumber(n).appendProject(to)
	}
	return append(to, `]}`...)
}

// seeded is where random choices come from: the same in every run.
func seeded() *rand.Rand { return rand.New(rand.NewPCG(5, 1)) } //nolint:gosec // nothing is secret

// readOne reads participants by their identifiers.
func (w *world) readOne(ctx context.Context, r *registry) (measures, error) {
	token, err := r.serviceToken(ctx)
	if err != nil {
		return nil, err
	}
	l := &load{
		address: r.address, connections: connections, period: w.options.period,
		request: func(to []byte, i int) []byte {
			n := int(scattered(i)>>1) % r.people
			return appendRequest(to, http.MethodGet, projectPath+"/"+personNumber(n).identifier(), token, nil)
		},
	}
	return l.run(ctx)
}

// list sends queries, which request makes for the i-th, over one connection; check looks at the total.
func (w *world) list(ctx context.Context, r *registry, most int64, query func(i int) url.Values, check func(total int) error) (measures, error) {
	token, err := r.serviceToken(ctx)
	if err != nil {
		return nil, err
	}
	l := &load{
		address: r.address, connections: 1, period: w.options.period, most: most,
		request: func(to []byte, i int) []byte {
			return appendRequest(to, http.MethodGet, projectPath+"?"+query(i).Encode(), token, nil)
		},
		check: func(body []byte) error {
			total, err := totalOf(body, "totalParticipants")
			if err != nil {
				return err
			}
			return check(total)
		},
	}
	return l.run(ctx)
}

// totalOf finds a number in an answer, so that the load generator need not decode all of it.
func totalOf(body []byte, key string) (int, error) {
	_, after, _ := bytes.Cut(body, []byte(`"`+key+`":`))
	end := bytes.IndexFunc(after, func(r rune) bool { return r < '0' || r > '9' })
	return strconv.Atoi(string(after[:max(end, 0)]))
}

// samples is how many requests at most measure one list.
const samples = 1000

// filter asks for the first 20 people with a last name, and how many there are.
func (w *world) filter(ctx context.Context, r *registry) (measures, error) {
	last := personNumber(r.people / 2).last
	want := withLastName(last, r.people)
	err := w.once(ctx, r, url.Values{"demographicField.lastName": {last}}, want)
	if err != nil {
		return nil, err
	}
	return w.list(ctx, r, samples, func(i int) url.Values {
		return url.Values{"demographicField.lastName": {personNumber(i * 7 % r.people).last}, "pageSize": {"20"}}
	}, atLeastOne)
}

func atLeastOne(total int) error {
	if total < 1 {
		return errors.New("nobody is found")
	}
	return nil
}

// once checks that a query finds so many.
func (w *world) once(ctx context.Context, r *registry, query url.Values, want int) error {
	_, err := w.list(ctx, r, 1, func(int) url.Values { return query }, func(total int) error {
		if total != want {
			return fmt.Errorf("%d are found, want %d", total, want)
		}
		return nil
	})
	return err
}

// search looks for texts in all fields, with the exact total.
func (w *world) search(ctx context.Context, r *registry, text func(p person) string) (measures, error) {
	return w.list(ctx, r, samples, func(i int) url.Values {
		return url.Values{"query": {text(personNumber(i * 7 % r.people))}, "pageSize": {"20"}}
	}, atLeastOne)
}

// sorted reads pages in an order: some of the first thousand, and then some anywhere.
func (w *world) sorted(ctx context.Context, r *registry, key string) (measures, error) {
	const size = 20
	random := seeded()
	pages := (r.people + size - 1) / size
	query := func(among int) func(int) url.Values {
		return func(i int) url.Values {
			return url.Values{
				"sortBy": {key}, "sortAscending": {strconv.FormatBool(i%2 == 0)}, "pageSize": {strconv.Itoa(size)},
				"pageNumber": {strconv.Itoa(random.IntN(among))},
			}
		}
	}
	everybody := func(total int) error {
		if total != r.people {
			return fmt.Errorf("%d are found, want %d", total, r.people)
		}
		return nil
	}
	found, err := w.list(ctx, r, samples/2, query(min(1000, pages)), everybody)
	if err != nil {
		return nil, err
	}
	anywhere, err := w.list(ctx, r, 20, query(pages), everybody)
	if err != nil {
		return nil, err
	}
	found[slowest] = anywhere[slowest]
	return found, nil
}

// walk reads the whole registry by pages of 200, as clients do that want everybody.
func (w *world) walk(ctx context.Context, r *registry) (measures, error) {
	const size = 200
	conn, err := dial(ctx, r.address)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var took []time.Duration
	var all time.Duration
	var held heldToken
	seen := map[string]bool{}
	for len(seen) < r.people {
		token, err := held.get(ctx, r)
		if err != nil {
			return nil, err
		}
		path := fmt.Sprintf("%s?pageSize=%d&pageNumber=%d", projectPath, size, len(took))
		request := appendRequest(nil, http.MethodGet, path, token, nil)
		began := time.Now()
		status, err := conn.do(request)
		took = append(took, time.Since(began))
		all += took[len(took)-1]
		if err != nil || status != http.StatusOK {
			return nil, errors.Join(fmt.Errorf("page %d: %d %.300s", len(took)-1, status, conn.body), err)
		}
		if err := everyoneOnce(conn.body, seen); err != nil {
			return nil, err
		}
	}
	found := per(r.people, all)
	some := min(10, max(1, len(took)/2)) // one page alone says little
	found[spread] = medianTime(took[len(took)-some:]) / medianTime(took[:some])
	return found, nil
}

// everyoneOnce adds the people of a page to those seen.
func everyoneOnce(page []byte, seen map[string]bool) error {
	var answer struct {
		Participants []struct{ ParticipantIdentifier string }
	}
	if err := json.Unmarshal(page, &answer); err != nil {
		return err
	}
	if len(answer.Participants) == 0 {
		return fmt.Errorf("the list ends after %d people", len(seen))
	}
	for _, p := range answer.Participants {
		if seen[p.ParticipantIdentifier] {
			return fmt.Errorf("%s comes twice", p.ParticipantIdentifier)
		}
		seen[p.ParticipantIdentifier] = true
	}
	return nil
}

func medianTime(of []time.Duration) float64 {
	sorted := slices.Sorted(slices.Values(of))
	return milliseconds(sorted[len(sorted)/2])
}
