// Package cli owns the commands of rollcall: their flags, what they print and how they exit. It
// is the only place that puts the parts of the program together. It knows no rule about
// participants and no wire format beyond what its own client of a running server reads.
package cli

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/alecthomas/kong"
)

// The exit codes of every command.
const (
	exitDone   = 0
	exitFailed = 1 // the work failed
	exitWrong  = 2 // the command line or a file is wrong
)

// Stdio is what the program reads from and writes to.
type Stdio struct {
	In       io.Reader
	Out, Err io.Writer
}

// console is what a command has to work with beside its flags.
type console struct {
	Stdio
	now func() time.Time
}

// commands is the command line. Every flag has an environment variable, ROLLCALL_ and the
// flag's name; a secret can be given as the name of a file that holds it.
type commands struct {
	Serve       serveCommand       `cmd:"" help:"Run the server."`
	Apply       applyCommand       `cmd:"" help:"Load or update studies, sites, users and service accounts from study files."`
	Token       tokenCommand       `cmd:"" help:"Print a bearer token for a user."`
	Import      importCommand      `cmd:"" help:"Add the participants of a CSV file through a running server."`
	Extract     extractCommand     `cmd:"" help:"Write the participants of a site to a CSV file, from a running server."`
	Participant participantCommand `cmd:"" help:"Show, remove, restore, lock or unlock a participant."`
	Audit       auditCommand       `cmd:"" help:"Export or verify the audit trail."`
	Migrate     migrateCommand     `cmd:"" help:"Bring the database up to this version."`
	Copy        copyCommand        `cmd:"" help:"Move a registry to another database, of either engine."`
	Backup      backupCommand      `cmd:"" help:"Write a backup of the whole registry."`
	Restore     restoreCommand     `cmd:"" help:"Put a backup in place."`
	Doctor      doctorCommand      `cmd:"" help:"Examine the registry and what it stands on."`
	Version     versionCommand     `cmd:"" help:"Print which version this is."`
}

// Main runs the command that the arguments name and answers the process's exit code: 0 done,
// 1 the work failed, 2 the command line or a file is wrong. The first SIGINT or SIGTERM ends
// the command in good order, the second one at once.
func Main(ctx context.Context, args []string, stdio Stdio) int {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)
	done := make(chan struct{})
	defer close(done)
	go watch(signals, done, cancel)
	return run(ctx, args, &console{Stdio: stdio, now: time.Now})
}

// watch stops the command at the first signal and ends the process at the second.
func watch(signals <-chan os.Signal, done <-chan struct{}, stop func()) {
	for _, act := range []func(){stop, func() { os.Exit(exitFailed) }} {
		select {
		case <-signals:
			act()
		case <-done:
			return
		}
	}
}

// leaving is what kong's exit is turned into; only --help makes it exit.
type leaving struct{ code int }

func run(ctx context.Context, args []string, con *console) (code int) {
	defer func() {
		if r := recover(); r != nil {
			l, ok := r.(leaving)
			if !ok {
				panic(r)
			}
			code = l.code
		}
	}()
	var line commands
	parser, err := kong.New(&line,
		kong.Name("rollcall"),
		kong.Description("A participant registry for clinical studies that speaks OpenClinica's and MyDataHelps' participant APIs."),
		kong.Writers(con.Out, con.Err),
		kong.Exit(func(code int) { panic(leaving{code}) }),
		kong.DefaultEnvars("ROLLCALL"),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true, WrapUpperBound: 100}),
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(con),
	)
	if err != nil {
		return con.fail(err)
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		return con.fail(wrongLine(err))
	}
	if err := parsed.Run(); err != nil {
		return con.fail(err)
	}
	return exitDone
}
