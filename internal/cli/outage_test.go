//go:build unix

package cli_test

import (
	"bytes"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rollcall/internal/store/pgtest"
)

// absence is how long a server is away.
const absence = 2 * time.Second

// ready is the status of /readyz.
func (n *node) ready() int { return n.try("GET", "/readyz", "", "").status }

// TestDatabaseStops has clients of both dialects and a job at work while PostgreSQL is stopped
// and started again, in each way there is. Every answer is right or says to try again later,
// nothing acknowledged is lost, and the server goes on by itself.
func TestDatabaseStops(t *testing.T) {
	t.Parallel()
	postgres := pgtest.Start(t)
	database := strings.Replace(postgres.Database(t), "rollcall@", "rollcall:geheim@", 1)
	c := sharing(t, nodesStudy, database, database)
	n := c.node("one")
	l := c.load(n)
	var bulks []bulk
	for _, stop := range []struct {
		name string
		mode pgtest.Mode
	}{{"Bfast", pgtest.Fast}, {"Bimmediate", pgtest.Immediate}, {"Bkill", pgtest.Kill}} {
		there, away := l.counts()
		b := l.submitBulk(stop.name, 6000)
		bulks = append(bulks, b)
		c.until("clients and job are at work", func() bool {
			now, _ := l.counts()
			return now > there+10 && l.progress(b).Rows > 0
		})
		if l.hasEnded(b) {
			t.Errorf("%s: the job had ended before the stop", stop.name)
		}
		postgres.Stop(t, stop.mode)
		c.until("the server is not ready", func() bool { return n.ready() == http.StatusServiceUnavailable })
		time.Sleep(absence) // what happens in it is checked by the clients
		if status := n.ready(); status != http.StatusServiceUnavailable {
			t.Errorf("%s: readyz says %d without a database", stop.name, status)
		}
		if _, now := l.counts(); now == away {
			t.Errorf("%s: no client has noticed", stop.name)
		}
		postgres.Start(t)
		c.until("the server is ready again", func() bool { return n.ready() == http.StatusOK })
		there, _ = l.counts()
		c.until("clients are served again", func() bool { now, _ := l.counts(); return now > there })
	}
	for _, b := range bulks {
		l.checkBulk(b)
	}
	l.stop()
	l.check(database)
	n.stop()
	c.checkLines()
}

// TestNetworkCuts has clients of both dialects and a job at work while the network between the
// server and PostgreSQL is cut, again and again: when a transaction is about to commit, when it
// has committed, and all connections at once.
func TestNetworkCuts(t *testing.T) {
	t.Parallel()
	database := pgtest.Start(t).Database(t)
	proxy := pgtest.StartProxy(t, database)
	c := sharing(t, nodesStudy, database, proxy.URL())
	n := c.node("one")
	l := c.load(n)
	var commits, chunks, struck atomic.Int64
	var inChunk atomic.Bool // whether a part of a job's log was written, and not committed yet
	var submitted atomic.Bool
	verdicts := [...]pgtest.Verdict{pgtest.CutBefore, pgtest.CutAfter, pgtest.Forward}
	proxy.Watch(func(message []byte) pgtest.Verdict {
		verdict := pgtest.Forward
		switch {
		case bytes.Contains(message, []byte("INTO job_output")):
			inChunk.Store(true)
		case !bytes.Equal(message[5:], []byte("COMMIT\x00")):
		case inChunk.Swap(false):
			verdict = verdicts[chunks.Add(1)%3]
		case submitted.Load():
			n := commits.Add(1)
			if n%9 == 0 {
				verdict = verdicts[n/9%2]
			}
			if n%100 == 0 && n <= 300 {
				proxy.Cut()
			}
		}
		if verdict != pgtest.Forward {
			struck.Add(1)
		}
		return verdict
	})
	b := l.submitBulk("Bcut", 15_000) // chunks grow while the clients pause
	submitted.Store(true)
	c.until("the job ends", func() bool { return l.hasEnded(b) })
	c.until("the network has been cut often", func() bool { return commits.Load() > 250 })
	if chunks.Load() < 6 {
		t.Errorf("the job has committed %d times; its chunks should have been struck", chunks.Load())
	}
	t.Logf("%d commits of clients and %d of the job; %d were cut", commits.Load(), chunks.Load(), struck.Load())
	proxy.Watch(nil)
	l.checkBulk(b)
	l.stop()
	l.check(database)
	n.stop()
	c.checkLines()
	if _, away := l.counts(); away == 0 {
		t.Error("no client has noticed")
	}
}

