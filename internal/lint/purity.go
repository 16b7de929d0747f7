package lint

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// pure are the packages whose outcome is a function of their input. What lies
// below one is pure too, unless impure names it.
var (
	pure   = pureRooms
	impure = []string{"broker/seglog/logdir", "broker/metaimage/published"}
)

// impureImports cannot be had without touching the world outside.
var impureImports = []string{
	"context", "crypto/rand", "log", "net", "os", "runtime", "sync", "syscall",
	"golang.org/x/sys", "golang.org/x/sync",
}

// impureNames are functions of packages that are pure otherwise.
var impureNames = map[string][]string{
	"log/slog": {
		"Debug", "Info", "Warn", "Error", "Log", "LogAttrs", "DebugContext", "InfoContext", "WarnContext", "ErrorContext",
		"Default", "SetDefault", "New", "With", "Logger",
	},
	"time": {"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Local", "LoadLocation"},
}

// seededNames of math/rand may be used: they make a source that is passed on.
var seededNames = []string{"New", "NewSource", "NewPCG", "NewChaCha8", "NewZipf", "Rand", "Source", "Source64", "PCG", "ChaCha8", "Zipf"}

// Purity finds what pure packages must do without.
func Purity(s *Source) (findings []Finding) {
	for _, pkg := range s.Packages {
		at := room(pkg.Path)
		if !within(at, pure...) || within(at, impure...) {
			continue
		}
		for _, file := range pkg.Files {
			p := purity{source: s, pkg: pkg, marks: detMarks(s.Fset, file)}
			p.file(file)
			findings = append(findings, p.findings...)
		}
	}
	return findings
}

// detMark is what a line says whose map order reaches no outcome.
const detMark = "//det:ok"

// detMarks returns the marked lines and the reasons given.
func detMarks(fset *token.FileSet, file *ast.File) map[int]string {
	marks := map[int]string{}
	for _, group := range file.Comments {
		for _, c := range group.List {
			if reason, ok := strings.CutPrefix(c.Text, detMark); ok {
				marks[fset.Position(c.Pos()).Line] = strings.TrimSpace(reason)
			}
		}
	}
	return marks
}

// purity checks one file.
type purity struct {
	source   *Source
	pkg      *Package
	marks    map[int]string
	sorted   []ast.Node // calls whose order of arguments is lost by sorting
	findings []Finding
}

func (p *purity) report(n ast.Node, format string, args ...any) {
	p.findings = append(p.findings, p.source.finding(n, format, args...))
}

func (p *purity) file(file *ast.File) {
	for _, spec := range file.Imports {
		path := importPath(spec)
		for _, banned := range impureImports {
			if within(path, banned) && path != "log/slog" { // whose attributes are values
				p.report(spec, "pure package imports %s", path)
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		p.node(n)
		return true
	})
}

func (p *purity) node(n ast.Node) {
	switch n := n.(type) {
	case *ast.GoStmt:
		p.report(n, "pure package starts a goroutine")
	case *ast.SelectStmt:
		p.report(n, "pure package selects among channels")
	case *ast.ChanType:
		p.report(n, "pure package uses a channel")
	case *ast.SendStmt:
		p.report(n, "pure package sends to a channel")
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			p.report(n, "pure package receives from a channel")
		}
	case *ast.RangeStmt:
		if isMap(p.pkg.Info.TypeOf(n.X)) {
			p.mapOrder(n, "range over a map")
		}
	case *ast.CallExpr:
		p.call(n)
	case *ast.Ident:
		p.ident(n)
	}
}

func isMap(t types.Type) bool {
	if t == nil {
		return false
	}
	if _, ok := t.Underlying().(*types.Map); ok {
		return true
	}
	param, ok := t.(*types.TypeParam)
	if !ok {
		return false
	}
	constraint, ok := param.Constraint().Underlying().(*types.Interface)
	if !ok {
		return false
	}
	for embedded := range constraint.EmbeddedTypes() {
		if union, ok := embedded.(*types.Union); ok {
			for term := range union.Terms() {
				if isMap(term.Type()) {
					return true
				}
			}
		}
	}
	return false
}

// mapOrder reports a use of a map's order whose line does not say why that
// reaches no outcome.
func (p *purity) mapOrder(n ast.Node, what string) {
	line := p.source.Fset.Position(n.Pos()).Line
	for _, at := range []int{line, line - 1} {
		if reason, marked := p.marks[at]; marked {
			if reason == "" {
				p.report(n, "%s gives no reason", detMark)
			}
			return
		}
	}
	p.report(n, "%s: sort, or say on its line why the order reaches no outcome (%s reason)", what, detMark)
}

// call finds iterators over maps that are not sorted on the spot.
func (p *purity) call(call *ast.CallExpr) {
	pkg, name := p.callee(call)
	switch {
	case pkg == "slices" && strings.HasPrefix(name, "Sorted") && len(call.Args) > 0:
		p.sorted = append(p.sorted, call.Args[0])
	case pkg == "maps" && (name == "Keys" || name == "Values" || name == "All"):
		if !slices.Contains(p.sorted, ast.Node(call)) {
			p.mapOrder(call, "maps."+name)
		}
	}
}

func (p *purity) callee(call *ast.CallExpr) (pkg, name string) {
	switch fun := call.Fun.(type) {
	case *ast.SelectorExpr:
		return packageLevel(p.pkg.Info, fun.Sel)
	case *ast.Ident:
		return packageLevel(p.pkg.Info, fun)
	}
	return "", ""
}

func (p *purity) ident(id *ast.Ident) {
	pkg, name := packageLevel(p.pkg.Info, id)
	if slices.Contains(impureNames[pkg], name) {
		p.report(id, "pure package uses %s.%s", pkg, name)
	}
	if (pkg == "math/rand" || pkg == "math/rand/v2") && !slices.Contains(seededNames, name) {
		p.report(id, "pure package uses the process's random numbers, %s.%s", pkg, name)
	}
}
