package arch

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"
)

const module = "rollcall"

// file is one parsed Go source.
type file struct {
	path  string // from the root of the repository, with slashes
	room  string
	test  bool
	lines int
	fset  *token.FileSet
	ast   *ast.File
}

func parse(filePath, source string) (*file, error) {
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, filePath, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	return &file{
		path:  filePath,
		room:  strings.TrimPrefix(path.Dir(filePath), "internal/"),
		test:  strings.HasSuffix(filePath, "_test.go"),
		lines: strings.Count(source, "\n"),
		fset:  fset,
		ast:   tree,
	}, nil
}

// at is a node's place, for messages.
func (f *file) at(n ast.Node) string {
	return fmt.Sprintf("%s:%d", f.path, f.fset.Position(n.Pos()).Line)
}

// rules are what every file is held to. A rule answers one line for each breach.
var rules = []struct {
	name  string
	check func(*file) []string
}{
	{"imports", checkImports},
	{"reserved names", checkReserved},
	{"length", checkLength},
	{"empty names", checkEmptyNames},
	{"init functions", checkInit},
	{"skipped tests", checkSkips},
}

func isDialect(room string) bool { return strings.HasPrefix(room, "wire/") }

// under tells whether an import path is one of the given or below it.
func under(importPath string, beginnings []string) bool {
	return slices.ContainsFunc(beginnings, func(b string) bool {
		return importPath == b || strings.HasPrefix(importPath, b+"/")
	})
}

func checkImports(f *file) []string {
	row, ok := rooms[f.room]
	if !ok {
		return []string{f.path + ": package " + f.room + " is not in the import table: add a row to internal/arch/table_test.go and say why in docs/adr"}
	}
	var breaches []string
	for _, spec := range f.ast.Imports {
		importPath := importPath(spec)
		why := forbidden(f, &row, importPath)
		if spec.Name != nil && spec.Name.Name == "." {
			why = "name what you use instead of importing with a dot"
		}
		if why != "" {
			breaches = append(breaches, fmt.Sprintf("%s: %s may not import %s: %s", f.at(spec), f.room, importPath, why))
		}
	}
	return breaches
}

// forbidden tells why the file may not import the path, "" if it may.
func forbidden(f *file, row *room, importPath string) string {
	if ours, ok := strings.CutPrefix(importPath, module+"/"); ok {
		return forbiddenRoom(f, row, strings.TrimPrefix(ours, "internal/"))
	}
	if first, _, _ := strings.Cut(importPath, "/"); strings.Contains(first, ".") {
		if under(importPath, row.modules) || f.test && under(importPath, testModules) {
			return ""
		}
		return "the import table does not give it this module; use what is there, or argue in docs/dependencies.md and add it"
	}
	if f.test {
		return ""
	}
	for guarded, why := range guardedStd {
		if under(importPath, []string{guarded}) && importPath != "math/rand/v2" && importPath != "log/slog" && !under(importPath, row.guarded) {
			return why
		}
	}
	return ""
}

func forbiddenRoom(f *file, row *room, to string) string {
	if _, known := rooms[to]; !known {
		return "it is not in the import table; add a row to internal/arch/table_test.go and say why in docs/adr"
	}
	if slices.Contains(row.ours, to) {
		return ""
	}
	if f.test {
		if to == f.room { // an external test of its own package
			return ""
		}
		return testsMayNot(f.room, to)
	}
	if isDialect(f.room) && isDialect(to) {
		return "dialects know nothing of each other; move what they share below both"
	}
	return "imports go one way, see docs/ARCHITECTURE.md; declare an interface for what you need and let cli wire it"
}

func importPath(spec *ast.ImportSpec) string {
	p, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return spec.Path.Value
	}
	return p
}

// packageNames maps the names by which the file knows packages to their import paths.
func (f *file) packageNames() map[string]string {
	known := make(map[string]string, len(f.ast.Imports))
	for _, spec := range f.ast.Imports {
		p := importPath(spec)
		base := path.Base(p)
		if strings.HasPrefix(base, "v") && strings.Trim(base[1:], "0123456789") == "" {
			base = path.Base(path.Dir(p))
		}
		if spec.Name != nil {
			base = spec.Name.Name
		}
		known[base] = p
	}
	return known
}

func checkReserved(f *file) []string {
	if f.test {
		return nil
	}
	known := f.packageNames()
	var breaches []string
	ast.Inspect(f.ast, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		pkg, ok := selector.X.(*ast.Ident)
		if !ok {
			return true
		}
		p, ok := known[pkg.Name]
		if !ok {
			return true
		}
		if why := f.reservedHere(name{p, selector.Sel.Name}); why != "" {
			breaches = append(breaches, fmt.Sprintf("%s: %s.%s: %s", f.at(selector), pkg.Name, selector.Sel.Name, why))
		}
		return true
	})
	return breaches
}

// reservedHere tells why the file may not use the name, "" if it may.
func (f *file) reservedHere(used name) string {
	if used.path == "math/rand/v2" && !slices.Contains(seededRandom, used.name) {
		return "draw from a rand.Rand that is seeded with what is passed in"
	}
	for _, r := range reserved {
		named := slices.Contains(r.names, used) || slices.Contains(r.names, name{used.path, "*"})
		if named && (r.only == nil || f.in(r.only)) && !f.in(r.except) {
			return r.why
		}
	}
	return ""
}

// in tells whether the file is one of the places or in one of them.
func (f *file) in(places []string) bool {
	return slices.Contains(places, f.room) || slices.Contains(places, strings.TrimPrefix(f.path, "internal/"))
}

func checkLength(f *file) []string {
	if f.test || f.lines <= maxLines {
		return nil
	}
	return []string{fmt.Sprintf("%s: %d lines, at most %d: split it by noun", f.path, f.lines, maxLines)}
}

func checkEmptyNames(f *file) []string {
	words := strings.FieldsFunc(f.path, func(r rune) bool { return strings.ContainsRune("/_-.", r) })
	for _, word := range append(words, f.ast.Name.Name) {
		if slices.Contains(emptyNames, strings.ToLower(word)) {
			return []string{fmt.Sprintf("%s: %q says nothing: name it for what it holds", f.path, word)}
		}
	}
	return nil
}

func checkInit(f *file) []string {
	var breaches []string
	for _, decl := range f.ast.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			breaches = append(breaches, f.at(fn)+": func init: let cli call what has to happen at the start")
		}
	}
	return breaches
}

// checkSkips finds calls that skip a test. What a test needs, make test installs; an input of
// a property or fuzz test that does not count is filtered out or returned from.
func checkSkips(f *file) []string {
	var breaches []string
	ast.Inspect(f.ast, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if !ok || !slices.Contains([]string{"Skip", "Skipf", "SkipNow"}, selector.Sel.Name) {
			return true
		}
		if on, ok := selector.X.(*ast.Ident); ok && slices.Contains([]string{"b", "f", "t", "tb"}, on.Name) {
			breaches = append(breaches, f.at(call)+": no test is skipped: a missing part must fail, an input that does not count is filtered")
		}
		return true
	})
	return breaches
}

// undocumented lists the packages that have no package comment in any file.
func undocumented(files []*file) []string {
	documented := map[string]bool{}
	for _, f := range files {
		documented[f.room] = documented[f.room] || f.ast.Doc != nil
	}
	var breaches []string
	for room, ok := range documented {
		if !ok {
			breaches = append(breaches, room+": no package comment: say what the package owns and what it does not know")
		}
	}
	slices.Sort(breaches)
	return breaches
}
