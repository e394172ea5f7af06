package httpx

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"rollcall/internal/fault"
)

// The codes of faults that this package raises.
const (
	CodeNoRoute          fault.Code = "noRoute"          // NotFound: no such address
	CodeMethodNotAllowed fault.Code = "methodNotAllowed" // Invalid: the address exists, the method does not
	CodeBodyStalled      fault.Code = "bodyStalled"      // Invalid: the client stopped sending
	CodeBodyBroken       fault.Code = "bodyBroken"       // Invalid: the body ended early or its framing is wrong
	CodeBodyTooLarge     fault.Code = "bodyTooLarge"     // TooLarge
)

// Status gives the HTTP status that a kind has where a dialect does not say otherwise.
func Status(kind fault.Kind) int {
	switch kind {
	case fault.Invalid:
		return http.StatusBadRequest
	case fault.Unauthenticated:
		return http.StatusUnauthorized
	case fault.Forbidden:
		return http.StatusForbidden
	case fault.NotFound:
		return http.StatusNotFound
	case fault.Conflict:
		return http.StatusConflict
	case fault.TooLarge:
		return http.StatusRequestEntityTooLarge
	case fault.TooMany:
		return http.StatusTooManyRequests
	case fault.StorageFull:
		return http.StatusInsufficientStorage
	case fault.Unavailable:
		return http.StatusServiceUnavailable
	case fault.Internal:
		return http.StatusInternalServerError
	}
	return http.StatusInternalServerError
}

// StatusOf is [Status] with HTTP's own word for two faults that only HTTP has: 405 for a wrong
// method, 408 for a body that stalled (RFC 9110, 15.5.6 and 15.5.9).
func StatusOf(err *fault.Error) int {
	switch err.Code {
	case CodeMethodNotAllowed:
		return http.StatusMethodNotAllowed
	case CodeBodyStalled:
		return http.StatusRequestTimeout
	}
	return Status(err.Kind)
}

// RenderMessage is the renderer of addresses that belong to no dialect: {"message", "hint"}.
func RenderMessage(w http.ResponseWriter, _ *http.Request, err *fault.Error) {
	body := struct {
		Message string `json:"message"`
		Hint    string `json:"hint,omitempty"`
	}{err.Message, err.Hint}
	if body.Message == "" {
		body.Message = err.Kind.String()
	}
	_ = WriteJSON(w, StatusOf(err), body) // two strings always encode, and a client that left needs no answer
}

// answerSize is about how many bytes the answers have that are written most often.
const answerSize = 1536

// WriteJSON answers with v as JSON; a [JSONAppender] writes itself. Nothing has been written if v
// cannot be encoded; any other error comes from the connection.
func WriteJSON(w http.ResponseWriter, status int, v any) error {
	text, err := encodeJSON(v)
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(status)
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	return nil
}

func encodeJSON(v any) ([]byte, error) {
	if own, ok := v.(JSONAppender); ok {
		return own.AppendJSON(make([]byte, 0, answerSize)), nil
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(body.Bytes(), []byte("\n")), nil
}
