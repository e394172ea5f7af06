package storetest

import (
	"strings"

	"rollcall/internal/audit"
	"rollcall/internal/registry"
)

// awkward are texts that have tripped databases before.
var awkward = []struct{ name, text string }{
	{"a NUL", "before\x00after"},
	{"nothing but NULs", "\x00\x00"},
	{"a long text", strings.Repeat("länge ", 50_000)},
	{"quotes", `it's a "test" \ with $1 ? :name @x`},
	{"line breaks", "one\r\ntwo\nthree\r\ttab"},
	{"beyond the basic plane", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢 👩‍⚕️ \U0010FFFF"},
	{"both directions", "שלום \u202e reversed"},
	{"combining marks", "e\u0301 is not \u00e9"},
	{"what looks like a number", "007"},
	{"what looks like null", "null"},
	{"white space", "  \u00a0\u2003 "},
}

var textLaws = []law{
	{"text comes back exactly as it was written", func(b *bed) {
		want := make([]*registry.Participant, len(awkward))
		for i, a := range awkward {
			p := b.person(int64(i) + 1)
			p.Details[registry.LastName] = a.text
			p.Custom = map[string]string{"Note": a.text}
			p.CreatedBy = a.text
			want[i] = p
		}
		b.add(want...)
		got := b.list()
		for i, a := range awkward {
			b.same(a.name, want[i], got[i])
		}
	}},
	{"text in identifiers and contacts is found exactly as it was written", func(b *bed) {
		for i, a := range awkward {
			a.text = strings.ToValidUTF8(a.text[:min(len(a.text), registry.MaxKeyBytes-len("SS_"))], "")
			p := b.person(int64(i) + 1)
			p.Identifier, p.OID = a.text, "SS_"+a.text
			out := b.adding(p)
			out.Claimed = map[registry.Claim]registry.ID{emailOf(a.text): p.ID}
			b.must(b.write(out))
			b.same(a.name, p, b.byIdentifier(a.text))
			known := b.load(&registry.Ask{
				Identifiers: []string{registry.Fold(a.text)}, OIDs: []string{p.OID}, Claims: []registry.Claim{emailOf(a.text)},
			})
			b.same(a.name+": participants", []*registry.Participant{p}, known.Participants)
			b.same(a.name+": OIDs", []string{p.OID}, known.OIDs)
			b.same(a.name+": claims", map[registry.Claim]registry.ID{emailOf(a.text): p.ID}, known.Claims)
		}
	}},
	{"text in audit events comes back exactly as it was written", func(b *bed) {
		for i, a := range awkward {
			event := audit.Event{
				Origin: audit.Origin{Actor: a.text, Role: a.text, Dialect: a.text, RequestID: a.text, Reason: a.text},
				Action: audit.ParticipantUpdated, Identifier: a.text,
				Fields: []audit.FieldChange{{Field: "x", Old: a.text, New: ""}, {Field: a.text, Old: "", New: a.text}},
			}
			b.must(b.RecordEvents(b.ctx, b.study.ID, now, []audit.Event{event}))
			got := b.events(b.study.ID)[i]
			event.Seq, event.At = int64(2*i)+1, now
			b.same(a.name, event, got.Event)
		}
	}},
	{"text is never taken for a number", func(b *bed) {
		one, two := b.person(1), b.person(2)
		one.Identifier, two.Identifier = "1", "1.0"
		one.OID, two.OID = "01", "1"
		b.add(one, two)
		b.same("1", one, b.byIdentifier("1"))
		b.same("1.0", two, b.byIdentifier("1.0"))
		if p := b.byIdentifier("01"); p != nil {
			b.Errorf("01 finds %q", p.Identifier)
		}
	}},
	{"text is not a pattern", func(b *bed) {
		b.add(b.person(1))
		for _, pattern := range []string{"%", "P-____", "P%", "*", "P-000?", "P-0001 ", "P-0001\x00"} {
			if p := b.byIdentifier(pattern); p != nil {
				b.Errorf("%q finds %q", pattern, p.Identifier)
			}
		}
	}},
}
