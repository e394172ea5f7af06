//go:build unix

package cli_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"rollcall/internal/store/pgtest"
)

// linearStudies are a study with a cap, one whose contacts are claimed, and one that generates
// identifiers.
const linearStudies = `
studies:
  - {oid: S_CAP, guid: 11111111-3a0c-4f0e-9c6b-2f6f0d7c1a11, name: Cap, enrollment: {cap: 4, enforce: true}, sites: [{oid: S_BOSTON, code: BOSTON, name: Boston}]}
  - {oid: S_MAIL, guid: 22222222-3a0c-4f0e-9c6b-2f6f0d7c1a11, name: Mail, enrollOnCreate: false}
  - oid: S_GEN
    name: Generated
    participantIds: {method: system-generated, template: '${siteId}-${siteParticipantCount+1}'}
    sites: [{oid: S_LEEDS, code: LEEDS, name: Leeds}, {oid: S_PORTO, code: PORTO, name: Porto}]
users:
  - {username: dana, password: correct-horse, roles: [{study: S_CAP, role: data manager}, {study: S_GEN, role: data manager}]}
serviceAccounts:
  - {name: MyDataHelps.1.first, studies: [S_CAP, S_MAIL], publicKeyFiles: [key.pem]}
`

const (
	enrollmentCap = 4 // as linearStudies says
	capPath       = "/pages/auth/api/clinicaldata/studies/S_CAP/sites/S_BOSTON/participants"
	capProject    = "/api/v1/administration/projects/11111111-3a0c-4f0e-9c6b-2f6f0d7c1a11/participants"
	mailProject   = "/api/v1/administration/projects/22222222-3a0c-4f0e-9c6b-2f6f0d7c1a11/participants"
	generatedPath = "/pages/auth/api/clinicaldata/studies/S_GEN/sites/%s/participants"
)

// asked is what a client asked for. About is what it is about: the study, a site or an e-mail
// address. The registry keeps the things that are asked about apart.
type asked struct{ do, about, who string }

// told is what a client was told; unknown, if it got no answer or was told to try again later.
type told struct {
	unknown bool
	done    bool
	n       int    // how many there are, or the number generated
	who     string // who holds the address
}

// byAbout checks each thing on its own.
func byAbout(history []porcupine.Operation) [][]porcupine.Operation {
	parts := map[string][]porcupine.Operation{}
	for _, op := range history {
		about := op.Input.(asked).about
		parts[about] = append(parts[about], op)
	}
	var all [][]porcupine.Operation
	for _, part := range parts {
		all = append(all, part)
	}
	return all
}

// model makes a model of one kind of thing. What is not known to have happened is done by step
// if it can be; that it never happened is the same as that it happened after everything else,
// since it has no end.
func model[S comparable](first S, step func(before S, in asked, out told) (bool, S)) porcupine.Model {
	return porcupine.Model{
		Partition: byAbout,
		Init:      func() any { return first },
		Step: func(state, in, out any) (bool, any) {
			ok, after := step(state.(S), in.(asked), out.(told))
			return ok, after
		},
		DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v: %+v", in, out) },
	}
}

// The three models. The state is how many count; who holds the address; the last number.
var (
	capModel = model(0, func(count int, in asked, out told) (bool, int) {
		free := count < enrollmentCap
		switch {
		case in.do == "count":
			return out.unknown || out.n == count, count
		case in.do == "withdraw":
			return out.unknown || out.done, count - 1
		case out.unknown && free, out.done && free:
			return true, count + 1
		default:
			return out.unknown || !out.done && !free, count
		}
	})
	claimModel = model("", func(holder string, in asked, out told) (bool, string) {
		free := holder == "" || holder == in.who
		switch {
		case in.do == "holder":
			return out.unknown || out.who == holder, holder
		case in.do == "release":
			return out.unknown || out.done && holder == in.who, ""
		case out.unknown && free, out.done && free:
			return true, in.who
		default:
			return out.unknown || !out.done && !free, holder
		}
	})
	numberModel = model(0, func(last int, in asked, out told) (bool, int) {
		if in.do == "refused" {
			return out.unknown || !out.done, last
		}
		return out.unknown || out.done && out.n == last+1, last + 1
	})
)

