package web

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// APIFile is the OpenAPI description of an API, and where programs get it.
type APIFile struct {
	Address string
	Text    []byte // YAML
}

// apiDocsView is the documentation of the APIs, as their OpenAPI files have it, in English.
type apiDocsView struct {
	*frame
	APIs []apiDoc
}

// apiDoc is one API.
type apiDoc struct {
	ID, Title, Summary, Description, Address string
	Bases                                    []string // addresses below which the paths are
	Operations                               []apiOperation
}

type apiOperation struct {
	ID, Method, Path, Summary, Description string
	Parameters                             []apiParameter
	Takes                                  []string // media types of the request's body
	Answers                                []apiAnswer
}

type apiParameter struct {
	Name, In, Description string
	Required              bool
}

type apiAnswer struct{ Status, Description string }

// The parts of an OpenAPI file that are shown.
type (
	openAPI struct {
		Info struct {
			Title, Summary, Description string
		}
		Servers []struct {
			URL string `yaml:"url"`
		}
		Paths      map[string]openAPIPath
		Components struct {
			Parameters map[string]openAPIParameter
			Responses  map[string]openAPIResponse
		}
	}
	openAPIPath struct {
		Parameters                    []openAPIParameter
		Get, Post, Put, Patch, Delete *openAPIOperation
	}
	openAPIOperation struct {
		OperationID string `yaml:"operationId"`
		Summary     string
		Description string
		Parameters  []openAPIParameter
		RequestBody struct {
			Content map[string]any
		} `yaml:"requestBody"`
		Responses map[string]openAPIResponse
	}
	openAPIParameter struct {
		Ref         string `yaml:"$ref"`
		Name        string
		In          string
		Description string
		Required    bool
	}
	openAPIResponse struct {
		Ref         string `yaml:"$ref"`
		Description string
	}
)

// readAPI reads an OpenAPI file.
func readAPI(file APIFile) (apiDoc, error) {
	var in openAPI
	if err := yaml.Unmarshal(file.Text, &in); err != nil {
		return apiDoc{}, fmt.Errorf("read an API description: %w", err)
	}
	name := file.Address[strings.LastIndexByte(file.Address, '/')+1:]
	doc := apiDoc{
		ID: strings.TrimSuffix(name, ".yaml"), Title: in.Info.Title, Summary: in.Info.Summary, Description: in.Info.Description, Address: file.Address,
	}
	for _, server := range in.Servers {
		doc.Bases = append(doc.Bases, server.URL)
	}
	for _, path := range slices.Sorted(maps.Keys(in.Paths)) {
		item := in.Paths[path]
		for _, m := range []struct {
			method string
			op     *openAPIOperation
		}{{"GET", item.Get}, {"POST", item.Post}, {"PUT", item.Put}, {"PATCH", item.Patch}, {"DELETE", item.Delete}} {
			if m.op != nil {
				doc.Operations = append(doc.Operations, in.operation(doc.ID, m.method, path, m.op, item.Parameters))
			}
		}
	}
	return doc, nil
}

// operation puts what is referred to in its place.
func (in *openAPI) operation(api, method, path string, op *openAPIOperation, shared []openAPIParameter) apiOperation {
	out := apiOperation{
		ID: api + "-" + op.OperationID, Method: method, Path: path, Summary: op.Summary, Description: op.Description,
		Takes: slices.Sorted(maps.Keys(op.RequestBody.Content)),
	}
	for _, p := range slices.Concat(shared, op.Parameters) {
		if name, ok := strings.CutPrefix(p.Ref, "#/components/parameters/"); ok {
			p = in.Components.Parameters[name]
		}
		out.Parameters = append(out.Parameters, apiParameter{p.Name, p.In, p.Description, p.Required || p.In == "path"})
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		answer := op.Responses[status]
		if name, ok := strings.CutPrefix(answer.Ref, "#/components/responses/"); ok {
			answer = in.Components.Responses[name]
		}
		out.Answers = append(out.Answers, apiAnswer{status, answer.Description})
	}
	return out
}

// showAPIs shows the documentation of the APIs:
//
//	GET /api-docs
func (p *Pages) showAPIs(v *visit, w http.ResponseWriter) error {
	page := &apiDocsView{frame: v.frame, APIs: p.apis}
	page.Title = v.words.say("apis.title")
	return p.page(w, http.StatusOK, "api-docs", page)
}
