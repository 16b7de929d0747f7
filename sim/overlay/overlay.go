package overlay

import (
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Kind says which patches an overlay has.
type Kind int

// The overlays.
const (
	RunQueue Kind = iota + 1 // the order of goroutines alone; any Go that the patterns fit
	Native                   // all that a native guest needs; only Go versions that were tried
)

// TriedVersions are the versions of Go for which Native is known to work, on
// linux/amd64.
var TriedVersions = []string{"go1.26.8"}

// ErrUnknownToolchain is what New returns for Native if the toolchain is none
// that was tried.
var ErrUnknownToolchain = errors.New("the native overlay does not know this toolchain")

// Files that the patches call, added to package runtime.
var (
	//go:embed runtime/sched.go.txt
	schedSource string
	//go:embed runtime/native.go.txt
	nativeSource string
)

// Toolchain is an installed Go.
type Toolchain struct {
	Root    string // GOROOT
	Version string // as "go env GOVERSION" says
	Target  string // GOOS/GOARCH that the native engine would build for
}

// Overlay is a set of files that stand in for some of GOROOT.
type Overlay struct {
	Hash  string            // of all names and contents, hexadecimal
	Files map[string]string // path below GOROOT/src, or absolute, to content
	root  string
}

// nativeTarget is what the native patches were written for.
const nativeTarget = "linux/amd64"

// New makes the overlay for a toolchain from its own sources. Each pattern
// must fit exactly once.
func New(kind Kind, t Toolchain) (*Overlay, error) {
	patches, added := runQueuePatches[:], map[string]string{"runtime/moldau_sched.go": schedSource}
	if kind == Native {
		if !slices.Contains(TriedVersions, t.Version) || t.Target != nativeTarget {
			return nil, fmt.Errorf("%w: %s for %s (tried: %s for %s)",
				ErrUnknownToolchain, t.Version, t.Target, strings.Join(TriedVersions, ", "), nativeTarget)
		}
		patches = append(slices.Clone(patches), nativePatches[:]...)
		added["runtime/moldau_native.go"] = nativeSource
	}
	files, err := apply(t, patches)
	if err != nil {
		return nil, err
	}
	maps.Copy(files, added)
	return &Overlay{Hash: hash(files), Files: files, root: t.Root}, nil
}

// With is the overlay with files of a module beside: path below dir, with
// slashes, to content.
func (o *Overlay) With(dir string, files map[string][]byte) *Overlay {
	all := maps.Clone(o.Files)
	for name, text := range files {
		all[filepath.Join(dir, filepath.FromSlash(name))] = string(text)
	}
	return &Overlay{Hash: hash(all), Files: all, root: o.root}
}

// apply returns the patched files.
func apply(t Toolchain, patches []patch) (map[string]string, error) {
	files := map[string]string{}
	for _, p := range patches {
		text, read := files[p.file]
		if !read {
			data, err := os.ReadFile(filepath.Join(t.Root, "src", filepath.FromSlash(p.file)))
			if err != nil {
				return nil, fmt.Errorf("overlay for %s: %w", t.Version, err)
			}
			text = string(data)
		}
		if n := strings.Count(text, p.old); n != 1 {
			return nil, fmt.Errorf("overlay for %s: %s: the pattern of patch %q occurs %d times instead of once:\n%s", t.Version, p.file, p.name, n, p.old)
		}
		files[p.file] = strings.Replace(text, p.old, p.new, 1)
	}
	return files, nil
}

func hash(files map[string]string) string {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(h, "%d %s %d\n%s", len(name), name, len(files[name]), files[name])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Write puts the files into a folder and returns the path of the JSON file
// that "go build -overlay" takes.
func (o *Overlay) Write(dir string) (string, error) {
	replace := map[string]string{}
	for name, text := range o.Files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return "", err
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return "", err
		}
		if !filepath.IsAbs(name) {
			name = filepath.Join(o.root, "src", filepath.FromSlash(name))
		}
		replace[name] = path
	}
	data, err := json.MarshalIndent(map[string]any{"Replace": replace}, "", "\t")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, data, 0o644)
}
