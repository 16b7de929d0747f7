package peer_test

import (
	"os"
	"strings"
	"testing"

	"github.com/moldau/moldau/internal/peer"
)

// recorder is a test that takes down how it ends.
type recorder struct {
	testing.TB
	ended string
}

func (r *recorder) Helper()               {}
func (r *recorder) Name() string          { return "TestOfIt" }
func (r *recorder) Skipf(string, ...any)  { r.ended = "skipped" }
func (r *recorder) Fatalf(string, ...any) { r.ended = "failed"; panic(r) }

func TestSkipIsListed(t *testing.T) {
	list := t.TempDir() + "/skips"
	t.Setenv("PEER_SKIPS", list)
	t.Setenv("REQUIRE_PEERS", "")
	r := &recorder{TB: t}
	peer.Program(r, "no-such-program-anywhere")
	peer.Skip(r, "java", "too old")
	data, err := os.ReadFile(list)
	if err != nil {
		t.Fatal(err)
	}
	want := "no-such-program-anywhere: not installed (TestOfIt)\njava: too old (TestOfIt)\n"
	if string(data) != want || r.ended != "skipped" {
		t.Errorf("test %s, list:\n%s", r.ended, data)
	}
}

func TestSkipFailsWherePeersAreRequired(t *testing.T) {
	list := t.TempDir() + "/skips"
	t.Setenv("PEER_SKIPS", list)
	t.Setenv("REQUIRE_PEERS", "1")
	r := &recorder{TB: t}
	func() {
		defer func() { _ = recover() }()
		peer.Program(r, "no-such-program-anywhere")
	}()
	if _, err := os.Stat(list); r.ended != "failed" || err == nil {
		t.Errorf("test %s", r.ended)
	}
}

func TestProgramIsFound(t *testing.T) {
	if path := peer.Program(t, "go"); !strings.HasSuffix(path, "go") {
		t.Errorf("go is at %s", path)
	}
}
