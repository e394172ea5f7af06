// Command bench measures Rollcall's speed against the limits beneath it. It builds the real program,
// runs it on the loopback address, and compares each operation with raw baselines that are measured
// in the same rounds, in turns: the database without Rollcall, a server that does nothing, and, if
// asked for, PocketBase. See README.md.
//
// It owns the workload, the baselines, the bars and the report. It knows Rollcall only by its commands
// and its addresses; of the schema it knows the participants table, into which the baselines write.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// options are what the command line says.
type options struct {
	people   []int // sizes of the registries
	rounds   int
	engines  []string
	period   time.Duration // how long a load lasts
	peer     bool
	only     string
	binary   string // "": build it
	json     string
	dir      string // for the temporary folder; "": where the system has them
	progress io.Writer
}

// The sizes of a curve.
var curveSizes = []int{10_000, 100_000, 1_000_000}

func main() {
	if len(os.Args) > 1 && os.Args[1] == floorCommand {
		os.Exit(floorMain(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:], os.Stderr)
	if err == nil {
		err = run(ctx, o, os.Stdout)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop has been called
	}
}

// parse reads the command line.
func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{progress: stderr}
	var people, engines, peer string
	var curve bool
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&people, "people", "100000", "how many participants a registry has; several sizes with commas between")
	flags.BoolVar(&curve, "curve", false, "measure at 10,000, 100,000 and 1,000,000 participants and show how costs grow")
	flags.IntVar(&o.rounds, "rounds", 3, "how often each operation and each baseline is measured, in turns")
	flags.StringVar(&engines, "engines", "sqlite,postgres", "the engines to measure")
	flags.DurationVar(&o.period, "period", 5*time.Second, "how long each load lasts at most")
	flags.StringVar(&peer, "peer", "", "pocketbase: measure PocketBase too")
	flags.StringVar(&o.only, "only", "", "measure only operations whose name contains this")
	flags.StringVar(&o.binary, "binary", "", "the rollcall to measure; it is built if not given")
	flags.StringVar(&o.json, "json", "", "a file to write the results to as JSON")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	for text := range strings.SplitSeq(people, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < leastPeople {
			return nil, fmt.Errorf("-people %s: a size is a number of at least %d", text, leastPeople)
		}
		o.people = append(o.people, n)
	}
	if curve {
		o.people = curveSizes
	}
	slices.Sort(o.people)
	o.engines = strings.Split(engines, ",")
	for _, engine := range o.engines {
		if engine != sqliteEngine && engine != postgresEngine {
			return nil, fmt.Errorf("-engines %s: there are %s and %s", engines, sqliteEngine, postgresEngine)
		}
	}
	if o.peer = peer == "pocketbase"; peer != "" && !o.peer {
		return nil, fmt.Errorf("-peer %s: there is pocketbase", peer)
	}
	if o.rounds < 1 || flags.NArg() > 0 {
		return nil, errors.New("give at least one round, and nothing but flags")
	}
	return o, nil
}

// run measures at every size and prints what it found.
func run(ctx context.Context, o *options, out io.Writer) (err error) {
	r := &report{Started: time.Now().UTC(), Machine: thisMachine(ctx), Rounds: o.rounds}
	for _, people := range o.people {
		size, err := measureSize(ctx, o, people)
		if ctx.Err() != nil {
			return errors.New("stopped; everything it had started is stopped too")
		}
		if err != nil {
			return err
		}
		r.Sizes = append(r.Sizes, size)
		size.print(out)
	}
	r.Curve = curveOf(r.Sizes)
	r.printCurve(out)
	if o.json == "" {
		return nil
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the results: %w", err)
	}
	return os.WriteFile(o.json, append(text, '\n'), 0o600)
}

// measureSize runs the rounds with registries of one size, which are gone afterwards.
func measureSize(ctx context.Context, o *options, people int) (_ *sizeReport, err error) {
	w := newWorld(o, people)
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.furnish(ctx); err != nil {
		return nil, err
	}
	size := &sizeReport{People: people}
	chosen := slices.DeleteFunc(operations(w), func(op operation) bool { return !strings.Contains(op.name, o.only) })
	if len(chosen) == 0 {
		return nil, fmt.Errorf("-only %s: no operation has that in its name", o.only)
	}
	for _, op := range chosen {
		size.Operations = append(size.Operations, newOperationReport(&op))
	}
	for round := range o.rounds {
		for i, op := range chosen {
			if err := w.measure(ctx, round, &op, size.Operations[i]); err != nil {
				return nil, err
			}
		}
	}
	for i, op := range chosen {
		size.Operations[i].judge(op.bars)
	}
	return size, nil
}

// measure runs one operation's entries in turns: a baseline, ours, another baseline, ours ...
func (w *world) measure(ctx context.Context, round int, op *operation, to *operationReport) error {
	for i, e := range op.turns() {
		w.say("round %d: %s: %s", round+1, op.name, e.name)
		found, err := e.run(ctx)
		if err != nil {
			return fmt.Errorf("%s: %s: %w", op.name, e.name, err)
		}
		to.Entries[i].Found = append(to.Entries[i].Found, found)
	}
	return nil
}
