package mydatahelps

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/google/go-cmp/cmp"
)

// apiSpec holds requests and answers to openapi.yaml. kin-openapi reads 3.1 and validates its
// schemas as JSON Schema 2020-12; the paths are matched here.
type apiSpec struct{ doc *openapi3.T }

func loadSpec(t *testing.T) *apiSpec {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(OpenAPI())
	if err != nil {
		t.Fatalf("load openapi.yaml: %v", err)
	}
	return &apiSpec{doc}
}

// operation finds the operation that a request is for; nil if there is none.
func (s *apiSpec) operation(r *http.Request) (*routers.Route, map[string]string) {
	sent := strings.Split(strings.Trim(strings.ReplaceAll(r.URL.EscapedPath(), "//", "/"), "/"), "/")
	for _, template := range s.doc.Paths.InMatchingOrder() {
		params, ok := matchPath(strings.Split(strings.Trim(template, "/"), "/"), sent)
		if !ok {
			continue
		}
		item := s.doc.Paths.Value(template)
		if op := item.GetOperation(r.Method); op != nil {
			return &routers.Route{Spec: s.doc, Path: template, PathItem: item, Method: r.Method, Operation: op}, params
		}
	}
	return nil, nil
}

func matchPath(template, sent []string) (map[string]string, bool) {
	if len(template) != len(sent) {
		return nil, false
	}
	params := map[string]string{}
	for i, part := range template {
		value, err := url.PathUnescape(sent[i])
		if err != nil {
			return nil, false
		}
		if name, ok := strings.CutPrefix(part, "{"); ok {
			params[strings.TrimSuffix(name, "}")] = value
		} else if part != sent[i] {
			return nil, false
		}
	}
	return params, true
}

// check holds the answer to the description, and the request too if it was granted.
func (s *apiSpec) check(t *testing.T, r *http.Request, body []byte, answer *httptest.ResponseRecorder) {
	t.Helper()
	if r.Method == http.MethodHead { // a GET without its body
		return
	}
	route, params := s.operation(r)
	if route == nil {
		if answer.Code != http.StatusNotFound && answer.Code != http.StatusMethodNotAllowed && answer.Code != http.StatusTooManyRequests {
			t.Errorf("openapi.yaml does not know %s %s, which answered %d", r.Method, r.URL.Path, answer.Code)
		}
		return
	}
	in := &openapi3filter.RequestValidationInput{
		Request: s.documented(r), PathParams: params, Route: route,
		Options: &openapi3filter.Options{
			IncludeResponseStatus: true, AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, SkipSettingDefaults: true,
		},
	}
	if answer.Code == http.StatusOK {
		s.checkRequest(t, in, body)
	}
	out := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: answer.Code, Header: answer.Header(), Options: in.Options,
	}
	out.SetBodyBytes(answer.Body.Bytes())
	if err := openapi3filter.ValidateResponse(r.Context(), out); err != nil {
		t.Errorf("%s %s: the answer is not as openapi.yaml says: %v\n%d %s", r.Method, r.URL, err, answer.Code, answer.Body)
	}
}

// documented is the request with its parameters spelled as documented: OpenAPI cannot say that
// names have no case.
func (s *apiSpec) documented(r *http.Request) *http.Request {
	again := r.Clone(r.Context())
	again.Body = http.NoBody
	values := url.Values{}
	for name, sent := range r.URL.Query() {
		for _, known := range s.doc.Components.Parameters {
			if known.Value.In == "query" && strings.EqualFold(known.Value.Name, name) {
				name = known.Value.Name
			}
		}
		values[name] = append(values[name], sent...)
	}
	again.URL.RawQuery = values.Encode()
	return again
}

// checkRequest holds a granted request to the description. A body's type is described as
// documented but not insisted on, so a body of another type is not looked at; nor are keys in
// another case, which the schemas take for unknown ones.
func (s *apiSpec) checkRequest(t *testing.T, in *openapi3filter.RequestValidationInput, body []byte) {
	t.Helper()
	if spec := in.Route.Operation.RequestBody; spec != nil {
		if spec.Value.Content.Get(in.Request.Header.Get("Content-Type")) == nil {
			in.Options.ExcludeRequestBody = true
		} else {
			in.Request.Body = readCloser{bytes.NewReader(body)}
		}
	}
	if err := openapi3filter.ValidateRequest(in.Request.Context(), in); err != nil {
		t.Errorf("%s %s: granted, but not as openapi.yaml says: %v", in.Request.Method, in.Request.URL, err)
	}
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

func TestOpenAPIIsValid(t *testing.T) {
	t.Parallel()
	spec := loadSpec(t)
	if got := spec.doc.OpenAPI; got != "3.1.0" {
		t.Errorf("openapi: %s, want 3.1.0", got)
	}
	if err := spec.doc.Validate(t.Context()); err != nil {
		t.Errorf("openapi.yaml: %v", err)
	}
}

func TestOpenAPIDescribesExactlyTheRoutes(t *testing.T) {
	t.Parallel()
	var described, mounted []string
	for path, item := range loadSpec(t).doc.Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+path)
		}
	}
	for _, r := range (&API{}).routes() {
		mounted = append(mounted, r.method+" "+Prefix+r.path)
	}
	mounted = append(mounted, "POST "+TokenPath)
	slices.Sort(described)
	slices.Sort(mounted)
	if diff := cmp.Diff(mounted, described); diff != "" {
		t.Errorf("routes (-mounted +described):\n%s", diff)
	}
}
