package access

import (
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"rollcall/internal/fault"
)

// ServiceTokenTTL is how long a service account's token is good for. Its clients keep a token
// for up to 55 minutes and do not ask again when it is refused (reference, MyDataHelps 1).
const ServiceTokenTTL = time.Hour

// The limits on assertions (decisions, MyDataHelps 9 and 10).
const (
	maxAssertionBytes = 8 << 10        // real ones have less than 1 KiB
	maxAssertionLife  = 24 * time.Hour // how far ahead exp can be
	assertionSkew     = 30 * time.Second
	maxJTIBytes       = 200
)

// assertionClaims is what an assertion says. Its times are numbers of seconds that may have a
// fraction, which Python's clients send; no other type of JSON value is taken for one.
type assertionClaims struct {
	Expires   *float64 `json:"exp"`
	NotBefore *float64 `json:"nbf"`
	IssuedAt  *float64 `json:"iat"`
	jwt.RegisteredClaims
}

// assertion is one that is signed by a key of its account and says nothing wrong. Whether it
// has been used before is not known yet.
type assertion struct {
	account *ServiceAccount
	jti     string
	expires time.Time // from when on it is refused, clock skew included
}

// SignInService answers a token for the service account that signed the assertion, a JWT with
// the account's name as iss and sub, and how long the token is good for. An assertion works
// once. Whatever is wrong with it, the answer is the same [fault.Unauthenticated] with
// [AssertionRefused]; what it was is in the error's cause, and in the log. An account that does
// not exist takes as long to refuse as a bad signature. Faults of the store pass as they are.
func (s *Service) SignInService(ctx context.Context, text string) (token string, expiresIn time.Duration, err error) {
	directory, err := s.directory.get(ctx)
	if err != nil {
		return "", 0, err
	}
	now := s.now()
	a, err := s.checkAssertion(directory, text, now)
	if err != nil {
		return "", 0, s.refuse(ctx, err)
	}
	fresh, err := s.store.UseAssertion(ctx, a.account.Name, a.jti, a.expires, now)
	if err != nil {
		return "", 0, fmt.Errorf("use up an assertion: %w", err)
	}
	if !fresh {
		return "", 0, s.refuse(ctx, fmt.Errorf("assertion of %s: its jti has been used before", a.account.Name))
	}
	token, err = s.mint(serviceHolder, a.account.Name, ServiceTokenTTL)
	if err != nil {
		return "", 0, err
	}
	return token, ServiceTokenTTL, nil
}

// AcceptAudiences adds what the aud of an assertion may be, such as the address that a server
// knows only once it listens.
func (s *Service) AcceptAudiences(urls ...string) {
	for {
		known := s.audiences.Load()
		all := slices.Concat(*known, urls)
		if s.audiences.CompareAndSwap(known, &all) {
			return
		}
	}
}

func (s *Service) accepts(audience string) bool {
	return slices.Contains(*s.audiences.Load(), audience)
}

// refuse is the one answer to whoever sent the assertion. Only the log tells why.
func (s *Service) refuse(ctx context.Context, cause error) error {
	s.log.InfoContext(ctx, "assertion refused", slog.String("error", cause.Error()))
	err := fault.Wrap(fault.Unauthenticated, cause, "the assertion was refused")
	err.Code = AssertionRefused
	return err
}

// checkAssertion reads an assertion and checks everything but whether it has been used. The
// signing method is pinned, and what the header says about keys is not looked at: clients name
// none, so every key of the account is tried.
func (s *Service) checkAssertion(directory *Directory, text string, now time.Time) (*assertion, error) {
	if len(text) > maxAssertionBytes {
		return nil, fmt.Errorf("the assertion is longer than %d bytes", maxAssertionBytes)
	}
	var claims assertionClaims
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodRS256.Alg()}),
		jwt.WithStrictDecoding(),
		jwt.WithoutClaimsValidation(), // done below: exp is not what the library takes it for
	)
	parsed, err := parser.ParseWithClaims(text, &claims, func(*jwt.Token) (any, error) {
		return directory.keysOf(claims.Subject), nil
	})
	if err != nil {
		return nil, fmt.Errorf("assertion of %s: %w", directory.describe(claims.Subject), err)
	}
	account, ok := directory.ServiceAccount(claims.Subject)
	if !ok {
		return nil, fmt.Errorf("assertion of %s", directory.describe(claims.Subject))
	}
	if _, critical := parsed.Header["crit"]; critical {
		return nil, fmt.Errorf("assertion of %s: its header has crit, of which nothing is understood", account.Name)
	}
	expires, err := s.checkClaims(&claims, now)
	if err != nil {
		return nil, fmt.Errorf("assertion of %s: %w", account.Name, err)
	}
	return &assertion{account: account, jti: claims.ID, expires: expires}, nil
}

// checkClaims checks what a signed assertion says and tells from when on it is refused.
func (s *Service) checkClaims(c *assertionClaims, now time.Time) (time.Time, error) {
	none := time.Time{}
	switch {
	case c.Issuer != c.Subject:
		return none, errors.New("iss is not sub")
	case !slices.ContainsFunc(c.Audience, s.accepts):
		return none, errors.New("aud is no address of this server's token endpoint")
	case c.ID == "":
		return none, errors.New("there is no jti")
	case len(c.ID) > maxJTIBytes:
		return none, fmt.Errorf("jti is longer than %d bytes", maxJTIBytes)
	case strings.ContainsRune(c.ID, 0):
		return none, errors.New("jti holds a NUL")
	case c.Expires == nil:
		return none, errors.New("there is no exp")
	case *c.Expires > seconds(now.Add(maxAssertionLife+assertionSkew)):
		return none, fmt.Errorf("exp is more than %s ahead; it is in seconds", maxAssertionLife)
	case *c.Expires <= 0:
		return none, errors.New("exp is over")
	case c.NotBefore != nil && *c.NotBefore > seconds(now.Add(assertionSkew)):
		return none, errors.New("nbf is ahead")
	case c.IssuedAt != nil && *c.IssuedAt > seconds(now.Add(assertionSkew)):
		return none, errors.New("iat is ahead")
	}
	expires := time.UnixMicro(int64(math.Ceil(*c.Expires * 1e6))).Add(assertionSkew).UTC()
	if !now.Before(expires) {
		return none, errors.New("exp is over")
	}
	return expires, nil
}

// seconds is a time as JWTs write it, to the microsecond.
func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// parseKeys reads an account's keys. One that cannot be read verifies nothing; study files
// with such keys are refused.
func parseKeys(account *ServiceAccount) []jwt.VerificationKey {
	var keys []jwt.VerificationKey
	for _, text := range account.Keys {
		if key, err := ParsePublicKey(text); err == nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// keysOf answers the keys of the account. Where there is none it answers a key of nobody, so
// that an unknown name costs what a bad signature does.
func (d *Directory) keysOf(account string) jwt.VerificationKeySet {
	if keys := d.keys[account]; len(keys) > 0 {
		return jwt.VerificationKeySet{Keys: keys}
	}
	const bits = 2048
	modulus := new(big.Int).Lsh(big.NewInt(1), bits)
	nobody := &rsa.PublicKey{N: modulus.Sub(modulus, big.NewInt(1)), E: 65537}
	return jwt.VerificationKeySet{Keys: []jwt.VerificationKey{nobody}}
}

// describe names an account for the log. A name that is not ours was written by whoever sent
// it and is clipped.
func (d *Directory) describe(account string) string {
	if _, ok := d.accounts[account]; ok {
		return account
	}
	const longest = 100
	return fmt.Sprintf("unknown account %.*q", longest, account)
}
