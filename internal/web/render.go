package web

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
)

//go:embed templates
var templatesFolder embed.FS

// The templates that all pages share: the frame around a page, and parts that several have.
var sharedTemplates = []string{"templates/frame.html", "templates/parts.html"}

// templates are the pages' templates, for each language by the page's name.
type templates struct {
	texts  catalogue
	static *staticFiles
	pages  map[string]map[string]*template.Template
}

// parseTemplates reads each page's template for each language, with the texts at hand as the
// functions say, count and number.
func parseTemplates(texts catalogue, static *staticFiles) (*templates, error) {
	entries, err := templatesFolder.ReadDir("templates")
	if err != nil {
		return nil, fmt.Errorf("read templates: %w", err)
	}
	all := &templates{texts: texts, static: static, pages: map[string]map[string]*template.Template{}}
	for language, w := range texts {
		shared, err := template.New("").Funcs(template.FuncMap{
			"say": w.say, "count": w.count, "number": func(n int) string { return w.number(int64(n)) }, "static": static.address,
		}).ParseFS(templatesFolder, sharedTemplates...)
		if err != nil {
			return nil, fmt.Errorf("read templates: %w", err)
		}
		all.pages[language] = map[string]*template.Template{}
		for _, entry := range entries {
			file := "templates/" + entry.Name()
			if file == sharedTemplates[0] || file == sharedTemplates[1] {
				continue
			}
			page, err := shared.Clone()
			if err == nil {
				page, err = page.ParseFS(templatesFolder, file)
			}
			if err != nil {
				return nil, fmt.Errorf("read templates: %w", err)
			}
			all.pages[language][strings.TrimSuffix(entry.Name(), ".html")] = page
		}
	}
	return all, nil
}

// view is what a page's template is given. The frame is part of every view.
type view interface{ frameOf() *frame }

// The names of what a page's template defines beside its own parts.
const wholePage = "frame"

// page answers with a whole page.
func (p *Pages) page(w http.ResponseWriter, status int, name string, v view) error {
	return p.part(w, status, name, wholePage, v)
}

// part answers with one part of a page, for a script to put in its place. Nothing has been
// written if the template fails.
func (p *Pages) part(w http.ResponseWriter, status int, name, part string, v view) error {
	var body bytes.Buffer
	page, ok := p.templates.pages[v.frameOf().Language][name]
	if !ok {
		return fmt.Errorf("there is no template %q", name)
	}
	if err := page.ExecuteTemplate(&body, part, v); err != nil {
		return fmt.Errorf("render the page %s: %w", name, err)
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.Header().Add("Vary", "Accept-Language, Cookie, Hx-Request")
	w.WriteHeader(status)
	if _, err := w.Write(body.Bytes()); err != nil {
		return fmt.Errorf("send the page %s: %w", name, err)
	}
	return nil
}

// seeOther sends a browser on after a write, so that loading the page again repeats nothing.
func seeOther(w http.ResponseWriter, r *http.Request, path string) error {
	http.Redirect(w, r, path, http.StatusSeeOther)
	return nil
}
