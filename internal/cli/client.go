package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/term"

	"rollcall/internal/wire/openclinica"
)

// The limits of talking to a server.
const (
	dialTimeout    = 10 * time.Second
	answerTimeout  = 2 * time.Minute // for an answer to begin: a large upload has to become durable first
	maxAnswerBytes = 1 << 20         // of an answer that is held in memory
)

// serverFlags say which server a command talks to, and as whom.
type serverFlags struct {
	Server       string `default:"http://127.0.0.1:8080" placeholder:"URL" help:"The server's address. Default ${default}."`
	Token        string `placeholder:"TOKEN" help:"A bearer token, for example of rollcall token."`
	TokenFile    string `placeholder:"FILE" help:"A file that holds the token."`
	User         string `placeholder:"NAME" help:"The user to sign in as, where there is no token."`
	Password     string `placeholder:"TEXT" help:"The user's password; better in a file or the environment. Asked for on a terminal."`
	PasswordFile string `placeholder:"FILE" help:"A file that holds the password."`
}

// client talks to a running server through OpenClinica's API.
type client struct {
	base           string // without a slash at the end
	http           *http.Client
	token          string
	user, password string // to sign in again; empty with a token alone
}

// connect makes a client that is signed in.
func (f *serverFlags) connect(ctx context.Context, con *console) (*client, error) {
	u, err := url.Parse(f.Server)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, wrong("--server is not the address of a server").withHint("write it like http://127.0.0.1:8080")
	}
	c := &client{
		base: strings.TrimRight(f.Server, "/"),
		user: f.User,
		http: &http.Client{
			Transport: &http.Transport{
				Proxy:                 http.ProxyFromEnvironment,
				DialContext:           (&net.Dialer{Timeout: dialTimeout}).DialContext,
				TLSHandshakeTimeout:   dialTimeout,
				ResponseHeaderTimeout: answerTimeout,
				ExpectContinueTimeout: dialTimeout,
				IdleConnTimeout:       time.Minute,
			},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	if c.token, err = secret("token", f.Token, f.TokenFile); err != nil {
		return nil, err
	}
	if c.token != "" {
		return c, nil
	}
	if f.User == "" {
		return nil, wrong("nobody is named to do this as").
			withHint("give --token, or --user and --password-file; rollcall token prints a token")
	}
	if c.password, err = secret("password", f.Password, f.PasswordFile); err != nil {
		return nil, err
	}
	if c.password == "" {
		if c.password, err = askPassword(con, f.User); err != nil {
			return nil, err
		}
	}
	return c, c.signIn(ctx)
}

// askPassword asks on the terminal, if there is one.
func askPassword(con *console, user string) (string, error) {
	in, ok := con.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return "", wrong("there is no password for %s", user).withHint("give --password-file, or set ROLLCALL_PASSWORD")
	}
	fmt.Fprintf(con.Err, "Password of %s: ", user)
	password, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(con.Err)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return string(password), nil
}

func (c *client) signIn(ctx context.Context) error {
	body, err := json.Marshal(map[string]string{"username": c.user, "password": c.password})
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+openclinica.TokenPath, strings.NewReader(string(body)))
	if err != nil {
		return fmt.Errorf("sign in: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.http.Do(req)
	if err != nil {
		return c.unreachable(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil {
		return c.unreachable(err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
		c.token = strings.TrimSpace(string(text))
		return nil
	case http.StatusUnauthorized:
		return failed("the server does not take the user name or the password")
	case http.StatusTooManyRequests:
		return failed("too many failed sign-ins from here").withHint("wait %s seconds", resp.Header.Get("Retry-After"))
	default:
		return c.refusal(resp, text)
	}
}

// do sends a request with the token. The caller closes the answer's body.
func (c *client) do(ctx context.Context, method, path string, body io.Reader, prepare func(*http.Request)) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+openclinica.Prefixes()[0]+path, body)
	if err != nil {
		return nil, fmt.Errorf("ask the server: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.token)
	req.Header.Set("Accept", "application/json, text/plain;q=0.5, */*;q=0.1")
	if prepare != nil {
		prepare(req)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	return resp, nil
}

// call sends a request that is answered with 200 and a short body.
func (c *client) call(ctx context.Context, method, path string, body io.Reader, prepare func(*http.Request)) ([]byte, error) {
	resp, err := c.do(ctx, method, path, body, prepare)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswerBytes))
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode != http.StatusOK {
		return nil, c.refusal(resp, text)
	}
	return text, nil
}

// refused is an answer of the server that is not the one asked for.
type refused struct {
	failure
	status int
}

func (r *refused) Unwrap() error { return &r.failure }

// passing tells whether it is worth asking again: the server is away, starts or is full.
func (r *refused) passing() bool {
	return r.status >= http.StatusInternalServerError || r.status == http.StatusTooManyRequests || r.status == 0
}

// unreachable is the fault of a server that does not answer.
func (c *client) unreachable(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	r := &refused{failure: *failed("the server at %s does not answer: %v", c.base, reason(err))}
	r.hint = "start it with rollcall serve, or name another one with --server"
	return r
}

// reason leaves out the method and address that net/http puts before an error.
func reason(err error) error {
	if u := (*url.Error)(nil); errors.As(err, &u) {
		return u.Err
	}
	return err
}

// hints say what to do about refusals that an operator meets.
var hints = map[string]string{
	"errorCode.studyNotExist":          "--study takes the study's OID, for example 'S_JUNO(TEST)'",
	"errorCode.siteNotExist":           "--site takes the OID of a site of the study, for example 'S_BOSTON(TEST)'",
	"errorCode.invalidSiteIdentifier":  "--site takes the OID of a site of the study, for example 'S_BOSTON(TEST)'",
	"errorCode.noRoleSetUp":            "the user has no role at this site or in this study",
	"errorCode.noSufficientPrivileges": "the user's role may not do this; extracts are for CRCs and investigators of the site",
	"errorCode.missingParticipantID":   "the file's first line has to name its columns, ParticipantID among them",
	"errorCode.notSupportedFileFormat": "the file has to be a CSV file whose name ends in .csv",
	"errorCode.participateInactive":    "leave --register out, or make Participate active for the study",
	"errorCode.participateInActive":    "leave --register out, or make Participate active for the study",
	"errorCode.unauthorized":           "the token is not valid, or no longer: sign in again",
}

// refusal says what the server answered.
func (c *client) refusal(resp *http.Response, text []byte) error {
	var body struct{ Message, Hint string }
	said := strings.TrimSpace(string(text))
	if json.Unmarshal(text, &body) == nil && body.Message != "" {
		said = body.Message
	}
	const most = 200
	if said = strings.ToValidUTF8(said, "?"); len(said) > most || said == "" {
		said = resp.Status
	}
	r := &refused{failure: *failed("the server refused: %s", said), status: resp.StatusCode}
	r.hint = hints[said]
	if r.hint == "" {
		r.hint = body.Hint
	}
	if r.hint == "" && resp.StatusCode == http.StatusServiceUnavailable {
		r.hint = "its database or its file storage is away; try again in a moment"
	}
	return r
}
