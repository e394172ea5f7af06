package sqlite

import (
	"go/build"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"testing"

	sqlitedriver "modernc.org/sqlite"
)

// TestLibc: the C library that is linked is the one that the SQLite driver was made with. Any
// other is untested by its makers, and a tool that updates dependencies may bring one in.
func TestLibc(t *testing.T) {
	t.Parallel()
	linked := required(t, filepath.Join("..", "..", "..", "go.mod"), "modernc.org/libc")
	wanted := required(t, filepath.Join(driverDir(t), "go.mod"), "modernc.org/libc")
	if linked != wanted {
		t.Errorf("modernc.org/libc is %s, but modernc.org/sqlite wants %s", linked, wanted)
	}
}

// required reads the version of a module out of a go.mod file.
func required(t *testing.T, path, module string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^(?:require)?\s*` + regexp.QuoteMeta(module) + `\s+(v\S+)`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("%s does not require %s", path, module)
	}
	return string(found[1])
}

// driverDir is the source directory of the SQLite driver that is linked.
func driverDir(t *testing.T) string {
	t.Helper()
	entry := reflect.ValueOf(sqlitedriver.NewConnector).Pointer()
	file, _ := runtime.FuncForPC(entry).FileLine(entry)
	if filepath.IsAbs(file) {
		return filepath.Dir(file)
	}
	cache := os.Getenv("GOMODCACHE") // a build with -trimpath names files from there on
	if cache == "" {
		cache = filepath.Join(filepath.SplitList(build.Default.GOPATH)[0], "pkg", "mod")
	}
	return filepath.Join(cache, filepath.Dir(file))
}
