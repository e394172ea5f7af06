package web

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/template/parse"

	"github.com/google/go-cmp/cmp"

	"rollcall/internal/access"
	"rollcall/internal/audit"
	"rollcall/internal/fault"
	"rollcall/internal/httpx"
	"rollcall/internal/registry"
)

// places are the places for values in a text.
var places = regexp.MustCompile(`%(\[\d+\])?[a-z]`)

// TestLanguages: every language has the same texts, with as many places for values.
func TestLanguages(t *testing.T) {
	t.Parallel()
	texts, err := readCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	english := texts[English].texts
	for _, language := range texts.languages() {
		w := texts[language]
		if diff := cmp.Diff(slices.Sorted(maps.Keys(english)), slices.Sorted(maps.Keys(w.texts))); diff != "" {
			t.Errorf("keys in %s (-English +%s):\n%s", language, language, diff)
		}
		for key, text := range w.texts {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s: %s is empty", language, key)
			}
			if !strings.HasPrefix(key, "format.") && len(places.FindAllString(text, -1)) != len(places.FindAllString(english[key], -1)) {
				t.Errorf("%s: %s has other places than in English: %q", language, key, text)
			}
		}
	}
}

// usedTexts are the keys that templates and code name. One that ends with a dot is the beginning
// of others.
func usedTexts(t *testing.T) map[string]bool {
	t.Helper()
	used := map[string]bool{}
	all := parsedTemplates(t)
	for _, page := range all.pages[English] {
		for _, named := range page.Templates() {
			if named.Tree != nil {
				walkTexts(named.Tree.Root, used)
			}
		}
	}
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		if strings.HasSuffix(source, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, err := strconv.Unquote(literal.Value); err == nil {
					used[text] = true
				}
			}
			return true
		})
	}
	return used
}

func walkTexts(n parse.Node, used map[string]bool) {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, child := range n.Nodes {
				walkTexts(child, used)
			}
		}
	case *parse.ActionNode:
		walkTexts(n.Pipe, used)
	case *parse.PipeNode:
		if n != nil {
			for _, c := range n.Cmds {
				walkTexts(c, used)
			}
		}
	case *parse.CommandNode:
		for _, arg := range n.Args {
			walkTexts(arg, used)
		}
	case *parse.StringNode:
		used[n.Text] = true
	case *parse.IfNode:
		walkBranch(&n.BranchNode, used)
	case *parse.WithNode:
		walkBranch(&n.BranchNode, used)
	case *parse.RangeNode:
		walkBranch(&n.BranchNode, used)
	}
}

func walkBranch(n *parse.BranchNode, used map[string]bool) {
	walkTexts(n.Pipe, used)
	walkTexts(n.List, used)
	walkTexts(n.ElseList, used)
}

