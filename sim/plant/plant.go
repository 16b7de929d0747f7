// Package plant has bugs to put into the broker on purpose: the simulator that
// finds each of them within a few hundred seeds can be believed when it finds
// nothing.
//
// A plant is a change of source text, carried out while the guest is built; the
// source itself stays as it is. Each text must occur exactly once in its file, so
// that a plant whose ground has moved is noticed by a test, not by a hunt.
//
// Nobody owns state here.
package plant

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/moldau/moldau/internal/guard"
)

// Plant is one bug.
type Plant struct {
	Name string
	// About says in a sentence what is wrong with it.
	About string
	// Scenario is where it is looked for, with what is added to the guest's options.
	Scenario string
	// By are the checkers that can see it. What others object to is another bug,
	// or one of theirs.
	By    []string
	Edits []Edit
	// Without are rules of the replication contract that the nodes do without:
	// they are not changed in the source but switched off, in a guest that is
	// built for it.
	Without []guard.Rule
}

// Tags are the build tags of its guest.
func (p *Plant) Tags() []string {
	if len(p.Without) > 0 {
		return []string{"explore"}
	}
	return nil
}

// Options are what its guest is told, those of others beside.
func (p *Plant) Options(others string) string {
	if len(p.Without) == 0 {
		return others
	}
	names := make([]string, len(p.Without))
	for i, r := range p.Without {
		names[i] = r.String()
	}
	return strings.TrimSpace(others + " without=" + strings.Join(names, ","))
}

// Edit replaces one text by another in a file of the module.
type Edit struct {
	File     string // slashes, from the module's root
	Old, New string
}

// Files are the changed contents, by path below root.
func (p *Plant) Files(root string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, e := range p.Edits {
		text, ok := files[e.File]
		if !ok {
			var err error
			if text, err = os.ReadFile(filepath.Join(root, filepath.FromSlash(e.File))); err != nil {
				return nil, fmt.Errorf("plant %s: %w", p.Name, err)
			}
		}
		if n := strings.Count(string(text), e.Old); n != 1 {
			return nil, fmt.Errorf("plant %s: its text occurs %d times in %s, want 1:\n%s", p.Name, n, e.File, e.Old)
		}
		files[e.File] = []byte(strings.Replace(string(text), e.Old, e.New, 1))
	}
	return files, nil
}

// Find returns the plant of a name. An error names the valid ones.
func Find(name string) (Plant, error) {
	names := make([]string, 0, len(All()))
	for _, p := range All() {
		if p.Name == name {
			return p, nil
		}
		names = append(names, p.Name)
	}
	return Plant{}, fmt.Errorf("no plant %q; there are %s", name, strings.Join(names, ", "))
}
