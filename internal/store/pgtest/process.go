package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// The limits of what is done to a program.
const (
	startLimit = 30 * time.Second
	stopLimit  = 10 * time.Second
)

// process is a program with a keeper: a small shell that ends the program as soon as the test
// process has ended, be it by a panic or by SIGKILL, for then the pipe of orders closes. The
// keeper has a session of its own, so that a signal to the tests' group does not reach it.
type process struct {
	orders io.WriteCloser // a line of it is the name of a signal for the program
	gone   chan struct{}  // closed when the program has ended and all that it started
	err    error          // how the program ended; read it after gone
}

// keeper starts the program "$@" and waits for it. Descriptor 3 is a pipe that nobody but the
// program and what it starts keeps open: its end tells that the last of them is gone.
const keeper = `
last=$1; shift
exec 4<&0
"$@" </dev/null 4<&- &
child=$!
exec 3>&-
{
  while read -r order <&4; do kill -s "$order" "$child"; done
  kill -s "$last" "$child"
  for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    sleep 0.25
    kill -0 "$child" || exit 0
  done
  kill -s KILL "$child"
} 2>/dev/null &
watch=$!
wait "$child"
code=$?
kill "$watch" 2>/dev/null
exit "$code"`

// launch starts the command in the folder as the account, with a keeper. Last is the name of
// the signal by which the keeper ends it. What the program prints goes to the file log.
func launch(who *account, folder string, log *os.File, last string, command ...string) (*process, error) {
	life, held, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	cmd := exec.CommandContext(context.Background(), "/bin/sh", append([]string{"-c", keeper, "keeper", last}, command...)...)
	cmd.Dir = folder
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "LC_ALL=C"}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.ExtraFiles = []*os.File{held}
	cmd.SysProcAttr = who.attributes()
	p := &process{gone: make(chan struct{})}
	p.orders, err = cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	held.Close()
	if err != nil {
		life.Close()
		return nil, fmt.Errorf("start %s: %w", filepath.Base(command[0]), err)
	}
	go func() {
		defer close(p.gone)
		_, _ = io.Copy(io.Discard, life) // nothing is written; the end is what counts
		life.Close()
		p.err = cmd.Wait()
	}()
	return p, nil
}

// signal sends the program a signal, by its name without SIG.
func (p *process) signal(name string) error {
	if _, err := io.WriteString(p.orders, name+"\n"); err != nil {
		return fmt.Errorf("send SIG%s: %w", name, err)
	}
	return nil
}

// ended tells whether the program and all that it started are gone.
func (p *process) ended() bool {
	select {
	case <-p.gone:
		return true
	default:
		return false
	}
}

// wait waits until the program and all that it started are gone, and answers how it ended.
func (p *process) wait(ctx context.Context) error {
	select {
	case <-p.gone:
		return p.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ready waits until the program answers, which answers tells by nil, or has ended.
func (p *process) ready(ctx context.Context, answers func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() { // ends with the context
		select {
		case <-p.gone:
			cancel(errEnded)
		case <-ctx.Done():
		}
	}()
	return poll(ctx, answers)
}

var errEnded = errors.New("it has ended")

// end ends the program by the keeper's last signal and waits for it.
func (p *process) end(ctx context.Context) error {
	p.orders.Close()
	err := p.wait(ctx)
	var exit *exec.ExitError
	if errors.As(err, &exit) { // it was told to end; how it took that does not matter
		return nil
	}
	return err
}

// run runs a command to its end and answers what it printed if it failed.
func run(ctx context.Context, who *account, folder string, command ...string) error {
	name := filepath.Base(command[0])
	log, err := os.Create(filepath.Join(folder, name+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	p, err := launch(who, folder, log, "TERM", command...)
	if err != nil {
		return err
	}
	if err := p.wait(ctx); err != nil {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopLimit)
		defer cancel()
		return errors.Join(fmt.Errorf("run %s: %w\n%s", name, err, tail(log.Name())), p.end(ending))
	}
	p.orders.Close()
	return nil
}

// tail answers the end of a log, for the message of a test that failed.
func tail(log string) string {
	text, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	const most = 4000
	if len(text) > most {
		text = append([]byte("...\n"), text[len(text)-most:]...)
	}
	return string(bytes.TrimSpace(text))
}

// poll calls done every 10 ms until it answers nil or the context ends, and then answers what
// done said last. Programs have no better signal of being ready than to answer.
func poll(ctx context.Context, done func(context.Context) error) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		err := done(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-ticker.C:
		}
	}
}
