package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/fault"
)

// maxTokenTTL is how long a token of an operator may be good for.
const maxTokenTTL = 366 * 24 * time.Hour

// tokenCommand prints a bearer token.
type tokenCommand struct {
	User string        `required:"" placeholder:"NAME" help:"The user whose token it is."`
	TTL  time.Duration `name:"ttl" default:"8h" help:"How long the token is good for."`
	databaseFlags
}

// Help implements kong.HelpProvider.
func (tokenCommand) Help() string {
	return "Needs access to the database and no password. That a token was issued is remembered in the audit trail."
}

// Run implements the command.
func (c *tokenCommand) Run(ctx context.Context, con *console) (err error) {
	if c.TTL <= 0 || c.TTL > maxTokenTTL {
		return wrong("--ttl must be more than 0 and at most %s", maxTokenTTL).withHint("for example --ttl 8h")
	}
	st, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	a, err := newApp(ctx, st, con.now, signIn{})
	if err != nil {
		return err
	}
	token, err := a.access.IssueToken(ctx, c.User, c.TTL)
	if fault.HasCode(err, access.UserUnknown) {
		return failed("there is no user %q", c.User).withHint("users are declared in study files, see rollcall apply --help")
	}
	if err != nil {
		return err
	}
	holder, err := a.access.Authenticate(ctx, token) // as the user's name is spelled
	if err != nil {
		return err
	}
	event := audit.Event{
		Origin: operator(""), Action: audit.TokenIssuedByOperator, Identifier: holder.Name,
		Fields: []audit.FieldChange{{Field: "validFor", New: c.TTL.String()}},
	}
	if err := st.RecordEvents(ctx, 0, a.registry.Now(), []audit.Event{event}); err != nil {
		return fmt.Errorf("remember that a token was issued: %w", err)
	}
	fmt.Fprintln(con.Out, token)
	return nil
}
