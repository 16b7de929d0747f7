package lint

import (
	"go/ast"
	"go/token"
	"go/types"
	"slices"
	"strings"
)

// Globals finds package-level state and init functions. A package-level
// variable may be an error sentinel, an interface check (var _ I = T{}), an
// embedded file, or a table: it has a value, holds nothing that changes by use
// (locks, atomics, channels, pools), and no code assigns to it or to a part of
// it, takes its address, or clears it.
func Globals(s *Source) (findings []Finding) {
	changed := changedVars(s)
	for _, pkg := range s.Packages {
		for _, file := range pkg.Files {
			for _, decl := range file.Decls {
				switch decl := decl.(type) {
				case *ast.FuncDecl:
					if decl.Recv == nil && decl.Name.Name == "init" {
						findings = append(findings, s.finding(decl, "init runs behind everybody's back: make what it makes where it is used"))
					}
				case *ast.GenDecl:
					if decl.Tok == token.VAR {
						findings = append(findings, s.globals(pkg, decl, changed)...)
					}
				}
			}
		}
	}
	return findings
}

// globals checks one declaration of variables.
func (s *Source) globals(pkg *Package, decl *ast.GenDecl, changed map[string]string) (findings []Finding) {
	for _, spec := range decl.Specs {
		spec := spec.(*ast.ValueSpec)
		if embeds(decl.Doc) || embeds(spec.Doc) {
			continue
		}
		for _, name := range spec.Names {
			object := pkg.Info.Defs[name]
			if name.Name == "_" || object == nil {
				continue
			}
			key := pkg.Path + "." + name.Name
			switch {
			case len(spec.Values) == 0:
				findings = append(findings, s.finding(name, "%s has no value, so it is there to be changed: keep it in a struct that is passed on", name.Name))
			case changed[key] != "":
				findings = append(findings, s.finding(name, "%s is changed at %s: keep it in a struct that is passed on", name.Name, changed[key]))
			default:
				if part := changesByUse(object.Type(), nil); part != "" {
					findings = append(findings, s.finding(name, "%s holds %s, which changes by use: keep it in a struct that is passed on", name.Name, part))
				}
			}
		}
	}
	return findings
}

func embeds(doc *ast.CommentGroup) bool {
	return doc != nil && slices.ContainsFunc(doc.List, func(c *ast.Comment) bool {
		return strings.HasPrefix(c.Text, "//go:embed ")
	})
}

// statefulPackages have types that change by use.
var statefulPackages = []string{"sync", "sync/atomic", "math/rand", "math/rand/v2", "bytes", "bufio", "time", "container/list", "log"}

// harmlessTypes of those packages are values.
var harmlessTypes = []string{"time.Duration", "time.Time", "time.Month", "time.Location"}

// changesByUse names a part of t that changes by use, "" if there is none. Of
// types of other packages only those known to do so count.
func changesByUse(t types.Type, seen []types.Type) string {
	if slices.Contains(seen, t) {
		return ""
	}
	seen = append(seen, t)
	switch t := t.(type) {
	case *types.Alias:
		return changesByUse(types.Unalias(t), seen)
	case *types.Named:
		object := t.Obj()
		if object.Pkg() != nil && slices.Contains(statefulPackages, object.Pkg().Path()) {
			if name := object.Pkg().Name() + "." + object.Name(); !slices.Contains(harmlessTypes, name) {
				return name
			}
			return ""
		}
		if object.Pkg() == nil || !strings.HasPrefix(object.Pkg().Path(), ModulePath) {
			return ""
		}
		return changesByUse(t.Underlying(), seen)
	case *types.Chan:
		return "a channel"
	case *types.Pointer:
		return changesByUse(t.Elem(), seen)
	case *types.Slice:
		return changesByUse(t.Elem(), seen)
	case *types.Array:
		return changesByUse(t.Elem(), seen)
	case *types.Map:
		return changesByUse(t.Elem(), seen)
	case *types.Struct:
		for field := range t.Fields() {
			if part := changesByUse(field.Type(), seen); part != "" {
				return part
			}
		}
	}
	return ""
}

// changedVars returns the package-level variables that code changes, with one
// place where it does.
func changedVars(s *Source) map[string]string {
	changed := map[string]string{}
	for _, pkg := range s.Packages {
		note := func(target ast.Expr) {
			object := rootVar(pkg.Info, target)
			if object == nil || object.Pkg() == nil || object.Parent() != object.Pkg().Scope() {
				return
			}
			key := object.Pkg().Path() + "." + object.Name()
			if changed[key] == "" {
				changed[key] = s.Fset.Position(target.Pos()).String()
			}
		}
		for _, file := range pkg.Files {
			ast.Inspect(file, func(n ast.Node) bool {
				changes(pkg.Info, n, note)
				return true
			})
		}
	}
	return changed
}

// changes calls note with everything that a node changes.
func changes(info *types.Info, n ast.Node, note func(ast.Expr)) {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			for _, target := range n.Lhs {
				note(target)
			}
		}
	case *ast.IncDecStmt:
		note(n.X)
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			note(n.Key)
			if n.Value != nil {
				note(n.Value)
			}
		}
	case *ast.UnaryExpr:
		if n.Op == token.AND {
			note(n.X)
		}
	case *ast.CallExpr:
		if id, ok := n.Fun.(*ast.Ident); ok && len(n.Args) > 0 {
			if b, ok := info.Uses[id].(*types.Builtin); ok && slices.Contains([]string{"delete", "clear", "copy"}, b.Name()) {
				note(n.Args[0])
			}
		}
		if sel, ok := n.Fun.(*ast.SelectorExpr); ok && takesAddress(info, sel) {
			note(sel.X)
		}
	}
}

// takesAddress reports whether a method call takes the address of its receiver
// although that is not a pointer.
func takesAddress(info *types.Info, sel *ast.SelectorExpr) bool {
	selection := info.Selections[sel]
	if selection == nil || selection.Kind() != types.MethodVal {
		return false
	}
	signature, ok := selection.Obj().Type().(*types.Signature)
	if !ok || signature.Recv() == nil {
		return false
	}
	_, wantsPointer := signature.Recv().Type().(*types.Pointer)
	_, hasPointer := selection.Recv().Underlying().(*types.Pointer)
	return wantsPointer && !hasPointer
}

// rootVar is the variable that an expression names or names a part of, nil if
// a pointer or call lies between.
func rootVar(info *types.Info, e ast.Expr) types.Object {
	for {
		switch x := e.(type) {
		case *ast.Ident:
			object, _ := info.Uses[x].(*types.Var)
			if object == nil {
				return nil
			}
			return object
		case *ast.SelectorExpr:
			if _, isField := info.Selections[x]; !isField {
				e = x.Sel // a variable of another package
				continue
			}
			e = x.X
		case *ast.IndexExpr:
			e = x.X
		case *ast.SliceExpr:
			e = x.X
		case *ast.ParenExpr:
			e = x.X
		default:
			return nil
		}
	}
}
