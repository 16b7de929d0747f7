package overlay

import (
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/moldau/moldau/internal/peer"
)

// here is the Go that the tests run with.
func here(t *testing.T) Toolchain {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT", "GOVERSION").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return Toolchain{Root: lines[0], Version: lines[1], Target: nativeTarget}
}

// copied is a toolchain that has the files of the patches alone, to be changed.
func copied(t *testing.T) Toolchain {
	t.Helper()
	from, to := here(t), t.TempDir()
	for _, p := range append(slices.Clone(runQueuePatches[:]), nativePatches[:]...) {
		data, err := os.ReadFile(filepath.Join(from.Root, "src", p.file))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(to, "src", p.file), string(data))
	}
	return Toolchain{Root: to, Version: from.Version, Target: nativeTarget}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestFits: the patches fit the Go that is here, and say the same twice.
func TestFits(t *testing.T) {
	for _, kind := range []Kind{RunQueue, Native} {
		if kind == Native && !slices.Contains(TriedVersions, here(t).Version) {
			peer.Skip(t, "native engine", "the overlay does not know "+here(t).Version)
		}
		a, err := New(kind, here(t))
		if err != nil {
			t.Fatal(err)
		}
		b, err := New(kind, copied(t))
		if err != nil {
			t.Fatal(err)
		}
		if a.Hash != b.Hash || !maps.Equal(a.Files, b.Files) {
			t.Errorf("overlay %d of the same files differs from itself", kind)
		}
	}
}

// TestEachPatternOnce: a pattern that is missing, or there twice, is refused
// with its file and its name, for every patch.
func TestEachPatternOnce(t *testing.T) {
	for i, p := range append(slices.Clone(runQueuePatches[:]), nativePatches[:]...) {
		kind := RunQueue
		if i >= len(runQueuePatches) {
			kind = Native
		}
		toolchain := copied(t)
		toolchain.Version = TriedVersions[0]
		path := filepath.Join(toolchain.Root, "src", p.file)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if kind == Native && !slices.Contains(TriedVersions, here(t).Version) {
			peer.Skip(t, "native engine", "the overlay does not know "+here(t).Version)
		}
		for how, text := range map[string]string{
			"0 times": strings.Replace(string(data), p.old, "", 1),
			"2 times": string(data) + p.old,
		} {
			write(t, path, text)
			_, err := New(kind, toolchain)
			if err == nil || !strings.Contains(err.Error(), p.file) || !strings.Contains(err.Error(), p.name) || !strings.Contains(err.Error(), how) {
				t.Errorf("%s, %q %s: %v", p.file, p.name, how, err)
			}
		}
	}
}

// TestUnknownToolchain: another Go, or another machine, is refused natively
// and welcome to the run queue.
func TestUnknownToolchain(t *testing.T) {
	for _, unknown := range []Toolchain{
		{Version: "go1.99.1", Target: nativeTarget},
		{Version: TriedVersions[0], Target: "linux/arm64"},
	} {
		unknown.Root = copied(t).Root
		if _, err := New(Native, unknown); !errors.Is(err, ErrUnknownToolchain) || !strings.Contains(err.Error(), unknown.Version) {
			t.Errorf("native overlay for %v: %v", unknown, err)
		}
		if _, err := New(RunQueue, unknown); err != nil {
			t.Error(err)
		}
	}
}

// TestHash: a changed patch is another overlay.
func TestHash(t *testing.T) {
	files := map[string]string{"a": "b", "c": "d"}
	before := hash(files)
	files["c"] = "e"
	if hash(files) == before {
		t.Error("other content, same hash")
	}
}
