package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"rollcall/internal/config"
	"rollcall/internal/fault"
	"rollcall/internal/store/sqlite"
)

// failure is an error with a hint for whoever typed the command, and its exit code.
type failure struct {
	what string
	hint string
	code int
}

func (f *failure) Error() string { return f.what }

// wrong is what is wrong with the command line or with a file.
func wrong(format string, args ...any) *failure {
	return &failure{what: fmt.Sprintf(format, args...), code: exitWrong}
}

// failed is work that could not be done.
func failed(format string, args ...any) *failure {
	return &failure{what: fmt.Sprintf(format, args...), code: exitFailed}
}

func (f *failure) withHint(format string, args ...any) *failure {
	c := *f
	c.hint = fmt.Sprintf(format, args...)
	return &c
}

// wrongLine says what kong found wrong with the command line.
func wrongLine(err error) error {
	f := wrong("%s", err)
	command := "rollcall"
	if parse := (*kong.ParseError)(nil); errors.As(err, &parse) && parse.Context != nil {
		if name := parse.Context.Command(); name != "" {
			command += " " + strings.TrimSpace(strings.Split(name, "<")[0])
		}
	}
	return f.withHint("run: %s --help", command)
}

// fail prints what went wrong and answers the exit code for it.
func (c *console) fail(err error) int {
	if problems := (config.Problems)(nil); errors.As(err, &problems) {
		for _, p := range problems {
			at := p.Place.String()
			if at != "" {
				at += ": "
			}
			c.complain(at+p.Message, p.Hint)
		}
		return exitWrong
	}
	if f := (*failure)(nil); errors.As(err, &f) {
		c.complain(f.what, f.hint)
		return f.code
	}
	if errors.Is(err, context.Canceled) {
		c.complain("interrupted", "")
		return exitFailed
	}
	return c.failFault(err)
}

// failFault prints a fault of the registry. Whoever runs commands on the database may see the
// cause too: it is their machine.
func (c *console) failFault(err error) int {
	f := (*fault.Error)(nil)
	if !errors.As(err, &f) {
		c.complain(err.Error(), "")
		return exitFailed
	}
	what := f.Message
	if cause := errors.Unwrap(f); cause != nil {
		what += " (" + cause.Error() + ")"
	}
	c.complain(what, f.Hint)
	switch f.Code {
	case sqlite.FileForeign, sqlite.FileDamaged, sqlite.FileNewer:
		return exitWrong
	}
	if f.Kind == fault.Invalid {
		return exitWrong
	}
	return exitFailed
}

func (c *console) complain(what, hint string) {
	fmt.Fprintln(c.Err, "rollcall:", what)
	if hint != "" {
		fmt.Fprintln(c.Err, "hint:", hint)
	}
}
