package access

import "rollcall/internal/fault"

// The codes of this package's errors.
const (
	NoRole          fault.Code = "noRole"          // Forbidden: no role in the study nor at this site
	RoleNotAllowed  fault.Code = "roleNotAllowed"  // Forbidden: a role, but none that may do this
	SignInFailed    fault.Code = "signInFailed"    // Unauthenticated: unknown user or wrong password, never told apart
	SignInThrottled fault.Code = "signInThrottled" // TooMany: too many failures from this address
	TokenInvalid    fault.Code = "tokenInvalid"    // Unauthenticated: no token, not ours, or its holder is gone
	TokenExpired    fault.Code = "tokenExpired"    // Unauthenticated: ours, but its time is over
	UserUnknown     fault.Code = "userUnknown"     // NotFound: an operator named a user who does not exist

	// Unauthenticated: a service account's assertion, whatever is wrong with it.
	AssertionRefused fault.Code = "assertionRefused"
)

// Codes lists every code of this package, so that a dialect can prove that it has words for
// each.
func Codes() []fault.Code {
	return []fault.Code{
		NoRole, RoleNotAllowed, SignInFailed, SignInThrottled, TokenInvalid, TokenExpired, UserUnknown,
		AssertionRefused, SessionOver,
	}
}
