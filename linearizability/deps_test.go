package linearizability_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestImports: what judges imports the standard library, porcupine and itself.
// The table of arrows says it for our own packages; this says it for all.
func TestImports(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob("history/*.go")
	if err != nil || len(files) < 10 || len(more) < 5 {
		t.Fatalf("%d and %d files: %v", len(files), len(more), err)
	}
	for _, name := range append(files, more...) {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range file.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			standard := !strings.Contains(strings.Split(path, "/")[0], ".")
			if !standard && path != "github.com/anishathalye/porcupine" && path != "github.com/moldau/moldau/linearizability/history" {
				t.Errorf("%s imports %s: what judges a history shares nothing with what made it", name, path)
			}
		}
	}
}