// histories are what all clients have asked and were told.
type histories struct {
	*cluster
	service string // token of the service account
	nodes   [2]atomic.Pointer[node]
	start   time.Time
	quit    chan struct{}
	asks    atomic.Int64
	unknown atomic.Int64

	mu      sync.Mutex
	cap     []porcupine.Operation
	claims  []porcupine.Operation
	numbers []porcupine.Operation
}

// record asks and remembers it with its times.
func (h *histories) record(to *[]porcupine.Operation, client int, in asked, ask func() told) told {
	call := time.Since(h.start).Nanoseconds()
	out := ask()
	ended := time.Since(h.start).Nanoseconds()
	if out.unknown {
		ended = math.MaxInt64
		h.unknown.Add(1)
	}
	h.asks.Add(1)
	h.mu.Lock()
	defer h.mu.Unlock()
	*to = append(*to, porcupine.Operation{ClientId: client, Input: in, Call: call, Output: out, Return: ended})
	return out
}

// send sends a request to the client's node and reads the answer: right, refused in the words
// given, or unknown. Anything else is wrong.
func (h *histories) send(client int, method, path, body string, refusedBy string) (told, reply) {
	killed := h.nodes[client%len(h.nodes)].Load()
	n := killed
	if strings.HasPrefix(path, "/api/") {
		n = n.as(h.service)
	}
	r := n.try(method, path, jsonType, body)
	switch {
	case r.err != nil:
		h.waitForNext(client, killed)
		return told{unknown: true}, r
	case r.away(path):
		return told{unknown: true}, r
	case r.status == http.StatusOK:
		return told{done: true}, r
	case refusedBy == "" || r.status != http.StatusConflict && r.status != http.StatusBadRequest || !strings.Contains(string(r.body), refusedBy):
		h.t.Errorf("%s %s: %d %s", method, path, r.status, r.body)
	}
	return told{}, r
}

