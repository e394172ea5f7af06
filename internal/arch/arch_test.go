package arch

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const root = "../.."

// sources parses every Go file of the program, its tests included.
func sources(t *testing.T) []*file {
	t.Helper()
	var files []*file
	for _, top := range []string{"bench", "cmd", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && d.Name() == "testdata" {
				return fs.SkipDir
			}
			if d.IsDir() || !strings.HasSuffix(p, ".go") {
				return nil
			}
			f, err := parse(slashed(p), read(t, p))
			if err != nil {
				return err
			}
			files = append(files, f)
			return nil
		})
		if err != nil {
			t.Fatalf("read the sources: %v", err)
		}
	}
	if len(files) == 0 {
		t.Fatal("no sources found")
	}
	return files
}

func slashed(p string) string {
	return strings.TrimPrefix(filepath.ToSlash(p), root+"/")
}

func read(t *testing.T, p string) string {
	t.Helper()
	text, err := os.ReadFile(p)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheHouse(t *testing.T) {
	t.Parallel()
	files := sources(t)
	for _, rule := range rules {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			for _, f := range files {
				for _, breach := range rule.check(f) {
					t.Error(breach)
				}
			}
		})
	}
	t.Run("package comments", func(t *testing.T) {
		t.Parallel()
		for _, breach := range undocumented(files) {
			t.Error(breach)
		}
	})
}

// TestTheTable holds the table itself to what the rest of the house relies on.
func TestTheTable(t *testing.T) {
	t.Parallel()
	for from, row := range rooms {
		for _, to := range row.ours {
			if _, ok := rooms[to]; !ok {
				t.Errorf("%s may import %s, which has no row", from, to)
			}
			if reaches(to, from, map[string]bool{}) {
				t.Errorf("%s and %s may import each other: imports go one way", from, to)
			}
			if isDialect(from) && (isDialect(to) || strings.HasPrefix(to, "store") || to == "web") {
				t.Errorf("the dialect %s may import %s", from, to)
			}
		}
	}
	for _, guarded := range rooms["registry"].guarded {
		t.Errorf("the registry may import %s", guarded)
	}
}

// reaches tells whether the table leads from one room to another.
func reaches(from, to string, seen map[string]bool) bool {
	if from == to {
		return true
	}
	if seen[from] {
		return false
	}
	seen[from] = true
	for _, next := range rooms[from].ours {
		if reaches(next, to, seen) {
			return true
		}
	}
	return false
}
