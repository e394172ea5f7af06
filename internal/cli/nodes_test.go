//go:build unix

package cli_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"rollcall/internal/registry"
	"rollcall/internal/store/pgtest"
)

// TestNodes tells what happens to several nodes on one PostgreSQL server, each story in a
// database and a bucket of its own.
func TestNodes(t *testing.T) {
	t.Parallel()
	postgres := pgtest.Start(t)
	for _, story := range []struct {
		name string
		tell func(*testing.T, *pgtest.Server)
	}{
		{"a killed node loses nothing", killedNode},
		{"a paused node loses its job and cannot write into it", pausedNode},
		{"a stopped node hands its job over", stoppedNode},
		{"jobs of one site take turns", lanes},
		{"who may sign in is one for all", signingIn},
		{"the request budget is one for all", oneBudget},
		{"what one has written the other reads", readYourWrites},
	} {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			story.tell(t, postgres)
		})
	}
}

// killedNode kills a node in the midst of a bulk add: the other finishes it, and its log is
// exact.
func killedNode(t *testing.T, postgres *pgtest.Server) {
	c := newCluster(t, postgres)
	const people = 100_000
	rows := crashFile(people)
	a, b := c.node("a"), c.node("b")
	job := a.submit(fileOf(rows))
	c.within(2*time.Minute, "half of the job is done", func() bool { return a.job(job).Rows >= people/2 })
	if before := c.stored(job); before.Node != a.id || !before.Held {
		t.Fatalf("the job was not the first node's at the kill: %+v", before)
	}
	a.signal(os.Kill)
	killed := time.Now()
	if err := a.end(); err == nil {
		t.Fatal("the killed node ended well")
	}
	c.takesOver(b, job, killed)
	c.ended(b, job, 2*time.Minute)

	checkLog(t, b.running, job, rows)
	checkPeople(t, c.store, rows)
	c.verify(b)
	log := c.stored(job).Output
	c.within(patience, "only the log is in the bucket", func() bool { return slices.Equal(c.keys(), []string{log}) })
	_, text := b.ask(http.MethodGet, "/pages/auth/api/jobs/"+job+"/downloadFile", nil, "")
	if _, lines, _ := bytes.Cut(text, []byte("\n")); !bytes.Equal(lines, c.object(log)) { // the header is not kept
		t.Error("the log in the bucket is not what is downloaded")
	}
	b.stop()
}

// pausedNode pauses the node that works on a job, again and again, until the other has taken
// the job, and then wakes it. It has a server of its own: a client that is paused while it sends
// holds the dropping of any database up.
func pausedNode(t *testing.T, _ *pgtest.Server) {
	c := newCluster(t, pgtest.Start(t))
	const pauses = 2
	rows := crashFile(80_000)
	at, other := c.node("a"), c.node("b")
	job := at.submit(fileOf(rows))
	for pause := 1; pause <= pauses; pause++ {
		from := c.stored(job).Rows
		c.within(patience, "the job gets on", func() bool { return c.stored(job).Rows > from })
		for range rand.IntN(20) { // some way into a chunk
			at.job(job)
		}
		if before := c.stored(job); before.Node != at.id || !before.Held || !before.State.Unfinished() {
			t.Fatalf("the node does not work on the job that it is to lose: %+v", before)
		}
		at.signal(syscall.SIGSTOP)
		c.takesOver(other, job, time.Now())
		at.signal(syscall.SIGCONT)
		c.within(patience, "the woken node lets go of the job", func() bool {
			return c.logged("another node has taken the job") == pause
		})
		service := c.service(at, firstAccount)
		name := fmt.Sprintf("Awake%d", pause)
		if status, text := service.putPerson(rows[0].id, name); status != http.StatusOK {
			t.Errorf("a woken node changes a participant: %d %s", status, text)
		}
		service.reads(rows[0].id, http.StatusOK, `"firstName":"`+name+`"`)
		at, other = other, at
	}
	c.ended(at, job, 2*time.Minute)

	for _, n := range []*node{at, other} {
		checkLog(t, n.running, job, rows)
	}
	checkPeople(t, c.store, rows)
	c.verify(at)
	at.stop()
	other.stop()
}

