package lint_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/moldau/moldau/internal/lint"
)

// TestPlanted: every check finds the lines of its files that say so, for the
// reason they say, and no others.
func TestPlanted(t *testing.T) {
	checks := map[string]func(*lint.Source) []lint.Finding{
		"arrows": lint.Arrows, "purity": lint.Purity, "seams": lint.Seams, "globals": lint.Globals,
		"promises": lint.Promises,
		"leftout": func(s *lint.Source) []lint.Finding {
			return lint.LeftOut(s, map[string]bool{"leftout.(*log).tested Sync": true, "leftout.half ReplaceFile.Sync": true})
		},
	}
	files, err := filepath.Glob("testdata/planted/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".go")
		t.Run(name, func(t *testing.T) {
			check, _, _ := strings.Cut(name, "_")
			planted, err := load(t).Planted(file)
			if err != nil {
				t.Log(err) // a file that imports what it must not may not compile
			}
			mustFind(t, file, checks[check](planted))
		})
	}
	for check := range checks {
		if !slices.ContainsFunc(files, func(file string) bool { return strings.Contains(file, check) }) {
			t.Errorf("nothing is planted for %s", check)
		}
	}
}

// mustFind compares findings with what the lines of a file want.
func mustFind(t *testing.T, file string, findings []lint.Finding) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`want(?:-above)? "([^"]*)"`)
	lines := strings.Split(string(data)+"\n", "\n")
	for i, line := range lines[:len(lines)-1] {
		// A comment on the line itself may be what the check looks for.
		if strings.Contains(line, "want-above") {
			line = ""
		}
		if two := i + 2; two < len(lines) && strings.Contains(lines[two], "want-above") {
			line = lines[two]
		}
		var here []string
		for _, f := range findings {
			if f.Pos.Line == i+1 {
				here = append(here, f.Text)
			}
		}
		expected := want.FindAllStringSubmatch(line, -1)
		for _, e := range expected {
			if !slices.ContainsFunc(here, func(text string) bool { return strings.Contains(text, e[1]) }) {
				t.Errorf("%s:%d: found %q, want %q", file, i+1, here, e[1])
			}
		}
		if len(here) > len(expected) {
			t.Errorf("%s:%d: found %q, want %d of them", file, i+1, here, len(expected))
		}
	}
	if len(findings) == 0 {
		t.Errorf("%s: nothing found", file)
	}
}

func TestDocsFindsWhatHasNone(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"none/a.go":          "package none\n",
		"short/a.go":         "// Package short is short.\npackage short\n",
		"elsewhere/a.go":     "// This is a package with words enough in it.\npackage elsewhere\n",
		"said/a.go":          "package said\n",
		"said/doc.go":        "// Package said is one that says what it is.\npackage said\n",
		"tests/a_test.go":    "// Package tests has nothing but tests of it.\npackage tests_test\n",
		"said/testdata/a.go": "package x\n",
		"command/main.go":    "// Command thing does this and that and more.\npackage main\n",
		"empty/readme.md":    "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	findings, err := lint.Docs(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range findings {
		got = append(got, filepath.Base(f.Pos.Filename))
	}
	if want := []string{"elsewhere", "none", "short"}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("found %v, want %v", got, want)
	}
}

// TestModulesFindsThem: the program is made of some modules at least.
func TestModulesFindsThem(t *testing.T) {
	modules, err := lint.Modules(root, "./broker/batch")
	if err != nil || !slices.Contains(modules, "github.com/klauspost/compress") {
		t.Errorf("broker/batch is made of %v, %v", modules, err)
	}
}
