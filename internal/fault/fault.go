// Package fault owns the closed set of error kinds that the registry speaks of and the one
// error type that carries them. It knows no wire dialect, no HTTP and no storage engine:
// each edge renders a [*Error] in its own words, and a test in each edge proves that its
// rendering covers every [Kind].
package fault

import (
	"errors"
	"fmt"
)

// Kind says what sort of trouble an error is. The set is closed: [Kinds] lists it.
type Kind uint8

// The kinds of trouble. Internal is the zero value, so whatever nobody classified counts as
// internal and its detail never leaves the log.
const (
	Internal        Kind = iota // a defect or a failure nobody foresaw
	Invalid                     // the request itself is wrong: Field says where, Code says how
	Unauthenticated             // nobody, or nobody we can believe
	Forbidden                   // somebody known who may not do this
	NotFound                    // what was named does not exist, or not for this caller
	Conflict                    // right in itself, but it clashes with what is stored
	TooLarge                    // more bytes or items than one request may carry
	TooMany                     // a budget or a throttle is used up; RetryAfter says when to return
	StorageFull                 // no room left to write; reads go on
	Unavailable                 // the database or a part we depend on is away; try again
	kindCount
)

var kindNames = [kindCount]string{
	"internal", "invalid", "unauthenticated", "forbidden", "not found", "conflict",
	"too large", "too many", "storage full", "unavailable",
}

// String names the kind for logs.
func (k Kind) String() string {
	if k < kindCount {
		return kindNames[k]
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Kinds lists every kind, for tests that prove a renderer total.
func Kinds() []Kind {
	kinds := make([]Kind, kindCount)
	for i := range kinds {
		kinds[i] = Kind(i)
	}
	return kinds
}

// Code names one fault within a kind, in the registry's own words and never in a dialect's:
// "tooLong", "capReached". The packages that raise a code declare it.
type Code string

// Error is the one error type of the program. Message and Hint may be shown to the caller;
// the cause is for the log alone.
type Error struct {
	Kind    Kind
	Code    Code   // which fault; empty where the kind says it all
	Field   string // the field at fault in the registry's words; empty for the request as a whole
	Index   int    // 1-based position in a request of many; 0 for a request of one
	Message string // for the caller: what is wrong; holds no personal value and no secret
	Hint    string // for the caller: what to do about it; may be empty

	RetryAfterSeconds int // for TooMany, StorageFull and Unavailable; 0 means not said

	cause error
}

// New makes an error of a kind with a message for the caller.
func New(kind Kind, code Code, format string, args ...any) *Error {
	return &Error{Kind: kind, Code: code, Message: fmt.Sprintf(format, args...)}
}

// Wrap makes an error of a kind around a cause that stays private: errors.Is and errors.As
// see it, and Error prints it for the log, but no renderer does.
func Wrap(kind Kind, cause error, format string, args ...any) *Error {
	return &Error{Kind: kind, Message: fmt.Sprintf(format, args...), cause: cause}
}

// In returns a copy of e that names the field at fault.
func (e *Error) In(field string) *Error {
	c := *e
	c.Field = field
	return &c
}

// At returns a copy of e that names the 1-based position at fault in a request of many.
func (e *Error) At(index int) *Error {
	c := *e
	c.Index = index
	return &c
}

// WithHint returns a copy of e that tells the caller what to do.
func (e *Error) WithHint(format string, args ...any) *Error {
	c := *e
	c.Hint = fmt.Sprintf(format, args...)
	return &c
}

// Error prints the error for the log: message, code, field and cause.
func (e *Error) Error() string {
	s := e.Message
	if s == "" {
		s = e.Kind.String()
	}
	if e.Code != "" {
		s += " [" + string(e.Code) + "]"
	}
	if e.Field != "" {
		s = e.Field + ": " + s
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap returns the private cause.
func (e *Error) Unwrap() error { return e.cause }

// Is lets errors.Is match any *Error that has the same kind and code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Kind == e.Kind && t.Code == e.Code && t.cause == nil
}

// As finds the first *Error in err's chain; an error that holds none becomes Internal around
// it. It returns nil for a nil error.
func As(err error) *Error {
	if err == nil {
		return nil
	}
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Kind: Internal, Message: "internal error", cause: err}
}

// KindOf returns the kind of err; Internal for an error that nobody classified.
// It must not be asked about a nil error.
func KindOf(err error) Kind { return As(err).Kind }

// HasCode reports whether err carries the code.
func HasCode(err error, code Code) bool {
	return err != nil && As(err).Code == code
}
