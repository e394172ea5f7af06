package httpx

import (
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
)

// NewRedactingHandler keeps personal values and secrets out of next: a value under a key known
// to hold one, or in a group known to hold them, is replaced, and so is a struct or map logged
// whole, since nobody knows what is in it. The message itself is not looked at.
func NewRedactingHandler(next slog.Handler) slog.Handler {
	return &redactingHandler{next: next}
}

const dropped = "[dropped]"

type redactingHandler struct {
	next slog.Handler
	all  bool // inside a group that holds personal values
}

func (h *redactingHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

func (h *redactingHandler) Handle(ctx context.Context, rec slog.Record) error {
	if h.passes(rec) {
		return h.next.Handle(ctx, rec)
	}
	out := slog.NewRecord(rec.Time, rec.Level, rec.Message, rec.PC)
	rec.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(redact(a, h.all))
		return true
	})
	return h.next.Handle(ctx, out)
}

// passes reports whether nothing of a record can be redacted: access records, for the most part.
func (h *redactingHandler) passes(rec slog.Record) bool {
	passes := !h.all
	rec.Attrs(func(a slog.Attr) bool {
		passes = passes && harmless(a)
		return passes
	})
	return passes
}

// harmless knows the simple values of access records by their keys, which are looked at for every
// request.
func harmless(a slog.Attr) bool {
	switch a.Value.Kind() {
	case slog.KindString, slog.KindInt64, slog.KindDuration, slog.KindBool:
	default:
		return false
	}
	switch a.Key {
	case "method", "route", "status", "bytes", "duration", "requestId", "remoteHost", "actor", "fault", "code", "field":
		return true
	}
	return false
}

func (h *redactingHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &redactingHandler{next: h.next.WithAttrs(redactAll(attrs, h.all)), all: h.all}
}

func (h *redactingHandler) WithGroup(name string) slog.Handler {
	return &redactingHandler{next: h.next.WithGroup(name), all: h.all || sensitive(name)}
}

func redactAll(attrs []slog.Attr, all bool) []slog.Attr {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = redact(a, all)
	}
	return out
}

func redact(a slog.Attr, all bool) slog.Attr {
	if all || sensitive(a.Key) {
		return slog.String(a.Key, dropped)
	}
	v := a.Value.Resolve()
	switch {
	case v.Kind() == slog.KindGroup:
		return slog.Attr{Key: a.Key, Value: slog.GroupValue(redactAll(v.Group(), false)...)}
	case v.Kind() == slog.KindAny:
		return slog.Attr{Key: a.Key, Value: plain(v)}
	}
	return slog.Attr{Key: a.Key, Value: v}
}

// plain lets errors, words and numbers through. What has a String method is logged by it, since
// a JSON log would show its fields instead.
func plain(v slog.Value) slog.Value {
	x := v.Any()
	if x == nil {
		return v
	}
	if _, ok := x.(error); ok {
		return v
	}
	rv := reflect.ValueOf(x)
	if s, ok := x.(fmt.Stringer); ok && (rv.Kind() != reflect.Pointer || !rv.IsNil()) {
		return slog.StringValue(s.String())
	}
	if _, ok := x.(*slog.Source); ok || !opaque(rv.Type()) {
		return v
	}
	return slog.StringValue(dropped)
}

// opaque reports whether a value of type t would be logged with all its fields, entries or
// raw bytes.
func opaque(t reflect.Type) bool {
	list := false
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Array {
		list = list || t.Kind() != reflect.Pointer
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Struct, reflect.Map, reflect.Interface:
		return true
	case reflect.Uint8:
		return list
	}
	return false
}

// sensitive reports whether a key holds a personal value or a secret, however it is spelled:
// "access_code", "accessCode" and "Access Code" are one. An actor is staff and stays.
func sensitive(key string) bool {
	word := strings.Map(func(c rune) rune {
		switch c {
		case '_', '-', '.', ' ':
			return -1
		}
		return c
	}, strings.ToLower(key))
	if sensitiveWord(word) {
		return true
	}
	for _, part := range []string{
		"password", "passphrase", "secret", "token", "authorization", "cookie", "credential", "privatekey",
		"assertion", "accesscode", "email", "phone", "birth", "street", "postal", "firstname", "lastname",
		"middlename", "fullname", "surname", "participantidentifier", "participantid", "subjectkey", "secondaryid",
	} {
		if strings.Contains(word, part) {
			return true
		}
	}
	return false
}

// sensitiveWord knows the keys that are only so as a whole: "name" is a person's, "hostname" is not.
func sensitiveWord(word string) bool {
	switch word {
	case "name", "names", "mobile", "dob", "fulldob", "address", "city", "zip", "zipcode", "gender",
		"identifier", "hospitalnumber", "demographics", "contact", "contacts", "participant", "participants", "customfields",
		"jwt", "otp", "pin", "apikey", "session", "sessionid",
		"path", "url", "uri", "query", "rawquery", "body", "payload", "header", "headers", "form":
		return true
	}
	return false
}
