package storetest

import (
	"time"

	"rollcall/internal/access"
)

var sessionLaws = []law{
	{"a session is kept as it was begun, for every process and after a restart", keepsSessions},
	{"a session that is ended stays ended, even if it is prolonged afterwards", endsSessions},
	{"beginning a session forgets those that are over, and no others", forgetsSessions},
}

func sampleSession(key string) *access.Session {
	return &access.Session{
		Key: key, Username: "clara", Stamp: "stamp-1", BegunAt: now.Add(-time.Microsecond), Until: now.Add(time.Hour),
	}
}

func (b *bed) session(e Engine, key string) *access.Session {
	b.Helper()
	s, err := e.FindSession(b.ctx, key)
	b.must(err)
	return s
}

func keepsSessions(b *bed) {
	one, two := sampleSession("one"), sampleSession("One") // keys are told apart by every character
	two.Username = "dana"
	b.must(b.BeginSession(b.ctx, one, now))
	b.must(b.BeginSession(b.ctx, two, now))
	b.same("here", one, b.session(b.Engine, "one"))
	b.same("the other", two, b.session(b.Engine, "One"))
	b.same("elsewhere", one, b.session(b.another(), "one"))
	b.reopen()
	b.same("after a restart", one, b.session(b.Engine, "one"))

	one.Until = now.Add(2*time.Hour + time.Microsecond)
	b.must(b.ProlongSession(b.ctx, "one", one.Until))
	b.same("prolonged", one, b.session(b.Engine, "one"))
	b.same("the other still", two, b.session(b.Engine, "One"))
}

func endsSessions(b *bed) {
	b.must(b.BeginSession(b.ctx, sampleSession("one"), now))
	b.must(b.BeginSession(b.ctx, sampleSession("two"), now))
	b.must(b.EndSession(b.ctx, "one"))
	b.must(b.EndSession(b.ctx, "one"))
	b.must(b.EndSession(b.ctx, "nobody's"))
	b.must(b.ProlongSession(b.ctx, "one", now.Add(time.Hour)))
	if s := b.session(b.Engine, "one"); s != nil {
		b.Fatalf("ended, and there is %+v", s)
	}
	b.same("the other", sampleSession("two"), b.session(b.Engine, "two"))
}

func forgetsSessions(b *bed) {
	over, running := sampleSession("over"), sampleSession("running")
	over.Until = now
	running.Until = now.Add(time.Microsecond)
	b.must(b.BeginSession(b.ctx, over, now.Add(-time.Hour)))
	b.must(b.BeginSession(b.ctx, running, now.Add(-time.Hour)))
	b.same("over, but nobody has swept", over, b.session(b.Engine, "over"))
	b.must(b.BeginSession(b.ctx, sampleSession("new"), now))
	if s := b.session(b.Engine, "over"); s != nil {
		b.Fatalf("it was over, and there is %+v", s)
	}
	b.same("running", running, b.session(b.Engine, "running"))
}