func parsedTemplates(t *testing.T) *templates {
	t.Helper()
	texts, err := readCatalogue()
	if err != nil {
		t.Fatal(err)
	}
	static, err := readStatic()
	if err != nil {
		t.Fatal(err)
	}
	all, err := parseTemplates(texts, static)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestTextsAreUsed: every text that a template asks for is there, and none is there that nothing
// asks for.
func TestTextsAreUsed(t *testing.T) {
	t.Parallel()
	all := parsedTemplates(t)
	texts, used := all.texts[English].texts, usedTexts(t)
	covered := func(key string) bool {
		if used[key] {
			return true
		}
		for i := range key {
			if key[i] == '.' && (used[key[:i+1]] || used[key[:i]]) {
				return true
			}
		}
		return false
	}
	for key := range texts {
		if !covered(key) {
			t.Errorf("nothing asks for %q", key)
		}
	}
	for _, page := range all.pages[English] {
		asked := map[string]bool{}
		for _, named := range page.Templates() {
			if named.Tree != nil {
				walkTexts(named.Tree.Root, asked)
			}
		}
		for key := range asked {
			_, alone := texts[key]
			_, counted := texts[key+".one"]
			if _, file := all.static.content[key]; !file && textKey.MatchString(key) && !alone && !counted {
				t.Errorf("a template asks for %q, which has no text", key)
			}
		}
	}
}

// textKey tells a key from other strings in templates.
var textKey = regexp.MustCompile(`^[a-z][A-Za-z]*(\.[A-Za-z]+)+$`)

// TestEveryFaultHasWords: whatever can go wrong is said in words of its own, in every language.
func TestEveryFaultHasWords(t *testing.T) {
	t.Parallel()
	texts := parsedTemplates(t).texts
	codes := slices.Concat(registry.RecordCodes(), pageCodes(), []fault.Code{
		registry.StudyUnknown, access.NoRole, access.RoleNotAllowed, access.SignInFailed, access.SignInThrottled, access.SessionOver,
		httpx.CodeNoRoute, httpx.CodeMethodNotAllowed, httpx.CodeBodyStalled, httpx.CodeBodyBroken, httpx.CodeBodyTooLarge,
	})
	for _, language := range texts.languages() {
		w := texts[language]
		for _, code := range codes {
			if !w.has("fault." + string(code)) {
				t.Errorf("%s has no words for %s", language, code)
			}
		}
		for _, kind := range fault.Kinds() {
			if key := "kind." + kindKey(kind); !w.has(key) {
				t.Errorf("%s has no words for %s", language, key)
			}
		}
		for _, f := range registry.Fields() {
			if !w.has("fieldName." + f.String()) {
				t.Errorf("%s has no name for %s", language, f)
			}
		}
		for _, role := range slices.Concat(access.StudyRoles(), access.SiteRoles()) {
			if !w.has("role." + roleKey(role)) {
				t.Errorf("%s has no words for the role %s", language, role)
			}
		}
		for _, a := range acts() {
			for _, key := range []string{"act." + a.name, "act." + a.name + ".title", "act." + a.name + ".explain", "done." + a.name} {
				if !w.has(key) {
					t.Errorf("%s has no %s", language, key)
				}
			}
		}
		for _, a := range actions(t) {
			if !w.has("action." + string(a)) {
				t.Errorf("%s has no words for %q", language, a)
			}
		}
	}
}

// actions reads the actions of the audit trail from their declaration.
func actions(t *testing.T) []audit.Action {
	t.Helper()
	source, err := os.ReadFile("../audit/audit.go")
	if err != nil {
		t.Fatal(err)
	}
	var all []audit.Action
	for _, m := range regexp.MustCompile(`(?m)^\t\w+\s+Action = "([^"]+)"`).FindAllStringSubmatch(string(source), -1) {
		all = append(all, audit.Action(m[1]))
	}
	if len(all) < 20 {
		t.Fatalf("found %d actions", len(all))
	}
	return all
}

func TestChosenLanguage(t *testing.T) {
	t.Parallel()
	texts := parsedTemplates(t).texts
	for _, test := range []struct{ cookie, accept, want string }{
		{"", "", "en"},
		{"", "de", "de"},
		{"", "de-AT,en;q=0.8", "de"},
		{"", "fr-FR,fr;q=0.9,de;q=0.3", "de"},
		{"", "en;q=0.2,de;q=0.1", "en"},
		{"", "fr,*;q=0.1", "en"},
		{"", "de;q=0", "en"},
		{"", "de;q=many", "de"},
		{"de", "en", "de"},
		{"xx", "de", "de"},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
		r.Header.Set("Accept-Language", test.accept)
		if test.cookie != "" {
			r.Header.Set("Cookie", languageCookie+"="+test.cookie)
		}
		if got := texts.chosen(r, English); got != test.want {
			t.Errorf("cookie %q, Accept-Language %q: %s, want %s", test.cookie, test.accept, got, test.want)
		}
	}
}

func TestNumbersAndCounts(t *testing.T) {
	t.Parallel()
	texts := parsedTemplates(t).texts
	for _, test := range []struct {
		n      int64
		en, de string
	}{{0, "0", "0"}, {999, "999", "999"}, {1000, "1,000", "1000"}, {12345, "12,345", "12.345"}, {1000000, "1,000,000", "1.000.000"}, {-1234567, "-1,234,567", "-1.234.567"}} {
		if en, de := texts["en"].number(test.n), texts["de"].number(test.n); en != test.en || de != test.de {
			t.Errorf("%d: %s and %s, want %s and %s", test.n, en, de, test.en, test.de)
		}
	}
	if got := texts["en"].count("participants.total", 1); got != "1 participant" {
		t.Error(got)
	}
	if got := texts["de"].count("participants.total", 10000); got != "10.000 Personen" {
		t.Error(got)
	}
}
