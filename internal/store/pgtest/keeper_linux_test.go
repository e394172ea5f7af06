package pgtest_test

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rollcall/internal/store/pgtest"
)

// TestNothingRemains ends test processes in every way and looks for what they have started.
func TestNothingRemains(t *testing.T) {
	const fate = "PGTEST_FATE"
	if how := os.Getenv(fate); how != "" {
		live(t, how)
		return
	}
	t.Parallel()
	for _, how := range []string{"return", "panic", "kill"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			if err := os.Chmod(filepath.Dir(folder), 0o755); err != nil { // so that postgres can go there
				t.Fatal(err)
			}
			if err := os.Chmod(folder, 0o755); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(os.Args[0], "-test.run=^TestNothingRemains$")
			cmd.Env = append(os.Environ(), fate+"="+how, "TMPDIR="+folder)
			said, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			orders, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewReader(said)
			if line, err := lines.ReadString('\n'); line != "ready\n" {
				rest, _ := io.ReadAll(lines)
				t.Fatalf("the process says %q (%v)\n%s", line, err, rest)
			}
			started := descendants(cmd.Process.Pid)
			if len(started) < 20 {
				t.Errorf("%d processes, want a server, its replica, PgBouncer and their keepers", len(started))
			}
			if entries, _ := os.ReadDir(folder); len(entries) != 3 {
				t.Errorf("%d folders, want 3", len(entries))
			}
			if how == "kill" {
				cmd.Process.Kill()
			}
			orders.Close()
			_, _ = io.Copy(io.Discard, lines)
			cmd.Wait()
			limit := time.Now().Add(10 * time.Second)
			for {
				left := slices.DeleteFunc(slices.Clone(started), dead)
				entries, _ := os.ReadDir(folder)
				if len(left) == 0 && len(entries) == 0 {
					break
				}
				if time.Now().After(limit) {
					t.Fatalf("10 seconds later processes %v and folders %v are left", left, entries)
				}
				<-time.After(10 * time.Millisecond) // nobody is told when the processes of others end
			}
		})
	}
}

// live is what the test process does that ends.
func live(t *testing.T, how string) {
	server := postgres.Server(t)
	url := server.Database(t)
	server.Replica(t)
	execute(t, pgtest.PgBouncer(t, url), "SELECT 1")
	os.Stdout.WriteString("ready\n")
	_, _ = io.Copy(io.Discard, os.Stdin)
	if how == "panic" {
		panic("as told")
	}
}

// process answers the parent and the state of a process.
func process(pid string) (parent, state string) {
	text, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return "", ""
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	return fields[1], fields[0]
}

// dead tells whether a process has ended, though nobody may have asked yet how.
func dead(pid string) bool {
	_, state := process(pid)
	return state == "" || state == "Z"
}

// descendants lists what a process has started, and what that has started, and so on.
func descendants(pid int) []string {
	entries, _ := os.ReadDir("/proc")
	found := []string{strconv.Itoa(pid)}
	for i := 0; i < len(found); i++ {
		for _, entry := range entries {
			if parent, _ := process(entry.Name()); parent == found[i] {
				found = append(found, entry.Name())
			}
		}
	}
	return found[1:]
}

// TestKilledServerLeavesNoMemory: the system would keep what it shared among its processes.
func TestKilledServerLeavesNoMemory(t *testing.T) {
	t.Parallel()
	var memory string
	t.Run("kill", func(t *testing.T) {
		server := pgtest.Start(t)
		memory = answer(t, server.Superuser("postgres"), "SELECT split_part(pg_read_file('postmaster.pid'), E'\n', 7)")
		server.Stop(t, pgtest.Kill)
	})
	fields := strings.Fields(memory)
	text, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil || len(fields) != 2 {
		t.Fatalf("segment %q: %v", memory, err)
	}
	for line := range strings.Lines(string(text)) {
		if columns := strings.Fields(line); columns[1] == fields[1] {
			t.Errorf("the segment is left: %s", line)
		}
	}
}
