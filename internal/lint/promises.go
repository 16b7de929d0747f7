package lint

import (
	"go/ast"
	"go/types"
	"slices"
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
