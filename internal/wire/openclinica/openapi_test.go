package openclinica

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
// schemas as JSON Schema 2020-12; its routers know no servers of a single path, so the paths
// are matched here.
type apiSpec struct{ doc *openapi3.T }

func loadSpec(t *testing.T) *apiSpec {
	t.Helper()
	loader := openapi3.NewLoader()
	doc, err := loader.LoadFromData(OpenAPI())
	if err != nil {
		t.Fatalf("load openapi.yaml: %v", err)
	}
	return &apiSpec{doc}
}

// route finds the operation that a request is for; nil if there is none.
func (s *apiSpec) route(r *http.Request) (*routers.Route, map[string]string) {
	sent := strings.Split(strings.Trim(relative(strings.ReplaceAll(r.URL.EscapedPath(), "//", "/")), "/"), "/")
	for _, template := range s.doc.Paths.InMatchingOrder() {
		parts := strings.Split(strings.Trim(template, "/"), "/")
		params, ok := matchPath(parts, sent)
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

// relative is a path without the dialect's prefix.
func relative(path string) string {
	for _, prefix := range Prefixes() {
		if rest, ok := strings.CutPrefix(path, prefix+"/"); ok {
			return rest
		}
	}
	return path
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
	route, params := s.route(r)
	if route == nil {
		if answer.Code != http.StatusNotFound && answer.Code != http.StatusMethodNotAllowed {
			t.Errorf("openapi.yaml does not know %s %s, which answered %d", r.Method, r.URL.Path, answer.Code)
		}
		return
	}
	again := r.Clone(r.Context())
	again.Body = http.NoBody
	in := &openapi3filter.RequestValidationInput{
		Request: again, PathParams: params, Route: route,
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

// checkRequest holds a request to the description. Content types are described as documented
// but not insisted on, so a body of another type is not looked at; nor is a multipart form,
// because kin-openapi reads a text/csv part as a table and refuses one with short rows.
func (s *apiSpec) checkRequest(t *testing.T, in *openapi3filter.RequestValidationInput, body []byte) {
	t.Helper()
	if spec := in.Route.Operation.RequestBody; spec != nil {
		contentType := in.Request.Header.Get("Content-Type")
		if spec.Value.Content.Get(contentType) == nil || strings.HasPrefix(contentType, "multipart/") {
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
	doc := loadSpec(t).doc
	var described, mounted, servers []string
	for path, item := range doc.Paths.Map() {
		for method := range item.Operations() {
			described = append(described, method+" "+path)
		}
	}
	for _, r := range (&API{}).routes() {
		mounted = append(mounted, r.method+" "+r.path)
	}
	mounted = append(mounted, "POST "+TokenPath)
	slices.Sort(described)
	slices.Sort(mounted)
	if diff := cmp.Diff(mounted, described); diff != "" {
		t.Errorf("routes (-mounted +described):\n%s", diff)
	}
	for _, s := range doc.Servers {
		servers = append(servers, s.URL)
	}
	if diff := cmp.Diff(Prefixes(), servers); diff != "" {
		t.Errorf("prefixes (-served +described):\n%s", diff)
	}
}

func TestOpenAPINamesEveryDocumentedCode(t *testing.T) {
	t.Parallel()
	text := string(OpenAPI())
	for endpoint, codes := range documentedCodes {
		if endpoint == "bulk log" { // its codes are in files, which the description does not look into
			continue
		}
		for _, code := range codes {
			if !strings.Contains(text, "errorCode."+code) {
				t.Errorf("openapi.yaml does not name errorCode.%s of %s", code, endpoint)
			}
		}
	}
}
