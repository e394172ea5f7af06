package storetest

import (
	"strings"
	"time"
)

// use uses up an assertion of the account that is good for another hour at the time.
func (b *bed) use(e Engine, account, jti string, at time.Time) bool {
	b.Helper()
	fresh, err := e.UseAssertion(b.ctx, account, jti, at.Add(time.Hour), at)
	b.must(err)
	return fresh
}

var assertionLaws = []law{
	{"an assertion is fresh once", func(b *bed) {
		b.same("uses", []bool{true, false, false}, []bool{
			b.use(b, "app", "one", now), b.use(b, "app", "one", now), b.use(b, "app", "one", now.Add(time.Minute)),
		})
	}},
	{"accounts and jtis are told apart by every character", func(b *bed) {
		long := strings.Repeat("j", 199)
		for _, a := range [][2]string{
			{"app", "one"}, {"App", "one"}, {"app ", "one"}, {"app", "One"}, {"app", "one "}, {"app", "é"}, {"app", "e\u0301"},
			{"appo", "ne"}, {"app", long + "1"}, {"app", long + "2"}, {"", ""}, {"app", "1"}, {"app", "01"}, {"app", "1.0"},
		} {
			if !b.use(b, a[0], a[1], now) {
				b.Errorf("%q of %q was taken for another", a[1], a[0])
			}
			if b.use(b, a[0], a[1], now) {
				b.Errorf("%q of %q is fresh twice", a[1], a[0])
			}
		}
	}},
	{"an assertion is remembered until it has expired, to the microsecond", func(b *bed) {
		expires := now.Add(time.Hour)
		b.use(b, "app", "one", now)
		b.same("a microsecond before", false, b.use(b, "app", "one", expires.Add(-time.Microsecond)))
		b.same("when it expires", true, b.use(b, "app", "one", expires))
	}},
	{"a use of another assertion forgets those that have expired and no others", func(b *bed) {
		b.use(b, "app", "early", now)
		b.use(b, "app", "late", now.Add(time.Minute))
		b.use(b, "other", "any", now.Add(time.Hour)) // early expires, late does not
		b.same("early", true, b.use(b, "app", "early", now))
		b.same("late", false, b.use(b, "app", "late", now))
	}},
	{"a refused use does not prolong the first", func(b *bed) {
		b.use(b, "app", "one", now)
		b.use(b, "app", "one", now.Add(30*time.Minute))
		b.same("when the first expires", true, b.use(b, "app", "one", now.Add(time.Hour)))
	}},
	{"used assertions outlive a restart", func(b *bed) {
		b.use(b, "app", "one", now)
		b.reopen()
		b.same("after it", false, b.use(b, "app", "one", now))
	}},
	{"of many uses at once one is fresh, among threads and processes", func(b *bed) {
		engines := []Engine{b.Engine, b.another()}
		fresh := make([]bool, 32)
		for _, err := range together(len(fresh), func(i int) (err error) {
			fresh[i], err = engines[i%2].UseAssertion(b.ctx, "app", "one", now.Add(time.Hour), now)
			return err
		}) {
			b.must(err)
		}
		won := 0
		for _, f := range fresh {
			if f {
				won++
			}
		}
		b.same("winners", 1, won)
	}},
	{"using an assertion changes no version", func(b *bed) {
		before := b.accessVersion()
		b.use(b, "app", "one", now)
		b.same("version", before, b.accessVersion())
	}},
}
