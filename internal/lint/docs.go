package lint

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
)

// Docs finds directories with Go files in which no package comment says what
// the package is. Package comments begin as godoc wants it. A directory of
// tests alone has its comment in one of these.
func Docs(root string) (findings []Finding, err error) {
	documented := map[string]bool{} // directory to whether it says so
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if name := entry.Name(); path != root && (name == "testdata" || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly|parser.ParseComments)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		dir := filepath.Dir(path)
		documented[dir] = documented[dir] || saysWhatItIs(file)
		return nil
	})
	for dir, says := range documented {
		if !says {
			findings = append(findings, Finding{Pos: token.Position{Filename: dir}, Text: "no package comment says what the package is"})
		}
	}
	slices.SortFunc(findings, func(a, b Finding) int { return strings.Compare(a.Pos.Filename, b.Pos.Filename) })
	return findings, err
}

// docWordsMin is the length below which a comment says nothing.
const docWordsMin = 6

func saysWhatItIs(file *ast.File) bool {
	text := file.Doc.Text()
	name := strings.TrimSuffix(file.Name.Name, "_test")
	begins := strings.HasPrefix(text, "Package "+name+" ") || strings.HasPrefix(text, "Command ")
	return begins && len(strings.Fields(text)) >= docWordsMin
}
