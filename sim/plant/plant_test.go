package plant

import (
	"go/parser"
	"go/token"
	"testing"
)

// Every plant finds its ground, exactly once, and what comes of it parses.
func TestPlantsFitTheSource(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range All() {
		if seen[p.Name] || p.About == "" || p.Scenario == "" || len(p.By) == 0 {
			t.Errorf("plant %q is named twice, or does not say what it is", p.Name)
		}
		seen[p.Name] = true
		files, err := p.Files("../..")
		if err != nil {
			t.Error(err)
			continue
		}
		for file, text := range files {
			if _, err := parser.ParseFile(token.NewFileSet(), file, text, 0); err != nil {
				t.Errorf("plant %s: %v", p.Name, err)
			}
		}
	}
}

func TestFindNamesWhatThereIs(t *testing.T) {
	if _, err := Find("ack-before-sync"); err != nil {
		t.Error(err)
	}
	if _, err := Find("nothing"); err == nil {
		t.Error("a plant that is not there was found")
	}
}