// waitForNext waits until another node has taken the place of one that was killed.
func (h *histories) waitForNext(client int, killed *node) {
	for h.nodes[client%len(h.nodes)].Load() == killed {
		select {
		case <-h.quit:
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// client does one thing after the other until the test has enough.
func (h *histories) client(client int, random *rand.Rand) {
	for i := 0; ; i++ {
		select {
		case <-h.quit:
			return
		default:
		}
		who := fmt.Sprintf("P-%d-%d", client, i)
		switch random.IntN(3) {
		case 0:
			h.enrol(client, who, random.IntN(100) == 0)
		case 1:
			h.claim(client, who, fmt.Sprintf("shared%d-%d@example.org", h.asks.Load()/150, random.IntN(2)))
		case 2:
			h.generate(client, []string{"S_LEEDS", "S_PORTO"}[random.IntN(2)], random.IntN(4) == 0)
		}
	}
}

// enrol adds somebody to the study with the cap, counts, and nearly always gives the place back.
func (h *histories) enrol(client int, who string, stays bool) {
	out := h.record(&h.cap, client, asked{"add", "cap", who}, func() told {
		out, _ := h.send(client, "POST", capPath, fmt.Sprintf(`{"subjectKey":%q}`, who), "errorCode.participantsEnrollmentCapReached")
		return out
	})
	h.record(&h.cap, client, asked{"count", "cap", ""}, func() told {
		out, r := h.send(client, "GET", capProject+"?pageSize=1000", "", "")
		var page struct {
			Participants []struct{ WithdrawDate *string }
		}
		if out.done && json.Unmarshal(r.body, &page) != nil {
			h.t.Errorf("list: %s", r.body)
		}
		for _, p := range page.Participants {
			if p.WithdrawDate == nil {
				out.n++
			}
		}
		return out
	})
	if out.done && !stays {
		h.record(&h.cap, client, asked{"withdraw", "cap", who}, func() told {
			out, _ := h.send(client, "POST", capProject+"/"+who+"/withdraw", "", "")
			return out
		})
	}
}

// claim adds somebody with an address that others want too, asks who has it, and gives it up.
func (h *histories) claim(client int, who, address string) {
	put := func(do, email, refusedBy string) told {
		return h.record(&h.claims, client, asked{do, address, who}, func() told {
			body := fmt.Sprintf(`{"participantIdentifier":%q,"demographics":{"email":%q}}`, who, email)
			out, _ := h.send(client, "PUT", mailProject, body, refusedBy)
			return out
		})
	}
	claimed := put("claim", address, "demographics.email")
	h.record(&h.claims, client, asked{"holder", address, who}, func() told {
		out, r := h.send(client, "GET", mailProject+"?demographicField.email="+url.QueryEscape(address), "", "")
		var page struct {
			Participants []struct{ ParticipantIdentifier string }
		}
		if out.done && (json.Unmarshal(r.body, &page) != nil || len(page.Participants) > 1) {
			h.t.Errorf("one address: %s", r.body)
		}
		for _, p := range page.Participants {
			out.who = p.ParticipantIdentifier
		}
		return out
	})
	if claimed.done {
		put("release", "", "")
	}
}

// generate adds somebody whose identifier is generated, or fails to, which uses up no number.
func (h *histories) generate(client int, site string, wrong bool) {
	path, body, in := fmt.Sprintf(generatedPath, site), `{}`, asked{"generate", site, ""}
	if wrong {
		body, in.do = `{"emailAddress":"nowhere"}`, "refused"
	}
	h.record(&h.numbers, client, in, func() told {
		out, r := h.send(client, "POST", path, body, "errorCode.invalidEmailAddress")
		if out.done {
			if _, err := fmt.Sscanf(r.field("subjectKey"), strings.TrimPrefix(site, "S_")+"-%d", &out.n); err != nil {
				h.t.Errorf("generated: %s", r.body)
			}
		}
		return out
	})
}

// TestTwoNodesAreOne has clients of two nodes on one database enrol people up to a cap, claim
// addresses and have identifiers generated, while one of the nodes is killed and started again.
// What they were told is what one registry could have told them, doing one thing after the other.
func TestTwoNodesAreOne(t *testing.T) {
	t.Parallel()
	const perNode, enough = 4, 250
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	database := pgtest.Start(t).Database(t)
	h := &histories{cluster: sharing(t, linearStudies, database, database), start: time.Now(), quit: make(chan struct{})}
	h.nodes[0].Store(h.node("one"))
	h.nodes[1].Store(h.node("two"))
	h.service = h.cluster.service(h.nodes[0].Load(), firstAccount).token
	var group sync.WaitGroup
	stop := sync.OnceFunc(func() {
		close(h.quit)
		group.Wait()
	})
	t.Cleanup(stop)
	for i := range perNode * len(h.nodes) {
		group.Go(func() { h.client(i, rand.New(rand.NewPCG(seed, uint64(i)))) })
	}
	for range 2 {
		asks := h.asks.Load()
		h.until("clients are at work", func() bool { return h.asks.Load() > asks+enough })
		second := h.nodes[1].Load()
		second.signal(os.Kill)
		_ = second.end() // killed
		asks = h.asks.Load()
		h.until("clients of the other node are at work", func() bool { return h.asks.Load() > asks+enough/5 })
		h.nodes[1].Store(h.node("two"))
	}
	asks := h.asks.Load()
	h.until("clients are at work", func() bool { return h.asks.Load() > asks+enough })
	stop()
	t.Logf("%d things asked, %d without an answer", h.asks.Load(), h.unknown.Load())
	for _, check := range []struct {
		name    string
		model   porcupine.Model
		history []porcupine.Operation
	}{{"cap", capModel, h.cap}, {"claims", claimModel, h.claims}, {"numbers", numberModel, h.numbers}} {
		done, refused := 0, 0
		for _, op := range check.history {
			switch out := op.Output.(told); {
			case out.done && (op.Input.(asked).do == "add" || op.Input.(asked).do == "claim" || op.Input.(asked).do == "generate"):
				done++
			case !out.done && !out.unknown:
				refused++
			}
		}
		if done < 10 || refused < 1 {
			t.Errorf("%s: only %d things done and %d refused", check.name, done, refused)
		}
		t.Logf("%s: %d things asked, %d done, %d refused", check.name, len(check.history), done, refused)
		if result := porcupine.CheckOperationsTimeout(check.model, check.history, 20*time.Second); result != porcupine.Ok {
			t.Errorf("%s: %s: no order of the %d things explains the answers", check.name, result, len(check.history))
			for _, op := range check.history[:min(len(check.history), 60)] {
				t.Logf("%d-%d client %d: %+v %+v", op.Call/1000, op.Return/1000, op.ClientId, op.Input, op.Output)
			}
		}
	}
}

// TestModels: the models take what one registry could tell, and nothing else.
func TestModels(t *testing.T) {
	t.Parallel()
	op := func(call, ended int64, in asked, out told) porcupine.Operation {
		return porcupine.Operation{Input: in, Call: call, Output: out, Return: ended}
	}
	full := make([]porcupine.Operation, enrollmentCap)
	for i := range full {
		full[i] = op(int64(10*i), int64(10*i+5), asked{do: "add"}, told{done: true})
	}
	yes, no, unknown := told{done: true}, told{}, told{unknown: true}
	tests := []struct {
		name    string
		model   porcupine.Model
		history []porcupine.Operation
		want    bool
	}{
		{"up to the cap", capModel, full, true},
		{"beyond the cap", capModel, append(full[:len(full):len(full)], op(200, 210, asked{do: "add"}, yes)), false},
		{"refused before the cap", capModel, append(full[:2:2], op(200, 210, asked{do: "add"}, no)), false},
		{"a place given back", capModel, append(full[:len(full):len(full)], op(200, 210, asked{do: "withdraw"}, yes), op(220, 230, asked{do: "add"}, yes)), true},
		{"a count that is late", capModel, append(full[:2:2], op(200, 210, asked{do: "count"}, told{done: true, n: 1})), false},
		{"perhaps added", capModel, []porcupine.Operation{op(0, math.MaxInt64, asked{do: "add"}, unknown), op(10, 20, asked{do: "count"}, told{done: true, n: 1})}, true},
		{"perhaps not added", capModel, []porcupine.Operation{op(0, math.MaxInt64, asked{do: "add"}, unknown), op(10, 20, asked{do: "count"}, told{done: true})}, true},
		{"added and gone", capModel, []porcupine.Operation{op(0, math.MaxInt64, asked{do: "add"}, unknown),
			op(10, 20, asked{do: "count"}, told{done: true, n: 1}), op(30, 40, asked{do: "count"}, told{done: true})}, false},
		{"two winners", claimModel, []porcupine.Operation{op(0, 5, asked{"claim", "m", "A"}, yes), op(1, 6, asked{"claim", "m", "B"}, yes)}, false},
		{"one winner of each", claimModel, []porcupine.Operation{op(0, 5, asked{"claim", "m", "A"}, yes), op(1, 6, asked{"claim", "n", "B"}, yes)}, true},
		{"nobody wins", claimModel, []porcupine.Operation{op(0, 5, asked{"claim", "m", "A"}, no), op(1, 6, asked{"claim", "m", "B"}, no)}, false},
		{"twice one number", numberModel, []porcupine.Operation{op(0, 5, asked{do: "generate"}, told{done: true, n: 1}), op(1, 6, asked{do: "generate"}, told{done: true, n: 1})}, false},
		{"a gap", numberModel, []porcupine.Operation{op(0, 5, asked{do: "generate"}, told{done: true, n: 1}), op(6, 9, asked{do: "generate"}, told{done: true, n: 3})}, false},
		{"perhaps a gap", numberModel, []porcupine.Operation{op(0, math.MaxInt64, asked{do: "generate"}, unknown), op(6, 9, asked{do: "generate"}, told{done: true, n: 2})}, true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := porcupine.CheckOperations(test.model, test.history); got != test.want {
				t.Errorf("%t, want %t", got, test.want)
			}
		})
	}
}
