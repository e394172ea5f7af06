package access

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const fuzzAudience = "https://mydatahelps.org/identityserver/connect/token"

// fuzzDesk is a service that knows one account, with the private key of it.
func fuzzDesk(f *testing.F) (*Service, *Directory, *rsa.PrivateKey) {
	f.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	text, err := PublicKeyPEM(&key.PublicKey)
	if err != nil {
		f.Fatal(err)
	}
	store, clock := &directoryStore{}, newClock()
	store.set(nil, []*ServiceAccount{{Name: "app", Keys: []string{text}}})
	service, err := New(Config{Store: store, SigningKey: signingKey(7), Now: clock.now, Audiences: []string{fuzzAudience}})
	if err != nil {
		f.Fatal(err)
	}
	return service, store.dir, key
}

func fuzzClaims(now time.Time) string {
	return fmt.Sprintf(`{"iss":"app","sub":"app","aud":%q,"exp":%d.5,"jti":"x"}`, fuzzAudience, now.Unix()+200)
}

// FuzzAssertion looks for an assertion that is accepted although nobody signed it.
func FuzzAssertion(f *testing.F) {
	service, directory, key := fuzzDesk(f)
	now := service.now()
	good := signRaw(f, key, `{"alg":"RS256","typ":"JWT"}`, fuzzClaims(now))
	parts := strings.Split(good, ".")
	f.Add(good)
	f.Add("..")
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".")
	f.Add(base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256"}`)) + "." + parts[1] + "." + parts[2])
	f.Fuzz(func(t *testing.T, text string) {
		a, err := service.checkAssertion(directory, text, now)
		if (a == nil) == (err == nil) {
			t.Fatalf("checkAssertion = %v, %v", a, err)
		}
		if err == nil && text != good {
			t.Errorf("accepted although nobody signed it: %q", text)
		}
	})
}

// FuzzAssertionClaims signs whatever it is given, so that the claims are reached, and reads
// those that are accepted in another way.
func FuzzAssertionClaims(f *testing.F) {
	service, directory, key := fuzzDesk(f)
	now := service.now()
	const plain = `{"alg":"RS256","typ":"JWT"}`
	f.Add(plain, fuzzClaims(now))
	for _, change := range [][2]string{
		{`"app","aud"`, `"App","aud"`}, {`.5`, `e3`}, {`.5`, `000`}, {`"x"`, `7`}, {`"x"`, `""`}, {`"x"`, `"x","nbf":99999999999`},
		{`"x"`, `"x","iat":null`}, {`"x"`, `"x","exp":"1"`}, {`"x"`, `"x","exp":-1e308`}, {`"x"`, `"x","aud":[null]`}, {`}`, `}}`},
	} {
		f.Add(plain, strings.Replace(fuzzClaims(now), change[0], change[1], 1))
	}
	f.Add(`{"alg":"RS256","crit":[]}`, fuzzClaims(now))
	f.Add(`{"alg":"HS256"}`, fuzzClaims(now))
	f.Fuzz(func(t *testing.T, header, claims string) {
		a, err := service.checkAssertion(directory, signRaw(t, key, header, claims), now)
		if err != nil {
			return
		}
		var h map[string]any
		var c struct {
			Iss, Sub, JTI string
			Exp           float64
		}
		if err := json.Unmarshal([]byte(header), &h); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(claims), &c); err != nil {
			t.Fatal(err)
		}
		ahead := c.Exp - float64(now.Unix())
		switch {
		case h["alg"] != "RS256", c.Iss != "app", c.Sub != "app", ahead <= -30, ahead > 86430, !strings.Contains(claims, "aud"):
			t.Errorf("accepted: %s.%s", header, claims)
		case a.account.Name != "app", a.jti != c.JTI, a.jti == "", len(a.jti) > 200:
			t.Errorf("accepted %s as %+v", claims, a)
		case a.expires.Before(now), a.expires.Sub(now) > 24*time.Hour+time.Minute:
			t.Errorf("accepted %s until %s", claims, a.expires)
		}
	})
}

// signRaw signs a header and claims as they are, by RS256 whatever the header says.
func signRaw(t testing.TB, key *rsa.PrivateKey, header, claims string) string {
	t.Helper()
	text := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
	signature, err := jwt.SigningMethodRS256.Sign(text, key)
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}
