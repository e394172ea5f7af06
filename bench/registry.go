package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// The study of the registries. The password is used by nobody: tokens come from rollcall token.
const (
	studyFile = `
studies:
  - oid: S_BENCH
    guid: 6f2b0d5e-3a0c-4f0e-9c6b-2f6f0d7c1a11
    identifier: BENCH
    name: Bench
    participate: active
    sites: [{oid: S_BOSTON, code: BOSTON, name: Boston General}]
    customFields:
      - {name: SecondaryIdentifier, type: text}
      - {name: Smoker, type: integer}
      - {name: FavoriteColor, type: text}
      - {name: Consented, type: boolean}
      - {name: Weight, type: decimal}
      - {name: SurgeryDate, type: date}
users:
  - {username: carla, password: not-used-by-anybody, roles: [{site: S_BOSTON, role: crc}]}
serviceAccounts:
  - {name: MyDataHelps.1.bench, studies: [S_BENCH], publicKeyFiles: [key.pem]}
`
	siteCode    = "BOSTON"
	account     = "MyDataHelps.1.bench"
	clinicPath  = "/pages/auth/api/clinicaldata/studies/S_BENCH/sites/S_BOSTON/participants"
	jobsPath    = "/pages/auth/api/jobs/"
	projectPath = "/api/v1/administration/projects/6f2b0d5e-3a0c-4f0e-9c6b-2f6f0d7c1a11/participants"
	tokenPath   = "/identityserver/connect/token"
)

// registry is one of ours: a database with the study in it, and a server once it is started.
type registry struct {
	engine   string
	binary   string
	dir      string
	database string // URL of PostgreSQL's, "" for SQLite

	key       *rsa.PrivateKey
	userToken string
	client    *http.Client

	*process
	address string // host and port
	people  int    // how many there are: those with the numbers from 0
}

// newRegistry makes a registry in a folder of its own.
func newRegistry(ctx context.Context, engine, binary, dir, database string) (*registry, error) {
	r := &registry{engine: engine, binary: binary, dir: dir, database: database, client: &http.Client{}}
	var err error
	if r.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	public, err := x509.MarshalPKIXPublicKey(&r.key.PublicKey)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for name, text := range map[string][]byte{
		"study.yaml": []byte(studyFile), "key.pem": pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			return nil, err
		}
	}
	if _, err := command(ctx, append([]string{binary, "apply", "-f", filepath.Join(dir, "study.yaml")}, r.place()...)...); err != nil {
		return nil, err
	}
	r.userToken, err = command(ctx, append([]string{binary, "token", "--user", "carla", "--ttl", "200h"}, r.place()...)...)
	return r, err
}

// data is the data directory, in which SQLite's file is.
func (r *registry) data() string { return filepath.Join(r.dir, "data") }

func (r *registry) place() []string {
	flags := []string{"--data-dir", r.data()}
	if r.database != "" {
		flags = append(flags, "--database-url", r.database)
	}
	return flags
}

// start starts the server and answers how long it takes until /readyz says so.
func (r *registry) start(ctx context.Context) (time.Duration, error) {
	var err error
	if r.address, err = freeAddress(ctx); err != nil {
		return 0, err
	}
	line := append([]string{r.binary, "serve", "--listen", r.address, "--rate-limit", "1000000000"}, r.place()...)
	began := time.Now()
	if r.process, err = launch(ctx, filepath.Join(r.dir, "log"), line...); err != nil {
		return 0, err
	}
	err = r.until(ctx, "start Rollcall", time.Millisecond, func() bool {
		conn, err := dial(ctx, r.address)
		if err != nil {
			return false
		}
		defer conn.Close()
		status, err := conn.do(appendRequest(nil, http.MethodGet, "/readyz", "", nil))
		return err == nil && status == http.StatusOK
	})
	return time.Since(began), err
}

// stop stops the server, if it runs.
func (r *registry) stop() error {
	if r.process == nil {
		return nil
	}
	r.client.CloseIdleConnections()
	err := r.process.stop()
	r.process = nil
	return err
}

// ask sends a request that is not measured by itself, and answers the body.
func (r *registry) ask(ctx context.Context, method, path, contentType string, body io.Reader) ([]byte, error) {
	status, text, err := r.try(ctx, method, path, contentType, body)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%s %s: %d %.500s", method, path, status, text)
	}
	return text, err
}

func (r *registry) try(ctx context.Context, method, path, contentType string, body io.Reader) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+r.address+path, body)
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", contentType)
	if path != tokenPath {
		req.Header.Set("Authorization", "Bearer "+r.userToken)
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return resp.StatusCode, text, err
}

// serviceToken signs the service account in, as its clients do. The token is good for an hour, so
// every operation asks for its own.
func (r *registry) serviceToken(ctx context.Context) (string, error) {
	assertion, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{
		"iss": account, "sub": account, "aud": "http://" + r.address + tokenPath,
		"exp": time.Now().Add(200 * time.Second).Unix(), "jti": uuid.NewString(),
	}).SignedString(r.key)
	if err != nil {
		return "", err
	}
	form := url.Values{
		"scope": {"api"}, "grant_type": {"client_credentials"}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"},
	}
	text, err := r.ask(ctx, http.MethodPost, tokenPath, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.Token == "" {
		return "", errors.Join(errors.New("sign the service account in: no token"), err)
	}
	return answer.Token, nil
}
