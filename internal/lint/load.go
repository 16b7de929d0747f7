package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// ModulePath is the root module's; those of the others begin with it.
const ModulePath = "github.com/moldau/moldau"

// Package is a package of this repository, without its tests.
type Package struct {
	Path   string // import path
	Files  []*ast.File
	Info   *types.Info
	Types  *types.Package
	Errors []error // why it does not compile
}

// Source is everything that was loaded.
type Source struct {
	Fset     *token.FileSet
	Packages []*Package // by path

	importer types.Importer
}

// Finding is a place that breaks a policy.
type Finding struct {
	Pos  token.Position
	Text string
}

func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s", f.Pos.Filename, f.Pos.Line, f.Text)
}

// listed is what `go list -json` says of a package.
type listed struct {
	ImportPath string
	Dir        string
	Export     string
	GoFiles    []string
	DepOnly    bool
}

// Load reads the packages of the modules in dirs.
func Load(dirs ...string) (*Source, error) {
	s := &Source{Fset: token.NewFileSet()}
	exports := map[string]string{}
	var own []listed
	for _, dir := range dirs {
		packages, err := list(dir)
		if err != nil {
			return nil, err
		}
		for _, p := range packages {
			if p.Export != "" {
				exports[p.ImportPath] = p.Export
			}
			if !p.DepOnly && strings.HasPrefix(p.ImportPath, ModulePath) {
				own = append(own, p)
			}
		}
	}
	s.importer = importer.ForCompiler(s.Fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s: it does not compile", path)
		}
		return os.Open(exports[path])
	})
	for _, p := range own {
		pkg := &Package{Path: p.ImportPath}
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(s.Fset, filepath.Join(p.Dir, name), nil, parser.ParseComments)
			if err != nil {
				pkg.Errors = append(pkg.Errors, err)
				continue
			}
			pkg.Files = append(pkg.Files, file)
		}
		s.check(pkg)
		s.Packages = append(s.Packages, pkg)
	}
	slices.SortFunc(s.Packages, func(a, b *Package) int { return strings.Compare(a.Path, b.Path) })
	return s, nil
}

// Planted returns one file as if it were the whole of a package, to be found
// out by a check. The package's path is in the file's first line: "// in: PATH".
func (s *Source) Planted(name string) (*Source, error) {
	file, err := parser.ParseFile(s.Fset, name, nil, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	in, ok := strings.CutPrefix(file.Comments[0].List[0].Text, "// in: ")
	if !ok {
		return nil, fmt.Errorf("%s: the first line does not say which package it is in", name)
	}
	pkg := &Package{Path: ModulePath + "/" + in, Files: []*ast.File{file}}
	s.check(pkg)
	return &Source{Fset: s.Fset, Packages: []*Package{pkg}, importer: s.importer}, errors.Join(pkg.Errors...)
}

// list runs go list over one module and all that it imports.
func list(dir string) ([]listed, error) {
	args := []string{"list", "-e", "-deps", "-export", "-json=ImportPath,Dir,Export,GoFiles,DepOnly", "./..."}
	for _, way := range seamNames { // so that what is planted finds them
		if !strings.Contains(way.pkg, ".") {
			args = append(args, way.pkg)
		}
	}
	out, err := goCommand(dir, nil, args...)
	if err != nil {
		return nil, err
	}
	var packages []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); err == io.EOF {
			return packages, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list in %s: %w", dir, err)
		}
		packages = append(packages, p)
	}
}

// goCommand runs the go command in dir, with more environment. What packages
// that do not compile make it say is not an error here.
func goCommand(dir string, env []string, args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (len(out) == 0 || !errors.As(err, &exit)) {
		return nil, fmt.Errorf("go %s in %s: %w\n%s", args[0], dir, err, stderr.Bytes())
	}
	return out, nil
}

// check type-checks a package whose files are parsed.
func (s *Source) check(pkg *Package) {
	pkg.Info = &types.Info{
		Types:      map[ast.Expr]types.TypeAndValue{},
		Defs:       map[*ast.Ident]types.Object{},
		Uses:       map[*ast.Ident]types.Object{},
		Selections: map[*ast.SelectorExpr]*types.Selection{},
	}
	config := types.Config{
		Importer: s.importer,
		Error:    func(err error) { pkg.Errors = append(pkg.Errors, err) },
	}
	// Errors are collected above.
	pkg.Types, _ = config.Check(pkg.Path, s.Fset, pkg.Files, pkg.Info)
}

// finding makes a Finding at a node.
func (s *Source) finding(node ast.Node, format string, args ...any) Finding {
	return Finding{Pos: s.Fset.Position(node.Pos()), Text: fmt.Sprintf(format, args...)}
}

// room is the path of a package within the repository: "broker/batch", "cmd/moldau",
// and "." for the root.
func room(path string) string {
	if path == ModulePath {
		return "."
	}
	return strings.TrimPrefix(path, ModulePath+"/")
}

// within reports whether a room is one of roots or lies below one.
func within(room string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		return room == root || strings.HasPrefix(room, root+"/")
	})
}

// importPath is the path that a spec imports.
func importPath(spec *ast.ImportSpec) string { return strings.Trim(spec.Path.Value, "`\"") }

// packageLevel returns the package and the name of what an identifier refers
// to, if that is a function, type, variable or constant of another package's
// top level.
func packageLevel(info *types.Info, id *ast.Ident) (pkg, name string) {
	object := info.Uses[id]
	if object == nil || object.Pkg() == nil || object.Parent() != object.Pkg().Scope() {
		return "", ""
	}
	return object.Pkg().Path(), object.Name()
}
