package arch

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestBreachesAreFound proves with made-up sources that each rule can fail, and that it does
// not fail on what is allowed.
func TestBreachesAreFound(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("\n", maxLines)
	tests := []struct {
		name   string
		path   string
		source string
		want   []string // the beginning of each breach
	}{
		{
			name:   "allowed imports",
			path:   "internal/wire/openclinica/routes.go",
			source: "package openclinica\nimport (\n\"net/http\"\n\"log/slog\"\n\"rollcall/internal/registry\"\n\"github.com/google/uuid\"\n)",
		},
		{
			name:   "a dialect imports another",
			path:   "internal/wire/openclinica/routes.go",
			source: "package openclinica\nimport _ \"rollcall/internal/wire/mydatahelps\"",
			want:   []string{"internal/wire/openclinica/routes.go:2: wire/openclinica may not import rollcall/internal/wire/mydatahelps: dialects know nothing"},
		},
		{
			name:   "a dialect imports the store",
			path:   "internal/wire/mydatahelps/routes.go",
			source: "package mydatahelps\nimport \"rollcall/internal/store/sqlite\"",
			want:   []string{"internal/wire/mydatahelps/routes.go:2: wire/mydatahelps may not import rollcall/internal/store/sqlite: imports go one way"},
		},
		{
			name:   "a test of a dialect imports the store",
			path:   "internal/wire/mydatahelps/routes_test.go",
			source: "package mydatahelps_test\nimport (\n\"rollcall/internal/store/sqlite\"\n\"rollcall/internal/wire/mydatahelps\"\n\"github.com/google/go-cmp/cmp\"\n\"database/sql\"\n)",
		},
		{
			name:   "a test of a dialect imports another",
			path:   "internal/wire/mydatahelps/routes_test.go",
			source: "package mydatahelps_test\nimport \"rollcall/internal/wire/openclinica\"",
			want:   []string{"internal/wire/mydatahelps/routes_test.go:2: wire/mydatahelps may not import rollcall/internal/wire/openclinica: what needs two dialects"},
		},
		{
			name:   "the registry imports HTTP and SQL",
			path:   "internal/registry/service.go",
			source: "package registry\nimport (\n\"database/sql/driver\"\n\"net/http\"\n)",
			want: []string{
				"internal/registry/service.go:3: registry may not import database/sql/driver: SQL stays",
				"internal/registry/service.go:4: registry may not import net/http: HTTP stays",
			},
		},
		{
			name:   "a module of another room",
			path:   "internal/store/store.go",
			source: "package store\nimport _ \"modernc.org/sqlite\"",
			want:   []string{"internal/store/store.go:2: store may not import modernc.org/sqlite: the import table does not"},
		},
		{
			name:   "a path that only begins alike",
			path:   "internal/store/sqlite/open.go",
			source: "package sqlite\nimport _ \"modernc.org/sqlite3\"",
			want:   []string{"internal/store/sqlite/open.go:2: store/sqlite may not import modernc.org/sqlite3:"},
		},
		{
			name:   "a module for tests in the program",
			path:   "internal/jobs/worker.go",
			source: "package jobs\nimport \"github.com/google/go-cmp/cmp\"",
			want:   []string{"internal/jobs/worker.go:2: jobs may not import github.com/google/go-cmp/cmp:"},
		},
		{
			name:   "an unknown package",
			path:   "internal/billing/bill.go",
			source: "package billing",
			want:   []string{"internal/billing/bill.go: package billing is not in the import table: add a row"},
		},
		{
			name:   "an import of an unknown package",
			path:   "internal/cli/main.go",
			source: "package cli\nimport \"rollcall/internal/billing\"",
			want:   []string{"internal/cli/main.go:2: cli may not import rollcall/internal/billing: it is not in the import table"},
		},
		{
			name:   "a dot import",
			path:   "internal/fault/fault.go",
			source: "package fault\nimport . \"strings\"",
			want:   []string{"internal/fault/fault.go:2: fault may not import strings: name what you use"},
		},
		{
			name:   "the clock in the registry, renamed",
			path:   "internal/registry/decide.go",
			source: "package registry\nimport clock \"time\"\nvar now = clock.Now()",
			want:   []string{"internal/registry/decide.go:3: clock.Now: take the clock"},
		},
		{
			name:   "the clock in a test and in the command line",
			path:   "internal/registry/decide_test.go",
			source: "package registry\nimport \"time\"\nvar now = time.Now()",
		},
		{
			name:   "randomness in the registry",
			path:   "internal/registry/decide.go",
			source: "package registry\nimport (\n\"crypto/rand\"\n\"github.com/google/uuid\"\n)\nvar a, b = rand.Text(), uuid.New()",
			want: []string{
				"internal/registry/decide.go:6: rand.Text: Decide is pure",
				"internal/registry/decide.go:6: uuid.New: Decide is pure",
			},
		},
		{
			name:   "randomness where secrets are drawn",
			path:   "internal/registry/secrets.go",
			source: "package registry\nimport \"crypto/rand\"\nvar a = rand.Text()",
		},
		{
			name:   "unseeded and seeded randomness",
			path:   "internal/jobs/worker.go",
			source: "package jobs\nimport \"math/rand/v2\"\nvar a, b = rand.IntN(2), rand.New(rand.NewPCG(1, 2))",
			want:   []string{"internal/jobs/worker.go:3: rand.IntN: draw from"},
		},
		{
			name:   "printing outside cli",
			path:   "internal/store/store.go",
			source: "package store\nimport \"fmt\"\nfunc f() { fmt.Println(fmt.Sprint(1)) }",
			want:   []string{"internal/store/store.go:3: fmt.Println: write to an io.Writer"},
		},
		{
			name:   "printing in cli",
			path:   "internal/cli/version.go",
			source: "package cli\nimport \"fmt\"\nfunc f() { fmt.Println() }",
		},
		{
			name:   "global clients and loggers",
			path:   "internal/cli/serve.go",
			source: "package cli\nimport (\n\"log/slog\"\n\"net/http\"\n)\nfunc f() { http.Get(\"\"); slog.Info(\"\") }",
			want: []string{
				"internal/cli/serve.go:6: http.Get: make a client",
				"internal/cli/serve.go:6: slog.Info: log to a",
			},
		},
		{
			name:   "too long",
			path:   "internal/fault/fault.go",
			source: "package fault\n" + long,
			want:   []string{"internal/fault/fault.go: 501 lines, at most 500"},
		},
		{
			name:   "just long enough, and a long test",
			path:   "internal/fault/fault.go",
			source: "package fault" + long,
		},
		{
			name:   "an empty file name",
			path:   "internal/fault/test_helpers.go",
			source: "package fault",
			want:   []string{`internal/fault/test_helpers.go: "helpers" says nothing`},
		},
		{
			name:   "an empty package name",
			path:   "internal/fault/fault.go",
			source: "package util",
			want:   []string{`internal/fault/fault.go: "util" says nothing`},
		},
		{
			name:   "an init function, and a method of that name",
			path:   "internal/fault/fault.go",
			source: "package fault\ntype T int\nfunc (T) init() {}\nfunc init() {}",
			want:   []string{"internal/fault/fault.go:4: func init"},
		},
		{
			name:   "a skipped test",
			path:   "internal/fault/fault_test.go",
			source: "package fault\nimport \"testing\"\nfunc TestA(t *testing.T) { t.Skip(\"later\") }",
			want:   []string{"internal/fault/fault_test.go:3: no test is skipped"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, err := parse(tt.path, tt.source)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, rule := range rules {
				got = append(got, rule.check(f)...)
			}
			for i := range got {
				if i < len(tt.want) && strings.HasPrefix(got[i], tt.want[i]) {
					got[i] = tt.want[i]
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("breaches (-want +got):\n%s", diff)
			}
		})
	}
}

func TestMissingPackageCommentIsFound(t *testing.T) {
	t.Parallel()
	var files []*file
	for p, source := range map[string]string{
		"internal/audit/audit.go": "package audit",
		"internal/audit/more.go":  "package audit",
		"internal/fault/doc.go":   "// Package fault owns faults.\npackage fault",
		"internal/fault/fault.go": "package fault",
	} {
		f, err := parse(p, source)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	want := []string{"audit: no package comment: say what the package owns and what it does not know"}
	if diff := cmp.Diff(want, undocumented(files)); diff != "" {
		t.Errorf("breaches (-want +got):\n%s", diff)
	}
}
