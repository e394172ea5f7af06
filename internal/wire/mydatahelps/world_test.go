package mydatahelps

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/config"
	"rollcall/internal/httpx"
	"rollcall/internal/registry"
	"rollcall/internal/segment"
	"rollcall/internal/store"
	"rollcall/internal/store/enginetest"
)

const (
	myapp = "MyDataHelps.12345.myapp"
	other = "RKStudio.77.other"

	junoGUID    = "6f2b0d5e-3a0c-4f0e-9c6b-2f6f0d7c1a11"
	ceresGUID   = "2d4c8a17-91be-4d5a-a1f3-7c5e0b96d8f2"
	lockedGUID  = "9a4be1f0-52ce-4f0b-8d3e-0c5a7f1e2b33"
	foreignGUID = "00c0ffee-0000-4000-8000-000000000001"

	juno  = Prefix + "/projects/" + junoGUID + "/participants"
	ceres = Prefix + "/projects/" + ceresGUID + "/participants"

	audience = "https://designer.mydatahelps.org" + TokenPath
)

// signingKey is the key pair of every service account in the tests.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// world is a whole server on a database of its own, with the studies of testdata/studies.yaml.
// Its clock stands still unless it is moved.
type world struct {
	t        testing.TB
	db       store.Store
	registry *registry.Service
	access   *access.Service
	api      *API
	handler  http.Handler
	log      *lockedBuffer

	mu     sync.Mutex
	now    time.Time
	tokens map[string]string
}

// lockedBuffer is where the server logs to.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// inWorlds runs a test in a world on each engine.
func inWorlds(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	engines.Each(t, func(t *testing.T, engine enginetest.Engine) { test(t, newWorldOn(t, engine)) })
}

// newWorld makes a world on the engine whose databases are made fastest.
func newWorld(t testing.TB, options ...func(*Config)) *world {
	t.Helper()
	return newWorldOn(t, engines.SQLite(), options...)
}

