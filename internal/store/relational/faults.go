package relational

import "rollcall/internal/fault"

// How long a caller should wait before it tries again, in seconds.
const (
	RetryWhenFull = 30
	RetryWhenAway = 5
)

// Full is the fault of a database that has no room left.
func Full(cause error) error {
	f := fault.Wrap(fault.StorageFull, cause, "there is no room left to store this")
	f.RetryAfterSeconds = RetryWhenFull
	return f
}

// Away is the fault of a database that does not answer, or not in time.
func Away(cause error) error {
	f := fault.Wrap(fault.Unavailable, cause, "the database is not available")
	f.RetryAfterSeconds = RetryWhenAway
	return f
}

// Clash is the fault of a name that is taken; the cause may be nil.
func Clash(cause error) error {
	return fault.Wrap(fault.Conflict, cause, "this clashes with what is stored")
}
