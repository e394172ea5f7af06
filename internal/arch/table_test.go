package arch

// room is one row of the import table: what the code of a package that is not a test may
// import. Rooms are named by their directory below internal, or by their directory.
type room struct {
	ours    []string // other rooms
	modules []string // third-party packages, by the beginning of their import path
	guarded []string // standard packages that only some rooms may import, see guardedStd
}

// Third-party packages. docs/dependencies.md says why each module is there.
const (
	aws        = "github.com/aws/aws-sdk-go-v2"
	cel        = "cel.dev/cel-go"
	cdproto    = "github.com/chromedp/cdproto"
	chromedp   = "github.com/chromedp/chromedp"
	gocloud    = "gocloud.dev"
	goCmp      = "github.com/google/go-cmp"
	goose      = "github.com/pressly/goose/v3"
	jsontext   = "github.com/go-json-experiment/json/jsontext" // not the rest of the module
	jwt        = "github.com/golang-jwt/jwt/v5"
	kinOpenAPI = "github.com/getkin/kin-openapi"
	libc       = "modernc.org/libc"
	kong       = "github.com/alecthomas/kong"
	pgx        = "github.com/jackc/pgx/v5"
	porcupine  = "github.com/anishathalye/porcupine"
	prometheus = "github.com/prometheus/client_golang"
	rapid      = "pgregory.net/rapid"
	sqlite     = "modernc.org/sqlite"
	term       = "golang.org/x/term"
	testscript = "github.com/rogpeppe/go-internal/testscript"
	uuid       = "github.com/google/uuid"
	xcrypto    = "golang.org/x/crypto"
	yaml       = "github.com/goccy/go-yaml"
)

// dialect is the row of every wire dialect. Dialects never import each other, a store or web:
// they translate between their wire and the registry, and what two of them share belongs
// below both.
var dialect = room{
	ours:    []string{"access", "audit", "fault", "httpx", "jobs", "registry"},
	modules: []string{jsontext, uuid},
	guarded: []string{"net/http"},
}

// rooms is the import table. What it does not name is forbidden.
var rooms = map[string]room{
	"fault": {},
	"audit": {modules: []string{uuid}},
	"registry": {
		ours:    []string{"audit", "fault"},
		modules: []string{uuid},
	},
	"segment": {
		ours:    []string{"audit", "fault", "jobs", "registry"},
		modules: []string{cel, uuid},
	},
	"access": {
		ours:    []string{"audit", "fault", "registry"},
		modules: []string{jwt, uuid, xcrypto},
	},
	"jobs": {
		ours:    []string{"audit", "fault", "registry"},
		modules: []string{uuid},
	},
	"config": {
		ours:    []string{"access", "audit", "fault", "registry", "segment"},
		modules: []string{uuid, yaml},
	},
	"files": {
		ours:    []string{"fault"},
		modules: []string{aws, gocloud, uuid},
		guarded: []string{"net/http"}, // the client of a bucket: its time limits and its statuses
	},
	"files/s3test": {
		modules: []string{aws},
		guarded: []string{"os/exec", "testing"},
	},
	"store": {
		ours: []string{
			"access", "audit", "config", "fault", "jobs", "registry", "store/postgres", "store/relational", "store/sqlite", "store/trail",
		},
		modules: []string{uuid},
	},
	"store/pgtest": { // test support: it starts PostgreSQL
		modules: []string{pgx},
		guarded: []string{"os/exec", "testing"},
	},
	"store/enginetest": { // test support: it runs tests on every engine
		ours:    []string{"store", "store/pgtest"},
		guarded: []string{"testing"},
	},
	"store/schema": {
		ours:    []string{"fault"},
		modules: []string{goose},
		guarded: []string{"database/sql"},
	},
	"store/relational": {
		ours:    []string{"access", "audit", "config", "fault", "jobs", "registry", "store/roster", "store/trail"},
		modules: []string{uuid},
		guarded: []string{"database/sql"},
	},
	"store/roster": {ours: []string{"registry"}, modules: []string{uuid}},
	"store/sqlite": {
		ours:    []string{"fault", "registry", "store/relational", "store/schema"},
		modules: []string{goose, libc, sqlite, uuid},
		guarded: []string{"database/sql"},
	},
	"store/postgres": {
		ours:    []string{"fault", "registry", "store/relational", "store/schema"},
		modules: []string{goose, pgx, uuid},
	},
	"store/storetest": {
		ours:    []string{"access", "audit", "config", "fault", "jobs", "registry", "store/trail"},
		modules: []string{goCmp, rapid, uuid},
		guarded: []string{"testing"},
	},
	"store/trail": {ours: []string{"audit", "registry"}},
	"httpx": {
		ours:    []string{"fault"},
		modules: []string{prometheus, uuid},
		guarded: []string{"net/http"},
	},
	"wire/openclinica": dialect,
	"wire/mydatahelps": dialect,
	"web": {
		ours:    []string{"access", "audit", "fault", "httpx", "jobs", "registry"},
		modules: []string{uuid, yaml},
		guarded: []string{"html/template", "net/http"},
	},
	"cli": {
		ours: []string{
			"access", "audit", "config", "fault", "files", "httpx", "jobs", "registry", "segment",
			"store", "store/postgres", "store/relational", "store/sqlite", "store/trail", "web", "wire/mydatahelps", "wire/openclinica",
		},
		modules: []string{kong, prometheus, term, uuid},
		guarded: []string{"net/http"},
	},
	"cmd/rollcall": {ours: []string{"cli"}},
	"bench": { // it runs the built program and knows nothing else of it
		ours:    []string{"store/pgtest"},
		modules: []string{jwt, pgx, sqlite, uuid},
		guarded: []string{"database/sql", "net/http", "os/exec"},
	},
	"arch": {},
}

