package mydatahelps

import (
	"bytes"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rollcall/internal/fault"
	"rollcall/internal/httpx"
)

// maxForm is the greatest size of a token request in bytes; real ones have about 1 KiB.
const maxForm = 64 << 10

// The only values of a token request that there are (reference, MyDataHelps 1).
const (
	clientCredentials = "client_credentials"
	jwtBearer         = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
	apiScope          = "api"
)

// tokenAnswer is the answer to a service account that has signed in.
type tokenAnswer struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"` // seconds
	Scope       string `json:"scope"`
}

// postToken exchanges a service account's signed assertion for a bearer token:
//
//	POST /identityserver/connect/token
//
// Reference, MyDataHelps 1; decisions, MyDataHelps 9. RFC 6749 and RFC 7523 say the rest.
func (a *API) postToken(w http.ResponseWriter, r *http.Request) error {
	if err := a.charge(r.Context(), w, addressOf(r)); err != nil {
		return err
	}
	form, err := readForm(r)
	if err != nil {
		return err
	}
	if ferr := checkTokenForm(form); ferr != nil {
		return ferr
	}
	token, expiresIn, err := a.auth.SignInService(r.Context(), form.Get("client_assertion"))
	if err != nil {
		return err
	}
	w.Header().Set("Cache-Control", "no-store") // RFC 6749, 5.1
	w.Header().Set("Pragma", "no-cache")
	return httpx.WriteJSON(w, http.StatusOK, tokenAnswer{
		AccessToken: token, TokenType: "Bearer", ExpiresIn: int(expiresIn / time.Second), Scope: apiScope,
	})
}

// readForm reads the form in the body. The query string is no place for an assertion.
func readForm(r *http.Request) (url.Values, error) {
	if kind := r.Header.Get("Content-Type"); kind != "" {
		media, _, err := mime.ParseMediaType(kind)
		if err != nil || media != "application/x-www-form-urlencoded" {
			return nil, fault.New(fault.Invalid, formInvalid, "the body has to be application/x-www-form-urlencoded")
		}
	}
	var body bytes.Buffer
	if _, err := body.ReadFrom(httpx.Body(r, maxForm)); err != nil {
		return nil, bodyFault(err)
	}
	form, err := url.ParseQuery(strings.TrimSpace(body.String()))
	if err != nil {
		return nil, fault.New(fault.Invalid, formInvalid, "the body is not a form")
	}
	for _, values := range form {
		if len(values) > 1 {
			return nil, fault.New(fault.Invalid, formInvalid, "a parameter is given twice")
		}
	}
	return form, nil
}

// checkTokenForm checks everything but the assertion itself, so that a request that is refused
// here does not use the assertion up.
func checkTokenForm(form url.Values) *fault.Error {
	scopes := strings.Fields(form.Get("scope"))
	switch {
	case form.Get("grant_type") == "":
		return fault.New(fault.Invalid, formInvalid, "grant_type is missing")
	case form.Get("grant_type") != clientCredentials:
		return fault.New(fault.Invalid, grantUnsupported, "grant_type has to be %s", clientCredentials)
	case slices.ContainsFunc(scopes, func(s string) bool { return s != apiScope }):
		return fault.New(fault.Invalid, scopeInvalid, "scope has to be %s", apiScope)
	case form.Get("client_assertion_type") != jwtBearer:
		return fault.New(fault.Invalid, clientInvalid, "client_assertion_type has to be %s", jwtBearer)
	case form.Get("client_assertion") == "":
		return fault.New(fault.Invalid, clientInvalid, "client_assertion is missing")
	}
	return nil
}

// tokenError is an error of the token endpoint (RFC 6749, 5.2).
type tokenError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// tokenWords says the token endpoint's faults in OAuth's words; kindWords those that have no
// code of their own there.
var (
	tokenWords = map[fault.Code]string{
		grantUnsupported: "unsupported_grant_type",
		scopeInvalid:     "invalid_scope",
		clientInvalid:    "invalid_client",
		formInvalid:      "invalid_request",
	}
	kindWords = map[fault.Kind]string{
		fault.Invalid:         "invalid_request",
		fault.Unauthenticated: "invalid_client",
		fault.Forbidden:       "unauthorized_client",
		fault.NotFound:        "invalid_request",
		fault.Conflict:        "invalid_request",
		fault.TooLarge:        "invalid_request",
		fault.TooMany:         "temporarily_unavailable",
		fault.StorageFull:     "temporarily_unavailable",
		fault.Unavailable:     "temporarily_unavailable",
		fault.Internal:        "server_error",
	}
)

// renderToken is [render] for the token endpoint. An assertion that is refused is 400, as the
// original's identity server says it (decisions, MyDataHelps 9).
func renderToken(w http.ResponseWriter, _ *http.Request, err *fault.Error) {
	word, ok := tokenWords[err.Code]
	if !ok {
		word = kindWords[err.Kind]
	}
	status := httpx.StatusOf(err)
	if err.Kind == fault.Unauthenticated {
		status = http.StatusBadRequest
	}
	_ = httpx.WriteJSON(w, status, tokenError{Error: word, Description: sentence(err)}) // as in render
}
