package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
)

// build says which build of the program this is.
type build struct {
	version   string // the module's version, or (devel)
	revision  string // of the source, "" if the build does not know
	modified  bool   // the source differed from that revision
	goVersion string
	modules   []*debug.Module
}

func readBuild() build {
	b := build{version: "(devel)", goVersion: runtime.Version()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	if info.Main.Version != "" {
		b.version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.revision = s.Value
		case "vcs.modified":
			b.modified = s.Value == "true"
		}
	}
	b.modules = info.Deps
	return b
}

// engines are the modules whose version matters to whoever keeps the data.
var engines = []string{"modernc.org/sqlite", "modernc.org/libc", "github.com/jackc/pgx/v5"}

// versionCommand prints which build this is.
type versionCommand struct{}

// Run implements the command.
func (versionCommand) Run(con *console) error {
	b := readBuild()
	fmt.Fprintf(con.Out, "rollcall %s\n", b.version)
	if b.revision != "" {
		note := ""
		if b.modified {
			note = " (modified)"
		}
		fmt.Fprintf(con.Out, "revision %s%s\n", b.revision, note)
	}
	fmt.Fprintf(con.Out, "%s %s/%s\n", b.goVersion, runtime.GOOS, runtime.GOARCH)
	for _, m := range b.modules {
		if slices.Contains(engines, m.Path) {
			fmt.Fprintf(con.Out, "%s %s\n", m.Path, m.Version)
		}
	}
	return nil
}
