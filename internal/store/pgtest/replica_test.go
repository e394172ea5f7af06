package pgtest_test

import (
	"context"
	"testing"
	"time"

	"rollcall/internal/store/pgtest"
)

func TestReplica(t *testing.T) {
	t.Parallel()
	primary := pgtest.Start(t)
	url := primary.Database(t)
	execute(t, url, made, "INSERT INTO visit VALUES (1)")
	replica := primary.Replica(t)
	proxy := pgtest.StartProxy(t, url)
	execute(t, proxy.URL(), "INSERT INTO visit VALUES (2)")
	replica.CatchUp(t, primary)
	if got := answer(t, replica.On(t, url), "SELECT count(*)::text FROM visit"); got != "2" {
		t.Errorf("the replica has %s visits, want 2", got)
	}
	if _, err := connect(t, replica.On(t, url)).Exec(t.Context(), "INSERT INTO visit VALUES (3)"); err == nil {
		t.Error("the replica took a change before it was promoted")
	}
	primary.Stop(t, pgtest.Kill)
	replica.Promote(t)
	proxy.Lead(t, replica.On(t, url))
	execute(t, proxy.URL(), "INSERT INTO visit VALUES (3)")
	if got := answer(t, replica.On(t, url), "SELECT count(*)::text FROM visit"); got != "3" {
		t.Errorf("the promoted replica has %s visits, want 3", got)
	}
}

func TestSynchronousReplica(t *testing.T) {
	t.Parallel()
	primary := pgtest.Start(t)
	url := primary.Database(t)
	execute(t, url, made)
	replica := primary.Replica(t, pgtest.Synchronous())
	execute(t, url, "INSERT INTO visit VALUES (1)")
	replica.Stop(t, pgtest.Kill)
	conn := connect(t, url)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := conn.Exec(ctx, "INSERT INTO visit VALUES (2)"); err == nil {
		t.Error("the primary committed without its replica")
	}
	primary.Stop(t, pgtest.Kill)
	replica.Start(t)
	replica.Promote(t)
	if got := answer(t, replica.On(t, url), "SELECT count(*)::text FROM visit"); got != "1" {
		t.Errorf("visits after the failover: %s, want what had been committed", got)
	}
}
