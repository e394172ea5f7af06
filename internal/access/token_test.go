package access

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"rollcall/internal/fault"
)

// forge signs claims with our key unless told otherwise.
func forge(t testing.TB, method jwt.SigningMethod, key any, claims jwt.MapClaims) string {
	t.Helper()
	token, err := jwt.NewWithClaims(method, claims).SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestTokenClaims(t *testing.T) {
	t.Parallel()
	f := setup(t, dana())
	token, err := f.SignIn(t.Context(), "dana", danasPassword, "192.0.2.1")
	if err != nil {
		t.Fatal(err)
	}
	claims := jwt.MapClaims{}
	if _, _, err := jwt.NewParser().ParseUnverified(token, claims); err != nil {
		t.Fatal(err)
	}
	jti, _ := claims["jti"].(string)
	if _, err := uuid.Parse(jti); err != nil {
		t.Errorf("jti %q is no UUID", jti)
	}
	delete(claims, "jti")
	now := float64(f.clock.now().Unix())
	want := jwt.MapClaims{"iss": "rollcall", "sub": "Dana", "kind": "user", "iat": now, "exp": now + 4*3600}
	for name, value := range want {
		if claims[name] != value {
			t.Errorf("claim %s = %v, want %v", name, claims[name], value)
		}
	}
	if len(claims) != len(want) {
		t.Errorf("claims %v, want only %v and jti", claims, want)
	}
}

func TestAuthenticateRefuses(t *testing.T) {
	t.Parallel()
	f := setup(t, dana())
	key, now := signingKey(7), f.clock.now().Unix()
	claims := func(change ...any) jwt.MapClaims {
		c := jwt.MapClaims{"iss": "rollcall", "sub": "Dana", "kind": "user", "iat": now, "exp": now + 60}
		for i := 0; i < len(change); i += 2 {
			c[change[i].(string)] = change[i+1]
			if change[i+1] == nil {
				delete(c, change[i].(string))
			}
		}
		return c
	}
	hs256 := jwt.SigningMethodHS256
	good := forge(t, hs256, key, claims())
	if _, err := f.Authenticate(t.Context(), good); err != nil {
		t.Fatalf("the token that the others are spoiled from is refused: %v", err)
	}
	parts := strings.Split(good, ".")
	otherClaims := base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"rollcall","sub":"Root","kind":"user","exp":99999999999}`))
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))
	tests := []struct {
		name, token string
		want        fault.Code
	}{
		{"empty", "", TokenInvalid},
		{"no token", "Bearer", TokenInvalid},
		{"two parts", parts[0] + "." + parts[1], TokenInvalid},
		{"four parts", good + ".x", TokenInvalid},
		{"other claims", parts[0] + "." + otherClaims + "." + parts[2], TokenInvalid},
		{"no signature", parts[0] + "." + parts[1] + ".", TokenInvalid},
		{"alg none", none + "." + parts[1] + ".", TokenInvalid},
		{"alg none keeping the signature", none + "." + parts[1] + "." + parts[2], TokenInvalid},
		{"library's none", forge(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, claims()), TokenInvalid},
		{"other method, our key", forge(t, jwt.SigningMethodHS512, key, claims()), TokenInvalid},
		{"other key", forge(t, hs256, signingKey(8), claims()), TokenInvalid},
		{"other issuer", forge(t, hs256, key, claims("iss", "somebody")), TokenInvalid},
		{"no issuer", forge(t, hs256, key, claims("iss", nil)), TokenInvalid},
		{"no subject", forge(t, hs256, key, claims("sub", nil)), TokenInvalid},
		{"no expiry", forge(t, hs256, key, claims("exp", nil)), TokenInvalid},
		{"expiry that is no number", forge(t, hs256, key, claims("exp", "soon")), TokenInvalid},
		{"expired", forge(t, hs256, key, claims("exp", now-1)), TokenExpired},
		{"expired now", forge(t, hs256, key, claims("exp", now)), TokenExpired},
		{"expired, other key", forge(t, hs256, signingKey(8), claims("exp", now-1)), TokenInvalid},
		{"not yet", forge(t, hs256, key, claims("nbf", now+5)), TokenInvalid},
		{"unknown user", forge(t, hs256, key, claims("sub", "nobody")), TokenInvalid},
		{"no kind", forge(t, hs256, key, claims("kind", nil)), TokenInvalid},
		{"other kind", forge(t, hs256, key, claims("kind", "service")), TokenInvalid},
		{"too long", forge(t, hs256, key, claims("pad", strings.Repeat("x", maxTokenBytes))), TokenInvalid},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, err := f.Authenticate(t.Context(), test.token)
			if p != nil || !fault.HasCode(err, test.want) || fault.KindOf(err) != fault.Unauthenticated {
				t.Errorf("Authenticate = %+v, %v, want %s", p, err, test.want)
			}
		})
	}
}

func TestTokenExpiresByTheClock(t *testing.T) {
	t.Parallel()
	f := setup(t, dana())
	token, err := f.IssueToken(t.Context(), "dana", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	f.clock.advance(59 * time.Second)
	if _, err := f.Authenticate(t.Context(), token); err != nil {
		t.Errorf("a second before: %v", err)
	}
	f.clock.advance(time.Second)
	if _, err := f.Authenticate(t.Context(), token); !fault.HasCode(err, TokenExpired) {
		t.Errorf("at its time: %v, want %s", err, TokenExpired)
	}
}

// TestEveryByteCounts changes each character of a token in turn.
func TestEveryByteCounts(t *testing.T) {
	t.Parallel()
	f := setup(t, dana())
	token, err := f.IssueToken(t.Context(), "dana", 0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range token {
		spoiled := []byte(token)
		spoiled[i] = 'A'
		if token[i] == 'A' {
			spoiled[i] = 'B'
		}
		if _, err := f.Authenticate(t.Context(), string(spoiled)); err == nil {
			t.Errorf("the token is accepted with character %d changed", i)
		}
	}
}

func FuzzAuthenticate(f *testing.F) {
	store, clock := &directoryStore{}, newClock()
	store.set([]*User{dana()}, nil)
	service, err := New(Config{Store: store, SigningKey: signingKey(7), Now: clock.now})
	if err != nil {
		f.Fatal(err)
	}
	token, err := service.IssueToken(f.Context(), "dana", 0)
	if err != nil {
		f.Fatal(err)
	}
	f.Add("")
	f.Add("..")
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add(token[:len(token)-2])
	f.Add(forge(f, jwt.SigningMethodHS512, signingKey(7), jwt.MapClaims{"iss": "rollcall", "sub": "Dana"}))
	f.Fuzz(func(t *testing.T, text string) {
		p, err := service.Authenticate(t.Context(), text)
		switch {
		case err == nil && text != token:
			t.Errorf("a token that nobody issued is accepted: %q as %+v", text, p)
		case err != nil && fault.KindOf(err) != fault.Unauthenticated:
			t.Errorf("Authenticate(%q) = %v, want unauthenticated", text, err)
		}
	})
}
