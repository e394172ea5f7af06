package cli_test

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"rollcall/internal/cli"
)

// patience is how long a script waits for a condition.
const patience = 30 * time.Second

// TestMain lets scripts, and tests that start processes, run the program, a little curl and a
// little openssl under their names.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"rollcall": func() {
			os.Exit(cli.Main(context.Background(), os.Args[1:], cli.Stdio{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
		},
		"curl":    func() { os.Exit(curl(os.Args[1:], os.Stdout, os.Stderr)) },
		"openssl": func() { os.Exit(openssl(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	})
}

// TestScripts plays the stories of testdata: each is one way in which somebody uses the
// command line.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir:      "testdata",
		Deadline: time.Now().Add(3 * time.Minute),
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"exits":    exits,
			"waitfor":  waitFor,
			"waitgone": waitGone,
			"server":   server,
			"http":     httpCommand,
			"sql":      sqlCommand,
			"cut":      cut,
		},
		RequireExplicitExec: true,
	})
}

// exits CODE COMMAND ARG... runs a command that has to end with the code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG...")
	}
	got := 0
	err := ts.Exec(args[1], args[2:]...)
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%s: %v", args[1], err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("%s ended with %d, want %s", strings.Join(args[1:], " "), got, args[0])
	}
}

// waitfor FILE [REGEXP] waits until the file has text, and until it matches.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: waitfor FILE [REGEXP]")
	}
	pattern := regexp.MustCompile(`.`)
	if len(args) == 2 {
		pattern = regexp.MustCompile(args[1])
	}
	until(ts, args[0], func() bool {
		text, err := os.ReadFile(ts.MkAbs(args[0]))
		return err == nil && pattern.Match(text)
	})
}

// waitgone FILE waits until there is no such file.
func waitGone(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitgone FILE")
	}
	until(ts, args[0], func() bool {
		_, err := os.Stat(ts.MkAbs(args[0]))
		return errors.Is(err, os.ErrNotExist)
	})
}

func until(ts *testscript.TestScript, what string, met func() bool) {
	for deadline := time.Now().Add(patience); !met(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			ts.Fatalf("%s: what was waited for did not come within %s", what, patience)
		}
	}
}

// server FILE waits for the ready file of a server and has commands talk to that server.
func server(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: server READY-FILE")
	}
	waitFor(ts, false, args)
	ts.Setenv("ROLLCALL_SERVER", strings.TrimSpace(ts.ReadFile(args[0])))
}

// http METHOD PATH STATUS [TOKEN-FILE [BODY-FILE]] asks the server; the answer is stdout.
func httpCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 5 {
		ts.Fatalf("usage: http METHOD PATH STATUS [TOKEN-FILE [BODY-FILE]]")
	}
	var body io.Reader
	if len(args) > 4 {
		body = strings.NewReader(ts.ReadFile(args[4]))
	}
	req, err := http.NewRequest(args[0], ts.Getenv("ROLLCALL_SERVER")+args[1], body)
	ts.Check(err)
	if len(args) > 3 {
		req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(ts.ReadFile(args[3])))
	}
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	_, err = io.Copy(ts.Stdout(), resp.Body)
	ts.Check(err)
	if strconv.Itoa(resp.StatusCode) != args[2] {
		ts.Fatalf("%s %s: status %d, want %s", args[0], args[1], resp.StatusCode, args[2])
	}
}

// sql DATABASE STATEMENT changes a database behind the program's back.
func sqlCommand(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sql DATABASE STATEMENT")
	}
	db, err := sql.Open("sqlite", ts.MkAbs(args[0]))
	ts.Check(err)
	defer db.Close()
	result, err := db.Exec(args[1])
	ts.Check(err)
	if rows, err := result.RowsAffected(); err != nil || rows == 0 {
		ts.Fatalf("%s: changed nothing (%v)", args[1], err)
	}
}

// cut FILE BYTES cuts so many bytes off the end of a file.
func cut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: cut FILE BYTES")
	}
	path := ts.MkAbs(args[0])
	bytes, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	info, err := os.Stat(path)
	ts.Check(err)
	ts.Check(os.Truncate(path, info.Size()-bytes))
}

// The stories are worth nothing if nobody plays them.
func TestScriptsAreThere(t *testing.T) {
	t.Parallel()
	stories, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(stories) < 10 {
		t.Fatalf("%d stories in testdata (%v), want at least 10", len(stories), err)
	}
}
