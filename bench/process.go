package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopLimit is how long a program may take to stop before it is killed.
const stopLimit = 30 * time.Second

// process is a running program whose output is in a file.
type process struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{} // closed when it has ended
	err   error         // how; read it after ended
}

// launch starts a program, which ends with the context.
func launch(ctx context.Context, log string, command ...string) (*process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	p := &process{cmd: exec.CommandContext(ctx, command[0], command[1:]...), log: log, ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = file, file
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = stopLimit
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.ended)
		p.err = p.cmd.Wait()
	}()
	return p, nil
}

// stop ends the program in good order, and answers an error if it did not end so.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	select {
	case <-p.ended:
		return nil
	case <-time.After(stopLimit):
		return errors.Join(fmt.Errorf("%s does not stop and is killed", p.cmd.Path), p.cmd.Process.Kill())
	}
}

// until waits for a condition, at most for a minute and while the program runs.
func (p *process) until(ctx context.Context, what string, pause time.Duration, met func() bool) error {
	const patience = time.Minute
	deadline := time.After(patience)
	for !met() {
		select {
		case <-time.After(pause):
		case <-p.ended:
			return fmt.Errorf("%s: the program has ended: %w\n%s", what, p.err, p.tail())
		case <-deadline:
			return fmt.Errorf("%s: not within %s", what, patience)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// tail is the end of what the program has printed.
func (p *process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-2000):])
}

// forgetPeak makes peakMemory begin anew (Linux, proc(5), clear_refs).
func (p *process) forgetPeak() error {
	return os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", p.cmd.Process.Pid), []byte("5"), 0)
}

// peakMemory is the most resident memory of the program so far, in MB.
func (p *process) peakMemory() (float64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kB, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
			return kB / 1000, err
		}
	}
	return 0, errors.New("the system does not tell the peak memory of a process")
}

// freeAddress is one of the loopback address that nobody listens on.
func freeAddress(ctx context.Context) (string, error) {
	var listen net.ListenConfig
	l, err := listen.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// command runs a program to its end and answers what it prints.
func command(ctx context.Context, line ...string) (string, error) {
	cmd := exec.CommandContext(ctx, line[0], line[1:]...)
	var said, problem strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &problem
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(line[:min(len(line), 3)], " "), err, problem.String())
	}
	return strings.TrimSpace(said.String()), nil
}
