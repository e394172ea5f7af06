//go:build unix

package cli_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"rollcall/internal/access"
	"rollcall/internal/files"
	"rollcall/internal/files/s3test"
	"rollcall/internal/jobs"
	"rollcall/internal/store"
	"rollcall/internal/store/pgtest"
)

// nodesStudy is the study of the tests with several nodes. Its key's file lies beside it.
const nodesStudy = `
studies:
  - oid: S_JUNO
    guid: 6f2b0d5e-3a0c-4f0e-9c6b-2f6f0d7c1a11
    name: Juno
    participate: active
    sites:
      - {oid: S_BOSTON, code: BOSTON, name: Boston General}
      - {oid: S_OHIO, code: OHIO, name: Ohio Valley Clinic}
users:
  - {username: dana, password: correct-horse, roles: [{study: S_JUNO, role: data manager}]}
serviceAccounts:
  - {name: MyDataHelps.1.first, studies: [S_JUNO], publicKeyFiles: [key.pem]}
  - {name: MyDataHelps.1.second, studies: [S_JUNO], publicKeyFiles: [key.pem]}
`

const (
	studyPath    = "/pages/auth/api/clinicaldata/studies/S_JUNO"
	projectPath  = "/api/v1/administration/projects/6f2b0d5e-3a0c-4f0e-9c6b-2f6f0d7c1a11/participants"
	firstAccount = "MyDataHelps.1.first"
)

// takeover is how long a job may rest after the node that worked on it was killed or stopped.
const takeover = 30 * time.Second

// cluster is what nodes share: a database, a bucket, and in a test also a log.
type cluster struct {
	*place
	shared []string // flags that name the database and the bucket
	bucket *s3test.Server
	store  store.Store // the database, opened beside the nodes
	key    *rsa.PrivateKey
}

// newCluster makes a registry of nodesStudy in a new database and a new bucket.
func newCluster(t *testing.T, postgres *pgtest.Server) *cluster {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := access.PublicKeyPEM(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	database, bucket := postgres.Database(t), s3test.Start(t)
	c := &cluster{
		place: emptyPlace(t), shared: []string{"--database-url", database, "--files-url", bucket.URL()},
		bucket: bucket, key: key,
	}
	study := filepath.Join(c.dir, "juno.yaml")
	for path, text := range map[string]string{study: nodesStudy, filepath.Join(c.dir, "key.pem"): public} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c.run("apply", "-f", study, "--database-url", database)
	c.token = strings.TrimSpace(c.run("token", "--user", "dana", "--database-url", database))
	if c.store, err = store.Open(t.Context(), store.Config{DatabaseURL: database}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.store.Close() })
	return c
}

// node is one server of a cluster.
type node struct {
	*running
	id string // the name under which it holds jobs
}

// node starts a node with a data directory of its own.
func (c *cluster) node(name string, flags ...string) *node {
	c.t.Helper()
	own := *c.place
	own.dir = filepath.Join(c.dir, name)
	if err := os.MkdirAll(own.dir, 0o700); err != nil {
		c.t.Fatal(err)
	}
	n := &node{running: own.start(slices.Concat(c.shared, flags)...)}
	text, err := os.ReadFile(filepath.Join(own.data(), "node-id"))
	if err != nil {
		c.t.Fatal(err)
	}
	n.id = strings.TrimSpace(string(text))
	return n
}

// as is the node for a client with another token.
func (n *node) as(token string) *node {
	at, process := *n.place, *n.running
	at.token = token
	process.place = &at
	return &node{running: &process, id: n.id}
}

// stop stops the node in good order.
func (n *node) stop() {
	n.t.Helper()
	n.signal(syscall.SIGTERM)
	if err := n.end(); err != nil {
		n.t.Fatalf("stop a node: %v", err)
	}
}

// by waits for a condition until a deadline.
func (c *cluster) by(deadline time.Time, what string, met func() bool) {
	c.t.Helper()
	for !met() {
		if time.Now().After(deadline) {
			c.t.Fatalf("%s: not in time", what)
		}
		time.Sleep(20 * time.Millisecond) // other processes, which send no signal
	}
}

// within waits for a condition for so long.
func (c *cluster) within(d time.Duration, what string, met func() bool) {
	c.t.Helper()
	c.by(time.Now().Add(d), what, met)
}

// stored is the job as it is in the database.
func (c *cluster) stored(job string) *jobs.Job {
	c.t.Helper()
	stored, err := c.store.Job(c.t.Context(), uuid.MustParse(job))
	if err != nil {
		c.t.Fatal(err)
	}
	return stored
}

// takesOver waits until the node has got on with a job that another one held, at most until
// the time that the other has got since.
func (c *cluster) takesOver(n *node, job string, since time.Time) {
	c.t.Helper()
	rows := int64(-1)
	c.by(since.Add(takeover), "the other node goes on with the job", func() bool {
		stored := c.stored(job)
		if stored.Node != n.id {
			return false
		}
		if rows < 0 {
			rows = stored.Rows
		}
		return n.job(job).Rows > rows
	})
	c.t.Logf("the other node went on after %s", time.Since(since).Round(100*time.Millisecond))
}

