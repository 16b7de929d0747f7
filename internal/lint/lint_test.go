package lint_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/moldau/moldau/internal/lint"
)

// rewrite makes TestModules write its goldens instead of comparing them.
var rewrite = flag.Bool("rewrite", false, "write goldens anew")

// root is the repository's top directory, seen from here.
const root = "../.."

// source is the whole repository, loaded once for all tests.
var source = sync.OnceValues(func() (*lint.Source, error) {
	return lint.Load(modules()...)
})

// modules are the directories of the modules that are there.
func modules() []string {
	dirs := []string{root}
	for _, name := range []string{"cmd", "tests", "bench"} {
		if _, err := os.Stat(filepath.Join(root, name, "go.mod")); err == nil {
			dirs = append(dirs, filepath.Join(root, name))
		}
	}
	return dirs
}

func load(t *testing.T) *lint.Source {
	t.Helper()
	s, err := source()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func report(t *testing.T, findings []lint.Finding) {
	t.Helper()
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range findings {
		if short, err := filepath.Rel(top, f.Pos.Filename); err == nil && filepath.IsAbs(f.Pos.Filename) {
			f.Pos.Filename = short
		}
		t.Error(f)
	}
}

// TestCompiles: the other checks see less of a package that does not.
func TestCompiles(t *testing.T) {
	for _, pkg := range load(t).Packages {
		for _, err := range pkg.Errors {
			t.Errorf("%s: %v", pkg.Path, err)
		}
	}
}

func TestArrows(t *testing.T)  { report(t, lint.Arrows(load(t))) }
func TestPurity(t *testing.T)  { report(t, lint.Purity(load(t))) }
func TestSeams(t *testing.T)   { report(t, lint.Seams(load(t))) }
func TestGlobals(t *testing.T) { report(t, lint.Globals(load(t))) }

// TestPromises holds back nobody: a promise takes a few words.
func TestPromises(t *testing.T) { report(t, lint.Promises(load(t))) }

// TestLeftOut: for each sync that carries a promise there is a test that fails
// without it.
func TestLeftOut(t *testing.T) {
	named, err := lint.TestNames(filepath.Join(root, "broker"))
	if err != nil {
		t.Fatal(err)
	}
	report(t, lint.LeftOut(load(t), named))
}

func TestDocs(t *testing.T) {
	findings, err := lint.Docs(root)
	if err != nil {
		t.Error(err)
	}
	report(t, findings)
}

// TestModules compares the modules that the program, and the broker for who
// embeds it, are made of with a golden, so that a new one is seen in review.
// docs/dependencies.md gives the reason of each, and of no others.
func TestModules(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(root, "docs", "dependencies.md"))
	if err != nil {
		t.Fatal(err)
	}
	reasons, _, _ := strings.Cut(string(data), "## In tests")
	broker := mustBeMadeOf(t, "broker.txt", root, "./broker")
	program := mustBeMadeOf(t, "moldau.txt", filepath.Join(root, "cmd"), "./moldau")
	used := append(broker, program...)
	for _, module := range used {
		if !strings.Contains(reasons, "| `"+module+"` |") {
			t.Errorf("docs/dependencies.md has no reason for %s", module)
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(reasons, -1) {
		if !slices.Contains(used, row[1]) {
			t.Errorf("docs/dependencies.md has a reason for %s, which nothing uses", row[1])
		}
	}
}

// mustBeMadeOf compares the modules of a pattern with a golden.
func mustBeMadeOf(t *testing.T, golden, dir, pattern string) []string {
	t.Helper()
	modules, err := lint.Modules(dir, pattern)
	if err != nil {
		t.Fatal(err)
	}
	got, name := strings.Join(modules, "\n")+"\n", filepath.Join("testdata", "deps", golden)
	if *rewrite {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s is made of\n%sand was of\n%sif that is meant: go test ./internal/lint -run TestModules -rewrite", pattern, got, want)
	}
	return modules
}
