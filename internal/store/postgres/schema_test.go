package postgres_test

import (
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"rollcall/internal/fault"
	"rollcall/internal/store/postgres"
)

// connect opens a plain connection.
func connect(t testing.TB, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

// texts reads the one text of each row.
func texts(t testing.TB, conn *pgx.Conn, query string) []string {
	t.Helper()
	rows, err := conn.Query(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestKeysLeadWithTheStudy: every primary key and unique index leads with study_id, so that the
// tables can be spread by study. The table in which the migrations are counted is not ours.
func TestKeysLeadWithTheStudy(t *testing.T) {
	t.Parallel()
	conn := connect(t, migrated(t))
	keys := texts(t, conn, `SELECT c.relname || ': ' || i.relname || ' leads with ' || coalesce(a.attname, 'an expression')
		FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class c ON c.oid = x.indrelid
		JOIN pg_namespace n ON n.oid = c.relnamespace
		LEFT JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = x.indkey[0]
		WHERE n.nspname = 'public' AND (x.indisunique OR x.indisprimary) AND c.relname <> 'goose_db_version'
		ORDER BY 1`)
	if len(keys) < 20 {
		t.Fatalf("only %d keys are found: %q", len(keys), keys)
	}
	for _, key := range keys {
		if !strings.HasSuffix(key, " leads with study_id") {
			t.Error(key)
		}
	}
	without := texts(t, conn, `SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = 'public' AND relkind = 'r' AND relname <> 'goose_db_version'
		AND NOT EXISTS (SELECT 1 FROM pg_index x WHERE x.indrelid = c.oid AND x.indisprimary)`)
	if len(without) > 0 {
		t.Errorf("tables without a primary key: %q", without)
	}
}

// schema lists every column, index and constraint.
func schema(t testing.TB, conn *pgx.Conn) []string {
	t.Helper()
	return texts(t, conn, `
		SELECT 'column ' || table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(column_default, '') ||
		       ' ' || is_identity || ' ' || coalesce(collation_name, '')
		FROM information_schema.columns WHERE table_schema = 'public'
		UNION ALL SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
		UNION ALL SELECT 'constraint ' || conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint
		WHERE connamespace = 'public'::regnamespace
		UNION ALL SELECT 'extension ' || extname FROM pg_extension ORDER BY 1`)
}

// TestSeveralNodesMigrateOnce: nodes that start at once on an empty database all find the same
// schema, and each migration has run once.
func TestSeveralNodesMigrateOnce(t *testing.T) {
	t.Parallel()
	url := server.Database(t)
	var group sync.WaitGroup
	for range 6 {
		group.Go(func() {
			db, err := postgres.Open(t.Context(), postgres.Config{URL: url, Migrate: true})
			if err != nil {
				t.Errorf("open: %v", err)
				return
			}
			defer db.Close()
			if err := db.Ready(t.Context()); err != nil {
				t.Errorf("ready: %v", err)
			}
		})
	}
	group.Wait()
	conn := connect(t, url)
	runs := texts(t, conn, "SELECT version_id || ' ran ' || count(*) || ' times' FROM goose_db_version GROUP BY version_id HAVING count(*) > 1")
	if len(runs) > 0 {
		t.Errorf("%q", runs)
	}
	if diff := cmp.Diff(schema(t, connect(t, migrated(t))), schema(t, conn)); diff != "" {
		t.Errorf("the schema (-alone +together):\n%s", diff)
	}
}

// TestNewerSchema: a node that is older than the schema refuses to start, and says so; one that
// runs already is no longer ready.
func TestNewerSchema(t *testing.T) {
	t.Parallel()
	url := migrated(t)
	running := open(t, url)
	if _, err := connect(t, url).Exec(t.Context(), "INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, true)"); err != nil {
		t.Fatal(err)
	}
	for _, migrate := range []bool{false, true} {
		db, err := postgres.Open(t.Context(), postgres.Config{URL: url, Migrate: migrate})
		if err == nil {
			_ = db.Close()
			t.Fatal("an older node opens a newer schema")
		}
		f := fault.As(err)
		if f.Code != postgres.DatabaseNewer || !strings.Contains(err.Error(), "schema version 999") || f.Hint == "" {
			t.Errorf("%v (hint %q)", err, f.Hint)
		}
	}
	if err := running.Ready(t.Context()); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("ready: %v, want Unavailable", err)
	}
}

// TestUnfit: what cannot hold a registry is refused with words that help, and without the
// password.
func TestUnfit(t *testing.T) {
	t.Parallel()
	super := server.Server(t)
	latin := server.Database(t)
	_ = super
	for _, c := range []struct {
		name, url string
		kind      fault.Kind
	}{
		{"no URL", "postgres://user:geheim@host:port/x", fault.Invalid},
		{"nobody listens", "postgres://user:geheim@127.0.0.1:1/x?sslmode=disable", fault.Unavailable},
		{"no such database", strings.Replace(latin, "?", "_missing?", 1), fault.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			db, err := postgres.Open(t.Context(), postgres.Config{URL: c.url})
			if err == nil {
				_ = db.Close()
				t.Fatal("it opens")
			}
			if got := fault.KindOf(err); got != c.kind {
				t.Errorf("%s: %v, want %s", got, err, c.kind)
			}
			if strings.Contains(err.Error(), "geheim") {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}