// stoppedNode stops a node in good order. Its job goes on before the lease would have run out.
func stoppedNode(t *testing.T, postgres *pgtest.Server) {
	c := newCluster(t, postgres)
	const handover = 10 * time.Second // the other looks for work every 5
	rows := crashFile(30_000)
	a, b := c.node("a"), c.node("b")
	job := a.submit(fileOf(rows))
	c.within(patience, "the job gets on", func() bool { return a.job(job).Rows > 0 })
	a.stop()
	stopped := time.Now()
	if left := c.stored(job); left.Held || left.Node != a.id || !left.State.Unfinished() {
		t.Errorf("the stopped node has not given its job up: %+v", left)
	}
	c.takesOver(b, job, stopped)
	if took := time.Since(stopped); took > handover {
		t.Errorf("the job rested for %s, want %s at most", took, handover)
	}
	c.ended(b, job, 2*time.Minute)
	checkLog(t, b.running, job, rows)
	checkPeople(t, c.store, rows)
	b.stop()
}

// lanes submits two jobs of one site and one of another to two nodes.
func lanes(t *testing.T, postgres *pgtest.Server) {
	c := newCluster(t, postgres)
	const people = 15_000
	first := bytes.NewBufferString("ParticipantID,firstName\n")
	second := bytes.NewBufferString("ParticipantID,firstName\n")
	for i := range people {
		fmt.Fprintf(first, "J-%06d,First\n", i)
		fmt.Fprintf(second, "J-%06d,Second\n", i)
	}
	a, b := c.node("a"), c.node("b")
	one := a.submit(first.Bytes())
	two := b.submit(second.Bytes())
	three := b.submitTo(studyPath+"/sites/S_OHIO/participants", []byte("ParticipantID\nO-1\nO-2\nO-3\n"))
	c.within(patience, "the other site's job ends", func() bool { return b.job(three).Status == "COMPLETED" })
	if state := c.stored(one).State; !state.Unfinished() {
		t.Errorf("the other site's job has waited for a job of this one, which is %s", state)
	}
	c.within(2*time.Minute, "the first job ends", func() bool {
		waits := c.stored(two) // read first: it may start as soon as the other ends
		ended := !c.stored(one).State.Unfinished()
		if !ended && (waits.Rows > 0 || waits.Held) {
			t.Fatalf("the second job began before the first ended: %+v", waits)
		}
		return ended
	})
	c.ended(a, two, 2*time.Minute)
	for name, job := range map[string]string{"first": one, "second": two} {
		if got, want := b.job(job), (jobState{Status: "COMPLETED", Rows: people}); got != want {
			t.Errorf("%s job: %+v, want %+v", name, got, want)
		}
	}
	catalog, err := c.store.Catalog(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	study, err := catalog.Study("S_JUNO")
	if err != nil {
		t.Fatal(err)
	}
	there, err := c.store.Participants(t.Context(), study.ID, nil, 0, 2*people)
	if err != nil {
		t.Fatal(err)
	}
	if len(there) != people+3 {
		t.Errorf("%d participants, want %d", len(there), people+3)
	}
	late := slices.IndexFunc(there, func(p *registry.Participant) bool {
		return strings.HasPrefix(p.Identifier, "J-") && p.Details[registry.FirstName] != "Second"
	})
	if late >= 0 {
		t.Errorf("participant %s is as the first job left it", there[late].Identifier)
	}
	a.stop()
	b.stop()
}

// signingIn uses on one node what was given out, or used up, on the other.
func signingIn(t *testing.T, postgres *pgtest.Server) {
	c := newCluster(t, postgres)
	a, b := c.node("a"), c.node("b")
	status, token := a.signIn("correct-horse")
	if status != http.StatusOK {
		t.Fatalf("sign in: %d %s", status, token)
	}
	if status, text := b.as(token).addPerson("J-1", "Mary"); status != http.StatusOK {
		t.Errorf("a token of the other node: %d %s", status, text)
	}

	for i, at := range []*node{a, b, a} {
		assertion := c.assertion(firstAccount)
		status, token := at.exchange(assertion)
		if status != http.StatusOK {
			t.Fatalf("an assertion: %d", status)
		}
		for name, n := range map[string]*node{"first": a, "second": b} {
			if status, text := n.as(token).ask(http.MethodGet, projectPath, nil, ""); status != http.StatusOK {
				t.Errorf("a service account's token on the %s node: %d %s", name, status, text)
			}
			if status, _ := n.exchange(assertion); status != http.StatusBadRequest {
				t.Errorf("assertion %d again, on the %s node: %d, want 400", i, name, status)
			}
		}
	}

	for range 2 {
		if status, text := a.signIn("wrong"); status != http.StatusUnauthorized {
			t.Fatalf("a wrong password: %d %s", status, text)
		}
	}
	for _, n := range []*node{b, a} {
		if status, text := n.signIn("correct-horse"); status != http.StatusTooManyRequests {
			t.Errorf("the right password after two wrong ones on a node: %d %s, want 429", status, text)
		}
	}
	a.stop()
	b.stop()
}

// oneBudget sends more requests to two nodes at once than both together may answer.
func oneBudget(t *testing.T, postgres *pgtest.Server) {
	c := newCluster(t, postgres)
	const limit, requests = 10, 30
	a, b := c.node("a", "--rate-limit", fmt.Sprint(limit)), c.node("b", "--rate-limit", fmt.Sprint(limit))
	for _, account := range []string{firstAccount, "MyDataHelps.1.second"} {
		asFirst := c.service(a, account)
		hour := time.Now().Truncate(time.Hour)
		var admitted, refused atomic.Int64
		var sent sync.WaitGroup
		for i := range requests {
			n := []*node{asFirst, b.as(asFirst.token)}[i%2]
			sent.Go(func() {
				switch status, text := n.ask(http.MethodGet, projectPath, nil, ""); status {
				case http.StatusOK:
					admitted.Add(1)
				case http.StatusTooManyRequests:
					refused.Add(1)
				default:
					t.Errorf("a request: %d %s", status, text)
				}
			})
		}
		sent.Wait()
		if !time.Now().Truncate(time.Hour).Equal(hour) {
			continue // budgets begin with the hour: this account had two
		}
		if admitted.Load() != limit || refused.Load() != requests-limit {
			t.Errorf("%d requests were admitted and %d refused, want %d and %d", admitted.Load(), refused.Load(), limit, requests-limit)
		}
		break
	}
	a.stop()
	b.stop()
}

// readYourWrites writes by each dialect on one node and reads by both on the other at once.
func readYourWrites(t *testing.T, postgres *pgtest.Server) {
	c := newCluster(t, postgres)
	nodes := []*node{c.node("a"), c.node("b")}
	services := []*node{c.service(nodes[0], firstAccount), c.service(nodes[1], firstAccount)}
	for i := range 20 {
		here, there := i%2, 1-i%2
		clinic, project := fmt.Sprintf("OC-%02d", i), fmt.Sprintf("MDH-%02d", i)
		if status, text := nodes[here].addPerson(clinic, "Clinic"); status != http.StatusOK {
			t.Fatalf("add %s: %d %s", clinic, status, text)
		}
		services[there].reads(project, http.StatusNotFound, "")
		services[there].reads(clinic, http.StatusOK, `"firstName":"Clinic"`)
		if status, text := services[here].putPerson(project, "Project"); status != http.StatusOK {
			t.Fatalf("put %s: %d %s", project, status, text)
		}
		services[there].reads(project, http.StatusOK, `"firstName":"Project"`)
		if status, text := nodes[there].ask(http.MethodGet, studyPath+"/participants", nil, ""); status != http.StatusOK ||
			!strings.Contains(string(text), `"`+clinic+`"`) || !strings.Contains(string(text), `"`+project+`"`) {
			t.Errorf("the list on the other node: %d %.2000s; want %s and %s in it", status, text, clinic, project)
		}
		if status, text := services[there].putPerson(clinic, "Changed"); status != http.StatusOK {
			t.Fatalf("change %s: %d %s", clinic, status, text)
		}
		services[here].reads(clinic, http.StatusOK, `"firstName":"Changed"`)
		if status, text := nodes[there].removePerson(c, project); status != http.StatusOK && status != http.StatusNoContent {
			t.Fatalf("delete %s: %d %s", project, status, text)
		}
		services[here].reads(project, http.StatusNotFound, "")
	}
	for _, n := range nodes {
		n.stop()
	}
}
