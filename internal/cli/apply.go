package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/uuid"

	"rollcall/internal/config"
	"rollcall/internal/store"
)

// applyCommand brings study files into the registry.
type applyCommand struct {
	File   []string `short:"f" sep:"none" placeholder:"FILE" help:"A study file; may be given several times."`
	Files  []string `arg:"" optional:"" hidden:"" name:"more files"`
	DryRun bool     `help:"Print what would change and change nothing."`
	databaseFlags
}

// Help implements kong.HelpProvider.
func (applyCommand) Help() string {
	return "Prints each difference, or that there is nothing to change. Applied again, a file changes nothing. " +
		"A server that is running sees the change at its next request."
}

// Run implements the command.
func (c *applyCommand) Run(ctx context.Context, con *console) (err error) {
	names := slices.Concat(c.File, c.Files)
	if len(names) == 0 {
		return wrong("no study file is named").withHint("run: rollcall apply -f FILE")
	}
	defs, err := config.LoadFiles(names)
	if err != nil {
		return err
	}
	st, done, err := c.target(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	differences, err := applyDefinitions(ctx, st, defs, con, c.DryRun)
	if err != nil {
		return err
	}
	for _, d := range differences {
		fmt.Fprintln(con.Out, d)
	}
	switch {
	case len(differences) == 0:
		fmt.Fprintln(con.Out, "nothing to change")
	case c.DryRun:
		fmt.Fprintln(con.Out, "dry run: nothing was changed")
	}
	return nil
}

// target opens what the files are applied to. A dry run where there is no registry yet works
// on a passing one.
func (c *applyCommand) target(ctx context.Context) (store.Store, func() error, error) {
	flags := c.databaseFlags
	clean := func() error { return nil }
	_, missing := os.Stat(filepath.Join(flags.dir(), store.FileName))
	if c.DryRun && missing != nil && flags.DatabaseURL+flags.DatabaseURLFile == "" {
		dir, err := os.MkdirTemp("", "rollcall-dry-run-*")
		if err != nil {
			return nil, nil, fmt.Errorf("make a folder for the dry run: %w", err)
		}
		flags.DataDir = dir
		clean = func() error { return os.RemoveAll(dir) }
	}
	st, err := flags.openOrMake(ctx)
	if err != nil {
		return nil, nil, errors.Join(err, clean())
	}
	return st, func() error { return errors.Join(st.Close(), clean()) }, nil
}

func applyDefinitions(ctx context.Context, st config.Store, defs *config.Definitions, con *console, dryRun bool) ([]config.Difference, error) {
	return config.Apply(ctx, st, defs, config.Options{
		DryRun: dryRun, Now: con.now, NewGUID: uuid.NewRandom, Origin: operator(""),
	})
}