// TestCutAddIsRepeated: a client whose request ended in nobody knows what gets the right answer
// when it sends the same again, through each dialect, and there is one participant.
func TestCutAddIsRepeated(t *testing.T) {
	t.Parallel()
	database := pgtest.Start(t).Database(t)
	proxy := pgtest.StartProxy(t, database)
	c := sharing(t, nodesStudy, database, proxy.URL())
	n := c.node("one")
	l := &load{cluster: c, clinic: n, project: c.service(n, firstAccount), there: map[string]bool{}, barred: map[string]bool{}}
	if r := l.project.try("GET", projectPath, "", ""); r.status != http.StatusOK { // what the budget commits
		t.Fatalf("list: %d %s", r.status, r.body)
	}
	for _, test := range []struct {
		name, want string // in the second answer
		when       pgtest.Verdict
		at         *node
		method     string
		path, body string
	}{
		{"C0-1", `"subjectOid":"SS_C01"`, pgtest.CutBefore, l.clinic, "POST", sitePath + "?register=y", `{"subjectKey":"C0-1","firstName":"Ann"}`},
		{"C0-2", `"subjectOid":"SS_C02"`, pgtest.CutAfter, l.clinic, "POST", sitePath + "?register=y", `{"subjectKey":"C0-2","firstName":"Ann"}`},
		{"M0-1", `"actionTaken":"add"`, pgtest.CutBefore, l.project, "PUT", projectPath, `{"participantIdentifier":"M0-1","demographics":{"email":"m1@x.org"}}`},
		{"M0-2", `"actionTaken":"none"`, pgtest.CutAfter, l.project, "PUT", projectPath, `{"participantIdentifier":"M0-2","demographics":{"email":"m2@x.org"}}`},
	} {
		struck := proxy.CutAt("COMMIT\x00", test.when)
		if r := test.at.try(test.method, test.path, jsonType, test.body); !r.away(test.path) {
			t.Errorf("%s: cut: %d %s (%v)", test.name, r.status, r.body, r.err)
		}
		<-struck
		r := test.at.try(test.method, test.path, jsonType, test.body)
		if r.status != http.StatusOK || !strings.Contains(string(r.body), test.want) {
			t.Errorf("%s: again: %d %s (%v), want %s", test.name, r.status, r.body, r.err, test.want)
		}
		l.there[test.name] = true
	}
	l.check(database)
	n.stop()
}

// TestFailover has clients at work while the primary is killed and its synchronous replica takes
// over. The node knows both by its address of the database, and nothing acknowledged is lost.
func TestFailover(t *testing.T) {
	t.Parallel()
	primary := pgtest.Start(t)
	database := primary.Database(t)
	replica := primary.Replica(t, pgtest.Synchronous())
	second := replica.On(t, database)
	_, host, _ := strings.Cut(second, "@")
	host, _, _ = strings.Cut(host, "/")
	both := strings.Replace(database, "/test", ","+host+"/test", 1) + "&target_session_attrs=read-write"
	c := sharing(t, nodesStudy, database, both)
	n := c.node("one")
	l := c.load(n)
	b := l.submitBulk("Bover", 6000)
	c.until("clients and job are at work", func() bool {
		there, _ := l.counts()
		return there > 30 && l.progress(b).Rows > 0
	})
	primary.Stop(t, pgtest.Kill)
	c.until("the node notices", func() bool { return n.ready() == http.StatusServiceUnavailable })
	replica.Promote(t)
	c.until("the node finds the new primary", func() bool { return n.ready() == http.StatusOK })
	there, _ := l.counts()
	c.until("clients are served again", func() bool { now, _ := l.counts(); return now > there+10 })
	l.checkBulk(b)
	l.stop()
	l.check(second)
	n.stop()
	c.checkLines()
}
