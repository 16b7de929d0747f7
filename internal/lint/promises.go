package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// vfsPath is the package of the seam of storage.
const vfsPath = ModulePath + "/disk/vfs"

// promiseWords are those by which the comment of a whole function says it.
var promiseWords = []string{"promise", "durabl", "rebuild"}

// Promises finds calls in the broker that make something durable and do not
// say which promise they carry, or that what they sync can be rebuilt: in a
// comment on their line or the one above, in that of their function, or by a
// parameter named promise, where callers give it as a value.
func Promises(s *Source) (findings []Finding) {
	for _, pkg := range s.Packages {
		if !within(room(pkg.Path), "broker") {
			continue
		}
		for _, file := range pkg.Files {
			commented := map[int]bool{}
			for _, group := range file.Comments {
				for line := s.Fset.Position(group.Pos()).Line; line <= s.Fset.Position(group.End()).Line; line++ {
					commented[line] = true
				}
			}
			for _, decl := range file.Decls {
				fn, ok := decl.(*ast.FuncDecl)
				if !ok || promises(fn.Doc.Text()) || takesPromise(fn) {
					continue
				}
				ast.Inspect(fn, func(n ast.Node) bool {
					call, ok := n.(*ast.CallExpr)
					if !ok || !syncs(pkg.Info, call) {
						return true
					}
					if line := s.Fset.Position(call.Pos()).Line; !commented[line] && !commented[line-1] {
						findings = append(findings, s.finding(call, "no comment says which promise this sync carries, or that what it syncs is rebuildable"))
					}
					return true
				})
			}
		}
	}
	return findings
}

// LeftOut finds calls in the broker that make something durable, cannot be
// rebuilt, and that no test leaves out: named are what TestNames returns. A
// test leaves out a place by vfstest.LeaveOut, under the place's name; where
// callers name the promise, by going through all promises of that package.
func LeftOut(s *Source, named map[string]bool) (findings []Finding) {
	for _, pkg := range s.Packages {
		if !within(room(pkg.Path), "broker") {
			continue
		}
		for _, file := range pkg.Files {
			comments := map[int]string{}
			for _, group := range file.Comments {
				for _, c := range group.List {
					comments[s.Fset.Position(c.Pos()).Line] += c.Text
				}
			}
			for _, decl := range file.Decls {
				fn, ok := decl.(*ast.FuncDecl)
				if !ok || strings.Contains(fn.Doc.Text(), rebuildable) {
					continue
				}
				ast.Inspect(fn, func(n ast.Node) bool {
					call, ok := n.(*ast.CallExpr)
					if !ok || !syncs(pkg.Info, call) {
						return true
					}
					line := s.Fset.Position(call.Pos()).Line
					if strings.Contains(comments[line]+comments[line-1], rebuildable) {
						return true
					}
					for _, name := range placesOf(file.Name.Name, fn, call) {
						if !named[name] {
							findings = append(findings, s.finding(call, "no test leaves this sync out by the name %q", name))
						}
					}
					return true
				})
			}
		}
	}
	return findings
}

// rebuildable is what a comment says of a sync that carries no promise.
const rebuildable = "rebuildable"

// placesOf are the names under which tests leave a call's syncs out.
func placesOf(pkg string, fn *ast.FuncDecl, call *ast.CallExpr) []string {
	if takesPromise(fn) {
		return []string{pkg + " range promiseCount"}
	}
	name := fn.Name.Name
	if fn.Recv != nil {
		switch t := fn.Recv.List[0].Type.(type) {
		case *ast.StarExpr:
			name = "(*" + types.ExprString(t.X) + ")." + name
		default:
			name = types.ExprString(t) + "." + name
		}
	}
	place := pkg + "." + name + " " + call.Fun.(*ast.SelectorExpr).Sel.Name
	if strings.HasSuffix(place, " ReplaceFile") {
		return []string{place + ".Sync", place + ".SyncDir"}
	}
	return []string{place}
}

// TestNames are the strings that stand in the test files below dir, and for
// each range over a named number "<package> range <name>".
func TestNames(dir string) (map[string]bool, error) {
	named := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.BasicLit:
				if text, err := strconv.Unquote(n.Value); err == nil && n.Kind == token.STRING {
					named[text] = true
				}
			case *ast.RangeStmt:
				if id, ok := n.X.(*ast.Ident); ok {
					named[file.Name.Name+" range "+id.Name] = true
				}
			}
			return true
		})
		return nil
	})
	return named, err
}

func promises(doc string) bool {
	return slices.ContainsFunc(promiseWords, func(word string) bool { return strings.Contains(doc, word) })
}

func takesPromise(fn *ast.FuncDecl) bool {
	for _, field := range fn.Type.Params.List {
		for _, name := range field.Names {
			if name.Name == "promise" {
				return true
			}
		}
	}
	return false
}

// syncs reports whether a call is one of the seam that makes something durable.
func syncs(info *types.Info, call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	object := info.Uses[sel.Sel]
	return object != nil && object.Pkg() != nil && object.Pkg().Path() == vfsPath &&
		slices.Contains([]string{"Sync", "SyncDir", "ReplaceFile"}, object.Name())
}
