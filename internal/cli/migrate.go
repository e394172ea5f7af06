package cli

import (
	"context"
	"errors"
	"fmt"

	"rollcall/internal/store"
)

// migrateCommand brings the database up to this version.
type migrateCommand struct{ databaseFlags }

// Help implements kong.HelpProvider.
func (migrateCommand) Help() string {
	return "rollcall serve does the same when it starts. Take a backup before."
}

// Run implements the command.
func (c *migrateCommand) Run(ctx context.Context, con *console) (err error) {
	conf, err := c.config()
	if err != nil {
		return err
	}
	st, err := store.Open(ctx, conf)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	from, to, err := st.Migrate(ctx)
	if err != nil {
		return err
	}
	if from == to {
		fmt.Fprintf(con.Out, "nothing to change: schema version %d\n", to)
		return nil
	}
	fmt.Fprintf(con.Out, "schema version %d -> %d\n", from, to)
	return nil
}
