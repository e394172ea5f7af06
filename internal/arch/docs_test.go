package arch

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/registry"
)

// directDependencies reads the modules that go.mod requires directly.
func directDependencies(goMod string) []string {
	var modules []string
	for line := range strings.Lines(goMod) {
		fields := strings.Fields(strings.TrimPrefix(line, "require "))
		if len(fields) == 2 && strings.HasPrefix(fields[1], "v") {
			modules = append(modules, fields[0])
		}
	}
	slices.Sort(modules)
	return modules
}

// firstCells reads the first cells, written as code, of the rows of a document's tables.
func firstCells(document string) []string {
	var cells []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` ").FindAllStringSubmatch(document, -1) {
		cells = append(cells, m[1])
	}
	slices.Sort(cells)
	return cells
}

func TestDirectDependenciesAreArguedFor(t *testing.T) {
	t.Parallel()
	want := directDependencies(read(t, filepath.Join(root, "go.mod")))
	got := firstCells(read(t, filepath.Join(root, "docs", "dependencies.md")))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/dependencies.md must have one row for each direct dependency (-go.mod +document):\n%s", diff)
	}
}

func TestDirectDependencies(t *testing.T) {
	t.Parallel()
	const goMod = "module rollcall\n\ngo 1.26.0\n\nrequire (\n\tb.example/b v1.0.0\n\tc.example/c v1.0.0 // indirect\n)\n\nrequire a.example/a v0.1.0\n"
	if diff := cmp.Diff([]string{"a.example/a", "b.example/b"}, directDependencies(goMod)); diff != "" {
		t.Errorf("direct dependencies (-want +got):\n%s", diff)
	}
}

// TestGlossaryNamesEveryField holds the table of fields in the glossary to the registry's.
func TestGlossaryNamesEveryField(t *testing.T) {
	t.Parallel()
	var want []string
	for _, f := range registry.Fields() {
		want = append(want, f.String())
	}
	slices.Sort(want)
	got := firstCells(read(t, filepath.Join(root, "docs", "glossary.md")))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/glossary.md must have one row for each field (-registry +document):\n%s", diff)
	}
}

// TestDecisionsAreIndexed holds the index of docs/adr to the records in it.
func TestDecisionsAreIndexed(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(root, "docs", "adr")
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, e := range entries {
		if e.Name() == "README.md" {
			continue
		}
		status := regexp.MustCompile(`(?m)^Status: (proposed|accepted|superseded|rejected)\b`).
			FindStringSubmatch(read(t, filepath.Join(dir, e.Name())))
		if status == nil {
			t.Errorf("docs/adr/%s has no line that gives one of the four statuses", e.Name())
			continue
		}
		want = append(want, e.Name()+" "+status[1])
	}
	var got []string
	row := regexp.MustCompile(`(?m)^\| \[\d{4}\]\(([^)]+)\) \|[^|]+\| (\w+)`)
	for _, m := range row.FindAllStringSubmatch(read(t, filepath.Join(dir, "README.md")), -1) {
		got = append(got, m[1]+" "+m[2])
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("docs/adr/README.md must list every record with its status (-records +index):\n%s", diff)
	}
}

var relativeLink = regexp.MustCompile(`\]\(([^)#:\s]+)(?:#[^)]*)?\)`)

// TestLinksLeadSomewhere follows every relative link of every document.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	documents := 0
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && p != root) {
			return fs.SkipDir
		}
		if d.IsDir() || filepath.Ext(p) != ".md" {
			return nil
		}
		documents++
		for _, m := range relativeLink.FindAllStringSubmatch(read(t, p), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(p), filepath.FromSlash(m[1]))); err != nil {
				t.Errorf("%s: the link to %s leads nowhere", slashed(p), m[1])
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if documents == 0 {
		t.Error("no documents found")
	}
}
