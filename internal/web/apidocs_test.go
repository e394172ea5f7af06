package web

import (
	"strings"
	"testing"

	"rollcall/internal/wire/mydatahelps"
	"rollcall/internal/wire/openclinica"
)

// TestAPIDocs: every operation of the APIs is on the page, with what is referred to in its place.
func TestAPIDocs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *Config) {
		c.APIs = []APIFile{{"/openapi/openclinica.yaml", openclinica.OpenAPI()}, {"/openapi/mydatahelps.yaml", mydatahelps.OpenAPI()}}
	})
	page := w.get("mona", "/api-docs")
	for _, file := range [][]byte{openclinica.OpenAPI(), mydatahelps.OpenAPI()} {
		if n := strings.Count(string(file), "operationId:"); n == 0 || !strings.Contains(page, "/openapi/") {
			t.Fatalf("%d operations", n)
		}
	}
	want := strings.Count(string(openclinica.OpenAPI())+string(mydatahelps.OpenAPI()), "operationId:")
	if got := strings.Count(page, `class="operation"`); got != want {
		t.Errorf("%d operations, want %d", got, want)
	}
	for _, text := range []string{"<code>/OpenClinica/pages/auth/api</code>", "Idempotency-Key", "y or yes registers participants for Participate", "<code>multipart/form-data</code>", `<span class="method">DELETE</span>`} {
		if !strings.Contains(page, text) {
			t.Errorf("the page lacks %s", text)
		}
	}
	for _, api := range w.pages.apis {
		for _, op := range api.Operations {
			for _, p := range op.Parameters {
				if p.Name == "" {
					t.Errorf("%s %s: a parameter without a name", op.Method, op.Path)
				}
			}
			for _, a := range op.Answers {
				if a.Description == "" {
					t.Errorf("%s %s: %s says nothing", op.Method, op.Path, a.Status)
				}
			}
		}
	}
	if _, err := New(Config{}); err == nil {
		t.Error("pages of nothing")
	}
}
