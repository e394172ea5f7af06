package access

import (
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"rollcall/internal/fault"
)

// SigningKeySize is the length in bytes of the key that tokens are signed with.
const SigningKeySize = 32

// DefaultTokenTTL is how long a token is good for: OpenClinica's 4 hours (reference,
// OpenClinica 6).
const DefaultTokenTTL = 4 * time.Hour

const (
	tokenIssuer   = "rollcall"
	maxTokenBytes = 4096 // ours are far shorter; longer ones are not looked at
)

// holderKind says what sort of holder a token names.
type holderKind string

const (
	userHolder    holderKind = "user"
	serviceHolder holderKind = "service"
)

// tokenClaims is what a token says. It carries no roles: those are looked up for every use.
type tokenClaims struct {
	Kind holderKind `json:"kind"`
	jwt.RegisteredClaims
}

// mint makes a token for a holder. Every way to sign in ends here.
func (s *Service) mint(kind holderKind, name string, ttl time.Duration) (string, error) {
	jti, err := uuid.NewRandom()
	if err != nil {
		return "", fmt.Errorf("draw token id: %w", err)
	}
	now := s.now()
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, tokenClaims{
		Kind: kind,
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer:    tokenIssuer,
			Subject:   name,
			IssuedAt:  jwt.NewNumericDate(now),
			ExpiresAt: jwt.NewNumericDate(now.Add(ttl)),
			ID:        jti.String(),
		},
	}).SignedString(s.signingKey)
	if err != nil {
		return "", fmt.Errorf("sign token: %w", err)
	}
	return token, nil
}

// verify reads a token that we have signed and whose time is not over. The method is pinned:
// what the token's own header says about it is believed only if it is ours.
func (s *Service) verify(token string) (*tokenClaims, error) {
	if len(token) == 0 || len(token) > maxTokenBytes {
		return nil, errTokenInvalid()
	}
	now := s.now()
	if claims, ok := s.believed.claims(token, now); ok {
		return claims, nil
	}
	var claims tokenClaims
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
		jwt.WithIssuer(tokenIssuer),
		jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(func() time.Time { return now }),
		jwt.WithStrictDecoding(),
	)
	_, err := parser.ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) { return s.signingKey, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return nil, fault.New(fault.Unauthenticated, TokenExpired, "the token has expired").WithHint("sign in again")
	case err != nil || claims.Subject == "":
		return nil, errTokenInvalid()
	}
	s.believed.add(token, &claims, now)
	return &claims, nil
}

func errTokenInvalid() error {
	return fault.New(fault.Unauthenticated, TokenInvalid, "the request carries no valid token").WithHint("sign in again")
}
