package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
)

// oldest is the oldest major version of PostgreSQL that the tests run on.
const oldest = 15

// howToInstall ends the messages about a program that is missing.
const howToInstall = "run scripts/install-test-needs.sh (make test does)"

// findPostgres answers the folder of PostgreSQL's programs: of Debian's versions the newest,
// else the one in the PATH.
func findPostgres(ctx context.Context) (string, error) {
	const debian = "/usr/lib/postgresql"
	entries, err := os.ReadDir(debian)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	newest, bin := 0, ""
	for _, entry := range entries {
		dir := filepath.Join(debian, entry.Name(), "bin")
		version, err := strconv.Atoi(entry.Name())
		if err != nil || version <= newest || !complete(dir) {
			continue
		}
		newest, bin = version, dir
	}
	if newest == 0 {
		newest, bin = inPath(ctx)
	}
	if newest < oldest {
		return "", fmt.Errorf("PostgreSQL %d or newer is not installed: %s", oldest, howToInstall)
	}
	return bin, nil
}

// complete tells whether the folder has the programs of a server.
func complete(dir string) bool {
	for _, name := range []string{"initdb", "pg_basebackup", "postgres"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// inPath answers the major version and folder of the programs in the PATH, 0 if there are none.
func inPath(ctx context.Context) (version int, dir string) {
	postgres, err := exec.LookPath("postgres")
	if err != nil {
		return 0, ""
	}
	if real, err := filepath.EvalSymlinks(postgres); err == nil {
		postgres = real
	}
	dir = filepath.Dir(postgres)
	said, err := exec.CommandContext(ctx, postgres, "--version").Output()
	if err != nil || !complete(dir) {
		return 0, ""
	}
	version, err = strconv.Atoi(string(regexp.MustCompile(`\d+`).Find(said)))
	if err != nil {
		return 0, ""
	}
	return version, dir
}

// findPgBouncer answers the path of PgBouncer, which Debian keeps where only root looks.
func findPgBouncer() (string, error) {
	for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer", "/usr/local/sbin/pgbouncer"} {
		if found, err := exec.LookPath(name); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("PgBouncer is not installed: %s", howToInstall)
}