// newWorldOn makes a world. The options may change what the API is made of.
func newWorldOn(t testing.TB, engine enginetest.Engine, options ...func(*Config)) *world {
	t.Helper()
	w := &world{
		t: t, log: &lockedBuffer{}, tokens: map[string]string{},
		now: time.Date(2026, time.March, 4, 9, 5, 0, 123_456_000, time.UTC),
	}
	w.db = engine.Open(t)
	w.define()
	codes, err := registry.NewCodeBook(w.key("access codes", registry.CodeKeySize))
	if err != nil {
		t.Fatal(err)
	}
	w.registry = registry.NewService(w.db, codes, w.clock, registry.WithRules(segment.NewBook()))
	w.access, err = access.New(access.Config{
		Store: w.db, SigningKey: w.key("tokens", access.SigningKeySize), Now: w.clock, Audiences: []string{audience},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := Config{Registry: w.registry, Auth: w.access, Store: w.db, Now: w.clock}
	for _, option := range options {
		option(&c)
	}
	w.api = New(c)
	mux := httpx.NewMux(w.api.RenderUnknown)
	w.api.Mount(mux)
	logger := slog.New(httpx.NewRedactingHandler(slog.NewJSONHandler(w.log, nil)))
	// Deadlines come from the front's clock, so it runs with the world's.
	w.handler = httpx.Front{Log: logger, Now: time.Now, NewID: uuid.NewString}.Wrap(mux)
	return w
}

func (w *world) key(name string, size int) []byte {
	w.t.Helper()
	key, err := w.db.ServerKey(w.t.Context(), name, size)
	if err != nil {
		w.t.Fatal(err)
	}
	return key
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// define applies the study file, with the tests' key in it.
func (w *world) define() {
	w.t.Helper()
	private, err := signingKey()
	if err != nil {
		w.t.Fatal(err)
	}
	public, err := access.PublicKeyPEM(&private.PublicKey)
	if err != nil {
		w.t.Fatal(err)
	}
	name := filepath.Join("testdata", "studies.yaml")
	text, err := os.ReadFile(name)
	if err != nil {
		w.t.Fatal(err)
	}
	text = bytes.ReplaceAll(text, []byte("[KEY]"), []byte("["+strconv.Quote(public)+"]"))
	defs, err := config.Load([]config.File{{Name: name, Data: text}})
	if err == nil {
		_, err = config.Apply(w.t.Context(), w.db, defs, config.Options{
			Now: w.clock, NewGUID: uuid.NewRandom, Origin: audit.Origin{Actor: "test", Dialect: "cli"},
		})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// assertion is what the account's client signs, as the Python clients do: exp with a fraction.
func (w *world) assertion(account string, change func(claims map[string]any)) string {
	w.t.Helper()
	claims := map[string]any{
		"iss": account, "sub": account, "aud": audience, "jti": uuid.NewString(),
		"exp": float64(w.clock().Add(200*time.Second).UnixMicro()) / 1e6,
	}
	if change != nil {
		change(claims)
	}
	part := func(v any) string {
		text, err := json.Marshal(v)
		if err != nil {
			w.t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(text)
	}
	signed := part(map[string]string{"alg": "RS256", "typ": "JWT"}) + "." + part(claims)
	private, err := signingKey()
	if err != nil {
		w.t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(nil, private, crypto.SHA256, sum[:])
	if err != nil {
		w.t.Fatal(err)
	}
	return signed + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// tokenForm is the token request of every known client.
func tokenForm(assertion string) url.Values {
	return url.Values{
		"scope": {"api"}, "grant_type": {"client_credentials"},
		"client_assertion_type": {jwtBearer}, "client_assertion": {assertion},
	}
}

// token is a bearer token of a service account, from the token endpoint, or of a user.
func (w *world) token(name string) string {
	w.t.Helper()
	if token, ok := w.tokens[name]; ok {
		return token
	}
	if !strings.Contains(name, ".") {
		token, err := w.access.IssueToken(w.t.Context(), name, 24*time.Hour)
		if err != nil {
			w.t.Fatal(err)
		}
		w.tokens[name] = token
		return token
	}
	answer := w.send("", "POST", TokenPath, "application/x-www-form-urlencoded", tokenForm(w.assertion(name, nil)).Encode())
	var in struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(answer.Body.Bytes(), &in); err != nil || answer.Code != http.StatusOK {
		w.t.Fatalf("sign in: %d %s", answer.Code, answer.Body)
	}
	w.tokens[name] = in.AccessToken
	return in.AccessToken
}

// send has the handler answer a request of an account, "" for nobody.
func (w *world) send(account, method, path, contentType, body string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), method, path, strings.NewReader(body))
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if account != "" {
		r.Header.Set("Authorization", "Bearer "+w.token(account))
	}
	return w.answer(r)
}

func (w *world) answer(r *http.Request) *httptest.ResponseRecorder {
	recorder := httptest.NewRecorder()
	w.handler.ServeHTTP(recorder, r)
	return recorder
}

// ask sends a request of myapp with a JSON body and reads the JSON answer into out, if that is
// not nil. The status has to be the wanted one.
func (w *world) ask(want int, method, path, body string, out any) {
	w.t.Helper()
	answer := w.send(myapp, method, path, "application/json", body)
	if answer.Code != want {
		w.t.Fatalf("%s %s %.200s: %d, want %d: %.500s", method, path, body, answer.Code, want, answer.Body)
	}
	if out == nil {
		return
	}
	if err := json.Unmarshal(answer.Body.Bytes(), out); err != nil {
		w.t.Fatalf("%s %s: %v in %s", method, path, err, answer.Body)
	}
}

// person is a participant as a client reads it.
type person struct {
	ID                    string
	Enrolled              bool
	InvitationStatus      *string
	EnrollmentDate        *string
	WithdrawDate          *string
	ParticipantIdentifier string
	SecondaryIdentifier   *string
	Demographics          map[string]string
	CustomFields          map[string]string
	ExcludeFromExport     bool
	InstitutionCode       string
	AddedToSegmentDate    *string
	AccountEmail          *string
}

type actionTaken struct {
	ActionTaken string
	Result      person
}

type page struct {
	PageNumber        int
	TotalParticipants int
	Participants      []person
}

// put adds or updates a participant of Juno and answers what was done.
func (w *world) put(body string) actionTaken {
	w.t.Helper()
	var out actionTaken
	w.ask(http.StatusOK, "PUT", juno, body, &out)
	return out
}

// list finds participants of Juno.
func (w *world) list(query string) page {
	w.t.Helper()
	var out page
	w.ask(http.StatusOK, "GET", juno+"?"+query, "", &out)
	return out
}

// names are the identifiers of those found, in order.
func (p page) names() string {
	var all []string
	for _, one := range p.Participants {
		all = append(all, one.ParticipantIdentifier)
	}
	return strings.Join(all, " ")
}

// act does what this dialect's clients cannot: one line of an act section of a recorded
// exchange.
func (w *world) act(line string) {
	w.t.Helper()
	words := strings.Fields(line)
	actions := map[string]registry.Action{"remove": registry.Remove, "restore": registry.Restore, "lock": registry.Lock}
	if action, ok := actions[words[0]]; ok {
		w.change(words[1], registry.Change{Action: action, Profile: registry.Staff(), Identifier: words[2]})
		return
	}
	if words[0] != "advance" {
		w.t.Fatalf("unknown act %q", line)
	}
	d, err := time.ParseDuration(words[1])
	if err != nil {
		w.t.Fatal(err)
	}
	w.advance(d)
}

// change makes one change to a study's participant.
func (w *world) change(studyOID string, c registry.Change) *registry.Participant {
	w.t.Helper()
	c.Origin = audit.Origin{Actor: "staff", Dialect: "web"}
	results, err := w.registry.Apply(w.t.Context(), w.study(studyOID).ID, c)
	if err == nil && results[0].Err != nil {
		err = results[0].Err
	}
	if err != nil {
		w.t.Fatalf("%s: %v", c.Identifier, err)
	}
	return results[0].Participant
}

func (w *world) study(oid string) *registry.Study {
	w.t.Helper()
	catalog, err := w.registry.Catalog(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	study, err := catalog.Study(oid)
	if err != nil {
		w.t.Fatal(err)
	}
	return study
}

// everybody lists a study's participants in order of creation, as they are stored.
func (w *world) everybody(studyOID string) []*registry.Participant {
	w.t.Helper()
	all, err := w.registry.Participants(w.t.Context(), w.study(studyOID).ID, nil, 0, 100_000)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func statusAndBody(answer *httptest.ResponseRecorder) string {
	return fmt.Sprintf("%d %s", answer.Code, answer.Body)
}
