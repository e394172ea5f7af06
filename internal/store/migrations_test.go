package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMigrations: both engines have the same migrations, by number and by name, so that a
// schema version means the same on each.
func TestMigrations(t *testing.T) {
	t.Parallel()
	names := func(engine string) []string {
		entries, err := os.ReadDir(filepath.Join(engine, "migrations"))
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, entry := range entries {
			all = append(all, entry.Name())
		}
		return all
	}
	if diff := cmp.Diff(names("sqlite"), names("postgres")); diff != "" {
		t.Errorf("migrations (-sqlite +postgres):\n%s", diff)
	}
}