// ended waits until the job has ended, as the node tells it.
func (c *cluster) ended(n *node, job string, within time.Duration) {
	c.t.Helper()
	c.within(within, "the job ends", func() bool { return n.job(job).Status != "IN_PROGRESS" })
}

// verify checks database and files as an operator does, once the database knows by its statistics
// how large its tables have become, which autovacuum sees to within minutes.
func (c *cluster) verify(n *node) {
	c.t.Helper()
	conn, err := pgx.Connect(c.t.Context(), c.shared[1])
	if err != nil {
		c.t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(c.t.Context()))
	if _, err := conn.Exec(c.t.Context(), "ANALYZE"); err != nil {
		c.t.Fatal(err)
	}
	c.run("audit", "verify", c.shared[0], c.shared[1])
	c.run(append([]string{"doctor", "--data-dir", n.data()}, c.shared...)...)
}

// keys lists what is in the bucket, but for the mark of the registry.
func (c *cluster) keys() []string {
	c.t.Helper()
	list, err := c.bucket.Client().ListObjectsV2(c.t.Context(), &s3.ListObjectsV2Input{Bucket: &c.bucket.Bucket})
	if err != nil {
		c.t.Fatal(err)
	}
	var keys []string
	for _, object := range list.Contents {
		if !strings.HasPrefix(*object.Key, files.MarkKey("")) {
			keys = append(keys, *object.Key)
		}
	}
	return keys
}

// object reads what is in the bucket under a key.
func (c *cluster) object(key string) []byte {
	c.t.Helper()
	object, err := c.bucket.Client().GetObject(c.t.Context(), &s3.GetObjectInput{Bucket: &c.bucket.Bucket, Key: &key})
	if err != nil {
		c.t.Fatal(err)
	}
	defer object.Body.Close()
	text, err := io.ReadAll(object.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}

// logged counts the lines of all nodes' log that hold the words.
func (c *cluster) logged(words string) int { return strings.Count(c.logText(), words) }

// assertion is what a service account signs in with, once.
func (c *cluster) assertion(account string) string {
	c.t.Helper()
	text, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": account, "sub": account, "aud": "https://mydatahelps.org/identityserver/connect/token",
		"exp": time.Now().Add(200 * time.Second).Unix(), "jti": uuid.NewString(),
	}).SignedString(c.key)
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}

// exchange signs a service account in; the token is empty unless the status is 200.
func (n *node) exchange(assertion string) (status int, token string) {
	n.t.Helper()
	form := url.Values{
		"scope": {"api"}, "grant_type": {"client_credentials"}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
	status, text := n.ask(http.MethodPost, "/identityserver/connect/token", strings.NewReader(form.Encode()), "application/x-www-form-urlencoded")
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		n.t.Fatalf("token: %d %s", status, text)
	}
	return status, answer.Token
}

// service is the node for a service account, which signs in there.
func (c *cluster) service(n *node, account string) *node {
	c.t.Helper()
	status, token := n.exchange(c.assertion(account))
	if status != http.StatusOK {
		c.t.Fatalf("a service account signs in: %d", status)
	}
	return n.as(token)
}

// signIn signs dana in.
func (n *node) signIn(password string) (status int, answer string) {
	n.t.Helper()
	body := fmt.Sprintf(`{"username":"dana","password":%q}`, password)
	status, text := n.ask(http.MethodPost, "/user-service/api/oauth/token", strings.NewReader(body), "application/json")
	return status, string(text)
}

// addPerson adds a participant at S_BOSTON.
func (n *node) addPerson(identifier, firstName string) (status int, text []byte) {
	n.t.Helper()
	body := fmt.Sprintf(`{"subjectKey":%q,"firstName":%q}`, identifier, firstName)
	return n.ask(http.MethodPost, sitePath, strings.NewReader(body), "application/json")
}

// putPerson adds or changes a participant as a service account.
func (n *node) putPerson(identifier, firstName string) (status int, text []byte) {
	n.t.Helper()
	body := fmt.Sprintf(`{"participantIdentifier":%q,"demographics":{"firstName":%q}}`, identifier, firstName)
	return n.ask(http.MethodPut, projectPath, strings.NewReader(body), "application/json")
}

// removePerson deletes a participant as a service account that signs in anew.
func (n *node) removePerson(c *cluster, identifier string) (status int, text []byte) {
	n.t.Helper()
	return c.service(n, firstAccount).ask(http.MethodDelete, projectPath+"/"+identifier, nil, "")
}

// reads checks what a service account reads of a participant.
func (n *node) reads(identifier string, wantStatus int, want string) {
	n.t.Helper()
	status, text := n.ask(http.MethodGet, projectPath+"/"+identifier, nil, "")
	if status != wantStatus || !strings.Contains(string(text), want) {
		n.t.Errorf("%s: %d %s, want %d and %s in it", identifier, status, text, wantStatus, want)
	}
}
