package access_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"rollcall/internal/access"
	"rollcall/internal/config"
	"rollcall/internal/fault"
	"rollcall/internal/store/sqlite"
)

const (
	app      = "MyDataHelps.12345.myapp"
	audience = "https://designer.mydatahelps.org/identityserver/connect/token"
	ours     = "http://127.0.0.1:8080/identityserver/connect/token"
)

// keyring makes RSA keys, which are slow to make, once for all tests.
var keyring = sync.OnceValue(func() [4]*rsa.PrivateKey {
	var keys [4]*rsa.PrivateKey
	for i := range keys {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			panic(err)
		}
		keys[i] = key
	}
	return keys
})

func publicPEM(t testing.TB, key *rsa.PrivateKey) string {
	t.Helper()
	text, err := access.PublicKeyPEM(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// office is a server with service accounts.
type office struct {
	t    testing.TB
	path string
	now  atomic.Int64 // microseconds

	db *sqlite.DB
	*access.Service
}

func openOffice(t testing.TB) *office {
	t.Helper()
	o := &office{t: t, path: filepath.Join(t.TempDir(), "rollcall.db")}
	o.now.Store(time.Date(2026, 3, 1, 12, 0, 0, 250_000_000, time.UTC).UnixMicro())
	o.start()
	t.Cleanup(o.stop)
	return o
}

func (o *office) start() {
	o.t.Helper()
	db, err := sqlite.Open(context.Background(), sqlite.Config{Path: o.path, Migrate: true})
	if err != nil {
		o.t.Fatal(err)
	}
	o.db = db
	o.Service, err = access.New(access.Config{
		Store: db, SigningKey: make([]byte, access.SigningKeySize), Audiences: []string{audience, ours},
		Now: func() time.Time { return time.UnixMicro(o.now.Load()) },
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

func (o *office) stop() {
	o.t.Helper()
	if err := o.db.Close(); err != nil {
		o.t.Error(err)
	}
}

// register makes the account's keys exactly these.
func (o *office) register(name string, keys ...*rsa.PrivateKey) {
	o.t.Helper()
	err := o.db.Define(o.t.Context(), func(ctx context.Context, tx config.Tx) error {
		account := &access.ServiceAccount{Name: name}
		known, err := tx.ServiceAccounts(ctx)
		if err != nil {
			return err
		}
		for _, a := range known {
			if a.Name == name {
				account.ID = a.ID
			}
		}
		for _, key := range keys {
			account.Keys = append(account.Keys, publicPEM(o.t, key))
		}
		return tx.PutServiceAccount(ctx, account)
	})
	if err != nil {
		o.t.Fatal(err)
	}
}

// epoch is the server's time in seconds.
func (o *office) epoch() float64 { return float64(o.now.Load()) / 1e6 }

var lastJTI atomic.Int64

// claims are those that clients send, with changes: a name and a value each, nil for none.
func (o *office) claims(changes ...any) jwt.MapClaims {
	c := jwt.MapClaims{
		"iss": app, "sub": app, "aud": audience, "exp": int64(o.epoch()) + 200, "jti": fmt.Sprint("jti-", lastJTI.Add(1)),
	}
	for i := 0; i < len(changes); i += 2 {
		c[changes[i].(string)] = changes[i+1]
		if changes[i+1] == nil {
			delete(c, changes[i].(string))
		}
	}
	return c
}

func sign(t testing.TB, method jwt.SigningMethod, key any, claims jwt.Claims, header ...string) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	for i := 0; i < len(header); i += 2 {
		token.Header[header[i]] = header[i+1]
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func rs256(t testing.TB, key *rsa.PrivateKey, claims jwt.Claims, header ...string) string {
	t.Helper()
	return sign(t, jwt.SigningMethodRS256, key, claims, header...)
}

func wantRefused(t testing.TB, err error) {
	t.Helper()
	f := fault.As(err)
	if f == nil || f.Kind != fault.Unauthenticated || f.Code != access.AssertionRefused || f.Message != "the assertion was refused" ||
		f.Hint != "" || f.Field != "" {
		t.Errorf("got %v, want the one refusal", err)
	}
}

func TestAssertionsThatAreAccepted(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	keys := keyring()
	o.register(app, keys[0], keys[1])
	o.register("other", keys[2])
	now := o.epoch()
	tests := []struct {
		name   string
		key    *rsa.PrivateKey
		change []any
		header []string
	}{
		{"as clients send it", keys[0], nil, nil},
		{"second key", keys[1], nil, nil},
		{"a kid that means nothing", keys[1], nil, []string{"kid", "1"}},
		{"exp with a fraction", keys[0], []any{"exp", now + 3599.418342}, nil},
		{"exp in Java's 5 seconds", keys[0], []any{"exp", now + 5}, nil},
		{"exp 24 h ahead", keys[0], []any{"exp", now + 86400}, nil},
		{"exp 24 h ahead of a fast clock", keys[0], []any{"exp", now + 86400 + 29}, nil},
		{"exp just over", keys[0], []any{"exp", now - 29.5}, nil},
		{"aud of this server", keys[0], []any{"aud", ours}, nil},
		{"aud in a list", keys[0], []any{"aud", []string{"https://elsewhere.example.org", ours}}, nil},
		{"iat of node", keys[0], []any{"iat", int64(now)}, nil},
		{"iat of a fast clock", keys[0], []any{"iat", now + 29.9, "nbf", now + 29.9}, nil},
		{"longest jti", keys[0], []any{"jti", strings.Repeat("j", 200)}, nil},
		{"a claim more", keys[0], []any{"scope", "api"}, nil},
		{"other account", keys[2], []any{"iss", "other", "sub", "other"}, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			claims := o.claims(test.change...)
			token, expiresIn, err := o.SignInService(t.Context(), rs256(t, test.key, claims, test.header...))
			if err != nil || expiresIn != time.Hour {
				t.Fatalf("SignInService = %v, %v, want a token for an hour", expiresIn, err)
			}
			got, err := o.Authenticate(t.Context(), token)
			if err != nil {
				t.Fatal(err)
			}
			want := &access.Principal{Name: claims["sub"].(string), Service: true}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("principal (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAssertionsThatAreRefused(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	keys := keyring()
	o.register(app, keys[0], keys[1])
	o.register("other", keys[2])
	o.register("keyless")
	now := o.epoch()
	public := []byte(publicPEM(t, keys[0]))
	der, _ := pem.Decode(public)
	good := rs256(t, keys[0], o.claims())
	parts := strings.Split(good, ".")
	otherParts := strings.Split(rs256(t, keys[0], o.claims()), ".")
	by := func(change ...any) string { return rs256(t, keys[0], o.claims(change...)) }
	tests := []struct{ name, text string }{
		{"empty", ""},
		{"no JWT", "hello"},
		{"two parts", parts[0] + "." + parts[1]},
		{"no signature", parts[0] + "." + parts[1] + "."},
		{"signature of other claims", parts[0] + "." + parts[1] + "." + otherParts[2]},
		{"HS256 with the public key's PEM", sign(t, jwt.SigningMethodHS256, public, o.claims())},
		{"HS256 with the public key's PEM without its last line break", sign(t, jwt.SigningMethodHS256, public[:len(public)-1], o.claims())},
		{"HS256 with the public key's DER", sign(t, jwt.SigningMethodHS256, der.Bytes, o.claims())},
		{"HS256 with the public key's PKCS #1", sign(t, jwt.SigningMethodHS256, x509.MarshalPKCS1PublicKey(&keys[0].PublicKey), o.claims())},
		{"none", sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, o.claims())},
		{"RS384", sign(t, jwt.SigningMethodRS384, keys[0], o.claims())},
		{"RS512", sign(t, jwt.SigningMethodRS512, keys[0], o.claims())},
		{"PS256", sign(t, jwt.SigningMethodPS256, keys[0], o.claims())},
		{"alg in lower case", rs256(t, keys[0], o.claims(), "alg", "rs256")},
		{"a critical header", rs256(t, keys[0], o.claims(), "crit", "exp")},
		{"key of another account", rs256(t, keys[2], o.claims())},
		{"key of nobody", rs256(t, keys[3], o.claims())},
		{"unknown account", by("iss", "nobody", "sub", "nobody")},
		{"account without keys", by("iss", "keyless", "sub", "keyless")},
		{"account in other case", by("iss", strings.ToLower(app), "sub", strings.ToLower(app))},
		{"iss of another account", by("iss", "other")},
		{"sub of another account", by("sub", "other")},
		{"no iss", by("iss", nil)},
		{"no sub", by("sub", nil)},
		{"neither", by("sub", nil, "iss", nil)},
		{"aud elsewhere", by("aud", "https://elsewhere.example.org/identityserver/connect/token")},
		{"aud with a slash more", by("aud", audience+"/")},
		{"aud elsewhere, in a list", by("aud", []string{"https://elsewhere.example.org"})},
		{"aud an empty list", by("aud", []string{})},
		{"aud a number", by("aud", 7)},
		{"no aud", by("aud", nil)},
		{"no exp", by("exp", nil)},
		{"exp in milliseconds", by("exp", (now+200)*1000)},
		{"exp over 24 h ahead", by("exp", now+86400+31)},
		{"exp over", by("exp", now-30)},
		{"exp long over", by("exp", 0)},
		{"exp before time", by("exp", -1e300)},
		{"exp without end", by("exp", 1e300)},
		{"exp in text", by("exp", fmt.Sprint(int64(now)+200))},
		{"nbf ahead", by("nbf", now+31)},
		{"iat ahead", by("iat", now+31)},
		{"iat in text", by("iat", "now")},
		{"no jti", by("jti", nil)},
		{"empty jti", by("jti", "")},
		{"jti too long", by("jti", strings.Repeat("j", 201))},
		{"jti too long in bytes", by("jti", strings.Repeat("é", 101))},
		{"jti a number", by("jti", 7)},
		{"jti with a NUL", by("jti", "a\x00b")},
		{"too long", by("pad", strings.Repeat("x", 8<<10))},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			token, expiresIn, err := o.SignInService(t.Context(), test.text)
			wantRefused(t, err)
			if token != "" || expiresIn != 0 {
				t.Errorf("got %q for %v all the same", token, expiresIn)
			}
		})
	}
	if _, _, err := o.SignInService(t.Context(), good); err != nil {
		t.Errorf("the assertion that others are spoiled from is refused: %v", err)
	}
}

// TestRefusedAssertionsUseUpNothing sends the same jti first in assertions that are refused.
func TestRefusedAssertionsUseUpNothing(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	keys := keyring()
	o.register(app, keys[0])
	for name, spoiled := range map[string]string{
		"badly signed": rs256(t, keys[1], o.claims("jti", "badly signed")),
		"elsewhere":    rs256(t, keys[0], o.claims("jti", "elsewhere", "aud", "https://elsewhere.example.org")),
		"over":         rs256(t, keys[0], o.claims("jti", "over", "exp", o.epoch()-60)),
	} {
		_, _, err := o.SignInService(t.Context(), spoiled)
		wantRefused(t, err)
		if _, _, err := o.SignInService(t.Context(), rs256(t, keys[0], o.claims("jti", name))); err != nil {
			t.Errorf("%s: the good one after it: %v", name, err)
		}
	}
}

func TestAssertionWorksOnce(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	keys := keyring()
	o.register(app, keys[0], keys[1])
	o.register("other", keys[2])
	text := rs256(t, keys[0], o.claims("jti", "once"))
	if _, _, err := o.SignInService(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	_, _, err := o.SignInService(t.Context(), text)
	wantRefused(t, err)

	_, _, err = o.SignInService(t.Context(), rs256(t, keys[1], o.claims("jti", "once", "exp", o.epoch()+9)))
	wantRefused(t, err)

	elsewhere := rs256(t, keys[2], o.claims("jti", "once", "iss", "other", "sub", "other"))
	if _, _, err := o.SignInService(t.Context(), elsewhere); err != nil {
		t.Errorf("the same jti of another account: %v", err)
	}

	o.stop()
	o.start()
	_, _, err = o.SignInService(t.Context(), text)
	wantRefused(t, err)

	// To the last moment in which it would be accepted, and from then on for being over.
	for _, later := range []time.Duration{229 * time.Second, 749 * time.Millisecond, time.Millisecond, time.Hour} {
		o.now.Add(later.Microseconds())
		_, _, err = o.SignInService(t.Context(), text)
		wantRefused(t, err)
	}
	if _, _, err := o.SignInService(t.Context(), rs256(t, keys[0], o.claims("jti", "once"))); err != nil {
		t.Errorf("its jti when it is long over: %v", err)
	}
}

func TestOneOfManyUsesWins(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	o.register(app, keyring()[0])
	text := rs256(t, keyring()[0], o.claims())
	var won atomic.Int64
	var all sync.WaitGroup
	for range 32 {
		all.Go(func() {
			_, _, err := o.SignInService(t.Context(), text)
			if err == nil {
				won.Add(1)
				return
			}
			wantRefused(t, err)
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d of 32 were accepted, want 1", won.Load())
	}
}

func TestRetiredKey(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	keys := keyring()
	o.register(app, keys[0], keys[1])
	token, _, err := o.SignInService(t.Context(), rs256(t, keys[0], o.claims()))
	if err != nil {
		t.Fatal(err)
	}
	o.register(app, keys[1])
	_, _, err = o.SignInService(t.Context(), rs256(t, keys[0], o.claims()))
	wantRefused(t, err)
	if _, _, err := o.SignInService(t.Context(), rs256(t, keys[1], o.claims())); err != nil {
		t.Errorf("the key that stayed: %v", err)
	}
	if _, err := o.Authenticate(t.Context(), token); err != nil {
		t.Errorf("the token from before: %v", err)
	}
	o.now.Add(time.Hour.Microseconds())
	if _, err := o.Authenticate(t.Context(), token); !fault.HasCode(err, access.TokenExpired) {
		t.Errorf("the token after an hour: %v, want %s", err, access.TokenExpired)
	}
}

func TestAcceptAudiences(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	o.register(app, keyring()[0])
	const late = "http://localhost:8080/identityserver/connect/token"
	_, _, err := o.SignInService(t.Context(), rs256(t, keyring()[0], o.claims("aud", late)))
	wantRefused(t, err)
	o.AcceptAudiences(late)
	for _, aud := range []string{late, audience, ours} {
		if _, _, err := o.SignInService(t.Context(), rs256(t, keyring()[0], o.claims("aud", aud))); err != nil {
			t.Errorf("%s: %v", aud, err)
		}
	}
}

// TestUnknownAccountCostsASignature proves that a signature is computed, not only that the
// answer is the same.
func TestUnknownAccountCostsASignature(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	keys := keyring()
	o.register(app, keys[0])
	for name, text := range map[string]string{
		"known":   rs256(t, keys[1], o.claims()),
		"unknown": rs256(t, keys[1], o.claims("iss", "nobody", "sub", "nobody")),
	} {
		_, _, err := o.SignInService(t.Context(), text)
		wantRefused(t, err)
		if !errors.Is(err, rsa.ErrVerification) {
			t.Errorf("%s: %v, want a signature that does not fit", name, err)
		}
	}
}

// TestAssertionWhileTheDatabaseIsAway proves that trouble of ours is not taken for theirs.
func TestAssertionWhileTheDatabaseIsAway(t *testing.T) {
	t.Parallel()
	o := openOffice(t)
	o.register(app, keyring()[0])
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := o.SignInService(ctx, rs256(t, keyring()[0], o.claims()))
	if !errors.Is(err, context.Canceled) || fault.HasCode(err, access.AssertionRefused) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}