// guardedStd are the standard packages that a room may import only if its row says so; the
// packages below them count too. The rest of the standard library is open to all.
var guardedStd = map[string]string{
	"C":             "the program is built without cgo",
	"database/sql":  "SQL stays in the store",
	"html/template": "pages stay in web",
	"log":           "log with log/slog",
	"math/rand":     "use math/rand/v2 with a seed that is passed in, or crypto/rand",
	"net/http":      "HTTP stays in the dialects, httpx, web and cli",
	"os/exec":       "the program starts no other programs",
	"testing":       "tests stay out of the program",
	"unsafe":        "nothing here needs it",
}

// A test file may import whatever its room may, the standard library, the modules below, and
// any room but those that testsMayNot names. So the tests of a dialect run on the real store.
var testModules = []string{aws, cdproto, chromedp, goCmp, jwt, kinOpenAPI, pgx, porcupine, rapid, testscript, uuid}

// testsMayNot tells why a test of one room may not import another, "" if it may.
func testsMayNot(from, to string) string {
	switch {
	case to == "cli" && from != "cmd/rollcall":
		return "what needs the whole program is tested in cli"
	case isDialect(from) && isDialect(to):
		return "what needs two dialects is tested in cli"
	}
	return ""
}

// name is an exported name of an imported package.
type name struct{ path, name string }

// reserved are names that only some rooms or files may use in code that is not a test.
// A place is a room, or a file below internal.
var reserved = []struct {
	names  []name
	except []string // places that may use them
	only   []string // if set, the places the rule is about; else all
	why    string
}{
	{
		names:  []name{{"time", "Now"}, {"time", "Since"}, {"time", "Until"}},
		except: []string{"bench", "cli"},
		why:    "take the clock as a func() time.Time",
	},
	{
		names:  []name{{"crypto/rand", "*"}},
		only:   []string{"registry"},
		except: []string{"registry/secrets.go", "registry/service.go"},
		why:    "Decide is pure: draw in the service and pass it in",
	},
	{
		names: []name{{uuid, "New"}, {uuid, "NewRandom"}, {uuid, "NewString"}, {uuid, "NewUUID"}, {uuid, "NewV6"}, {uuid, "NewV7"}},
		only:  []string{"registry"},
		why:   "Decide is pure: make identifiers from the seed that it is given",
	},
	{
		names:  []name{{"fmt", "Print"}, {"fmt", "Printf"}, {"fmt", "Println"}},
		except: []string{"cli"},
		why:    "write to an io.Writer that is passed in, or log",
	},
	{
		names: []name{
			{"net/http", "DefaultClient"}, {"net/http", "DefaultServeMux"}, {"net/http", "Get"}, {"net/http", "Head"},
			{"net/http", "Post"}, {"net/http", "PostForm"}, {"net/http", "Handle"}, {"net/http", "HandleFunc"},
		},
		why: "make a client with time limits, or a mux, of your own",
	},
	{
		names: []name{{"log/slog", "Default"}, {"log/slog", "SetDefault"}, {"log/slog", "Debug"}, {"log/slog", "Info"}, {"log/slog", "Warn"}, {"log/slog", "Error"}},
		why:   "log to a *slog.Logger that is passed in",
	},
}

// seededRandom are the only names of math/rand/v2 that code may use: its other functions draw
// from a source of the process.
var seededRandom = []string{"ChaCha8", "New", "NewChaCha8", "NewPCG", "PCG", "Rand", "Source"}

// emptyNames are words that say nothing about what a package or file holds.
var emptyNames = []string{"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}

// maxLines is how many lines a file that is not a test may have.
const maxLines = 500
