package openclinica

import (
	"encoding/json"
	"io"
	"net/http"
	"unicode/utf8"

	"rollcall/internal/fault"
	"rollcall/internal/httpx"
)

// postToken exchanges a user name and password for a bearer token, which is the whole body:
//
//	POST /user-service/api/oauth/token
//
// Reference, OpenClinica 6; decisions, OpenClinica 16.
func (a *API) postToken(w http.ResponseWriter, r *http.Request) error {
	body, err := io.ReadAll(httpx.Body(r, maxJSON))
	if err != nil {
		return bodyFault(err)
	}
	var in struct{ Username, Password *string }
	if !utf8.Valid(body) || json.Unmarshal(body, &in) != nil || in.Username == nil || in.Password == nil {
		return fault.New(fault.Invalid, requestMalformed, "the body has to be a JSON object with username and password")
	}
	token, err := a.auth.SignIn(r.Context(), *in.Username, *in.Password, r.RemoteAddr)
	if err != nil {
		return err
	}
	return writeText(w, token)
}

// writeText answers plain text as it is.
func writeText(w http.ResponseWriter, text string) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, err := io.WriteString(w, text)
	return err
}
