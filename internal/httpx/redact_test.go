package httpx

import (
	"bytes"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type secretive struct{ Email string }

func (secretive) String() string { return "study S_1" }

type lazy struct{ v slog.Value }

func (l lazy) LogValue() slog.Value { return l.v }

func TestRedactingHandler(t *testing.T) {
	t.Parallel()
	const d = dropped
	for _, tc := range []struct {
		name string
		log  func(*slog.Logger)
		want map[string]any
	}{
		{
			"spellings", func(l *slog.Logger) {
				l.Info("m", "password", "x", "Authorization", "x", "access_code", "x", "accessCode", "x", "Access-Token", "x",
					"emailAddress", "x", "mobilePhone", 5, "firstName", "x", "name", "x", "identifier", "x", "date.of birth", "x")
			},
			map[string]any{
				"password": d, "Authorization": d, "access_code": d, "accessCode": d, "Access-Token": d,
				"emailAddress": d, "mobilePhone": d, "firstName": d, "name": d, "identifier": d, "date.of birth": d,
			},
		},
		{
			"what stays", func(l *slog.Logger) {
				l.Info("m", "study", "S_1", "count", 3, "took", time.Second, "error", errors.New("away"), "actor", "dana",
					"hostname", "h", "state", "running", "ids", []string{"a"}, "nothing", nil)
			},
			map[string]any{
				"study": "S_1", "count": 3., "took": 1e9, "error": "away", "actor": "dana",
				"hostname": "h", "state": "running", "ids": []any{"a"}, "nothing": nil,
			},
		},
		{
			"groups", func(l *slog.Logger) {
				l.Info("m", slog.Group("job", "email", "x", "rows", 2), slog.Group("demographics", "shoe", "x"))
			},
			map[string]any{"job": map[string]any{"email": d, "rows": 2.}, "demographics": d},
		},
		{
			"attributes of the logger", func(l *slog.Logger) { l.With("token", "x", "study", "S_1").Info("m") },
			map[string]any{"token": d, "study": "S_1"},
		},
		{
			"groups of the logger", func(l *slog.Logger) {
				l.WithGroup("job").With("phone", "x").Info("m", "email", "x", "rows", 2)
			},
			map[string]any{"job": map[string]any{"phone": d, "email": d, "rows": 2.}},
		},
		{
			"a personal group of the logger", func(l *slog.Logger) {
				l.WithGroup("contact").WithGroup("deep").With("a", "x").Info("m", "b", "x", slog.Group("c", "e", "x"))
			},
			map[string]any{"contact": map[string]any{"deep": map[string]any{"a": d, "b": d, "c": d}}},
		},
		{
			"things logged whole", func(l *slog.Logger) {
				l.Info("m", "a", struct{ Email string }{"x"}, "b", map[string]string{"q": "x"}, "c", http.Header{"X": {"x"}},
					"d", []struct{ A int }{{1}}, "e", &struct{ A int }{1}, "f", []any{"x"}, "g", json.RawMessage(`"x"`), "h", (*struct{ A int })(nil))
			},
			map[string]any{"a": d, "b": d, "c": d, "d": d, "e": d, "f": d, "g": d, "h": d},
		},
		{
			"things that name themselves", func(l *slog.Logger) {
				l.Info("m", "a", secretive{"x"}, "b", &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, "c", (*secretive)(nil))
			},
			map[string]any{"a": "study S_1", "b": "127.0.0.1:80", "c": d},
		},
		{
			"lazy values", func(l *slog.Logger) {
				l.Info("m", "a", lazy{slog.GroupValue(slog.String("email", "x"))}, "email", lazy{slog.StringValue("x")})
			},
			map[string]any{"a": map[string]any{"email": d}, "email": d},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			tc.log(slog.New(NewRedactingHandler(slog.NewJSONHandler(&out, nil))))
			var got map[string]any
			if err := json.Unmarshal(out.Bytes(), &got); err != nil {
				t.Fatalf("%s: %v", out.String(), err)
			}
			delete(got, "time")
			delete(got, "level")
			delete(got, "msg")
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRedactingHandlerKeepsLevelAndSource(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(NewRedactingHandler(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn, AddSource: true})))
	log.Info("quiet")
	log.Warn("loud")
	if got := out.String(); strings.Contains(got, "quiet") || !strings.Contains(got, "redact_test.go") {
		t.Errorf("log = %q", got)
	}
}

// The access record itself must survive the redacting handler whole.
func TestAccessRecordNeedsNoRedaction(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"method", "route", "status", "bytes", "duration", "requestId", "remoteHost", "actor",
		"fault", "code", "field", "error", "stack", "aborted", "afterAnswer", "answeredTwice",
	} {
		if sensitive(key) {
			t.Errorf("key %q of the access record is dropped", key)
		}
	}
}

// What passes without a look holds nothing that a look would take out.
func TestHarmlessKeysAreNotSensitive(t *testing.T) {
	t.Parallel()
	for _, key := range []string{
		"method", "route", "status", "bytes", "duration", "requestId", "remoteHost", "actor", "fault", "code", "field",
	} {
		if !harmless(slog.String(key, "x")) || sensitive(key) {
			t.Errorf("%s: harmless %t, sensitive %t", key, harmless(slog.String(key, "x")), sensitive(key))
		}
		if harmless(slog.Any(key, map[string]string{"email": "x"})) || harmless(slog.Any(key, lazy{slog.StringValue("x")})) {
			t.Errorf("%s: a value that has to be looked at passes", key)
		}
	}
	if harmless(slog.String("email", "x")) || harmless(slog.String("state", "x")) {
		t.Error("what is not known to be harmless passes")
	}
}
