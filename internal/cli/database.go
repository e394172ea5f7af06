package cli

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"rollcall/internal/files"
	"rollcall/internal/store"
)

// The data directories where none is named.
const (
	defaultDataDir = "rollcall-data"
	demoDataDir    = "rollcall-demo"
)

// databaseFlags say which registry a command works on.
type databaseFlags struct {
	DataDir         string `placeholder:"DIR" help:"The data directory; ./rollcall-data if not given."`
	DatabaseURL     string `name:"database-url" placeholder:"URL" help:"The database, if it is not the one in the data directory."`
	DatabaseURLFile string `name:"database-url-file" placeholder:"FILE" help:"A file that holds the database URL."`
}

// filesFlags say where uploads, logs and extracts are kept.
type filesFlags struct {
	FilesURL     string `name:"files-url" placeholder:"URL" help:"Where uploads, logs and extracts are kept, if not in the data directory: s3://bucket, azblob://container or file:///folder. Nodes that share a database share this too."`
	FilesURLFile string `name:"files-url-file" placeholder:"FILE" help:"A file that holds the files URL."`
}

// openFiles opens the place of the files; without an address it is the data directory.
func (f *filesFlags) openFiles(ctx context.Context, dir string) (*files.Files, error) {
	url, err := secret("files-url", f.FilesURL, f.FilesURLFile)
	if err != nil {
		return nil, err
	}
	return files.Open(ctx, files.Config{URL: url, Dir: dir})
}

func (d *databaseFlags) dir() string {
	if d.DataDir == "" {
		return defaultDataDir
	}
	return d.DataDir
}

func (d *databaseFlags) config() (store.Config, error) {
	url, err := secret("database-url", d.DatabaseURL, d.DatabaseURLFile)
	if err != nil {
		return store.Config{}, err
	}
	return store.Config{DatabaseURL: url, DataDir: d.dir(), Logger: slog.New(slog.DiscardHandler)}, nil
}

// open opens a registry that exists, has this program's schema, and may be served meanwhile.
func (d *databaseFlags) open(ctx context.Context) (store.Store, error) {
	c, err := d.config()
	if err != nil {
		return nil, err
	}
	if c.DatabaseURL == "" {
		if _, err := os.Stat(filepath.Join(d.dir(), store.FileName)); errors.Is(err, fs.ErrNotExist) {
			return nil, wrong("there is no registry in %s", d.dir()).
				withHint("name its folder with --data-dir; rollcall serve and rollcall apply make a new one")
		}
	} else if _, err := sourceFile(c.DatabaseURL); err != nil {
		return nil, err
	}
	st, err := store.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := usable(ctx, st); err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return st, nil
}

// sourceFile is the file of an SQLite address, which must exist: opening it would make a new one.
// It is "" for a server.
func sourceFile(url string) (string, error) {
	path, err := store.File(url)
	if err != nil || path == "" {
		return "", err
	}
	if _, err := os.Stat(path); err != nil {
		return "", wrong("there is no registry at %s", path).withHint("rollcall serve and rollcall apply make a new one")
	}
	return path, nil
}

// usable answers an error for a registry that has another schema, or is half a copy.
func usable(ctx context.Context, st store.Store) error {
	if err := st.Ready(ctx); err != nil {
		return err
	}
	return st.Whole(ctx)
}

// openOrMake opens a registry as open does, and makes a new one if there is none.
func (d *databaseFlags) openOrMake(ctx context.Context) (store.Store, error) {
	c, err := d.config()
	if err != nil {
		return nil, err
	}
	st, err := store.Open(ctx, c)
	if err != nil {
		return nil, err
	}
	version, err := st.SchemaVersion(ctx)
	if err == nil && version == 0 {
		_, _, err = st.Migrate(ctx)
	}
	if err == nil {
		err = usable(ctx, st)
	}
	if err != nil {
		return nil, errors.Join(err, st.Close())
	}
	return st, nil
}

// maxSecret is how many bytes of a secret's file are read.
const maxSecret = 64 << 10

// secret is the value of a flag, or of the file that its twin names: the flag's name with
// -file, ROLLCALL_..._FILE in the environment. The file's last line break is not part of it.
func secret(flag, value, file string) (string, error) {
	if file == "" {
		return value, nil
	}
	if value != "" {
		return "", wrong("both --%s and --%s-file are given", flag, flag).
			withHint("give one of them; each may also come from the environment")
	}
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", wrong("%s: there is no such file", file).withHint("--%s-file names it", flag)
	case err != nil:
		return "", wrong("%s: %v", file, err)
	case info.Size() > maxSecret:
		return "", wrong("%s: too large for a secret", file).withHint("--%s-file names it", flag)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", wrong("%s: %v", file, err)
	}
	value = strings.TrimRight(string(text), "\r\n")
	if value == "" {
		return "", wrong("%s: the file is empty", file).withHint("--%s-file names it", flag)
	}
	return value, nil
}
