package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/moldau/moldau/internal/peer"
	"github.com/moldau/moldau/sim/engine"
	"github.com/moldau/moldau/sim/overlay"
)

// root is the module's folder, seen from here.
const root = "../.."

// seeds are as many as a bug may take to be found.
const seeds = 100

// build builds this package as a guest for an engine, or skips the test.
func build(t *testing.T, kind engine.Kind) *engine.Guest {
	t.Helper()
	if kind == engine.Native {
		if chosen, note, err := engine.Choose(""); err != nil || chosen != kind {
			peer.Skip(t, "native engine", fmt.Sprint(note, err))
		}
	}
	g, err := engine.Build(t.Context(), engine.Config{Engine: kind, Package: "./sim/selftest", Dir: root})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// run runs a guest once. It may be called from any goroutine, as output may.
func run(t *testing.T, g *engine.Guest, p engine.Params) engine.Result {
	t.Helper()
	p.Stdout = filepath.Join(t.TempDir(), "stdout")
	r, err := g.Run(t.Context(), p)
	if err != nil {
		t.Error(err)
	}
	return r
}

// output runs a guest that must not break and returns what it printed.
func output(t *testing.T, g *engine.Guest, p engine.Params) []byte {
	t.Helper()
	r := run(t, g, p)
	if broken := r.Broken(); broken != "" {
		t.Errorf("%s, seed %d: %s\n%s", p.Scenario, p.Seed, broken, r.Stderr)
	}
	out, err := os.ReadFile(r.Stdout)
	if err != nil {
		t.Error(err)
	}
	return out
}

// TestNativeFindsBugs: each planted bug shows within the seeds, and does not
// show with each: a seed must be able to make the harmless run too.
func TestNativeFindsBugs(t *testing.T) {
	g := build(t, engine.Native)
	for bug := range bugs {
		found := 0
		for seed := range uint64(seeds) {
			if bytes.HasPrefix(output(t, g, engine.Params{Scenario: bug, Seed: seed}), []byte("found")) {
				found++
			}
		}
		t.Logf("%s: %d of %d seeds", bug, found, seeds)
		if found == 0 || found == seeds {
			t.Errorf("%s was found by %d of %d seeds", bug, found, seeds)
		}
	}
}

// TestWasmFindsBugs: the bugs that show often enough for few seeds.
func TestWasmFindsBugs(t *testing.T) {
	g := build(t, engine.Wasm)
	for _, bug := range []string{"start-order", "select-order", "atomics"} {
		found, tries := false, 0
		for ; tries < 60 && !found; tries++ {
			found = bytes.HasPrefix(output(t, g, engine.Params{Scenario: bug, Seed: uint64(tries)}), []byte("found"))
		}
		t.Logf("%s: %v after %d seeds", bug, found, tries)
		if !found {
			t.Errorf("%s was not found by %d seeds", bug, tries)
		}
	}
}

// TestNativeRepeats: a seed gives the same bytes, alone and beside another one
// on a busy machine, in processes with other folders and environments.
func TestNativeRepeats(t *testing.T) {
	repeats(t, build(t, engine.Native), "", 20)
}

// TestWasmRepeats is the same, shorter.
func TestWasmRepeats(t *testing.T) {
	repeats(t, build(t, engine.Wasm), "steps=200", 3)
}

func repeats(t *testing.T, g *engine.Guest, options string, times int) {
	run := func(seed uint64) []byte {
		p := engine.Params{Scenario: "churn", Seed: seed, Options: options}
		return output(t, g, p)
	}
	first, other := run(1), run(2)
	if bytes.Equal(first, other) {
		t.Error("two seeds give the same output")
	}
	stop := burn()
	defer stop()
	for i := range times - 1 {
		t.Setenv("MOLDAU_SELFTEST_NOISE", strings.Repeat("x", 37*i))
		t.Chdir(t.TempDir())
		beside := make(chan []byte)
		go func() { beside <- run(2) }()
		for seed, same := range map[uint64][2][]byte{1: {first, run(1)}, 2: {other, <-beside}} {
			if line, a, b := difference(same[0], same[1]); line > 0 {
				t.Fatalf("seed %d, run %d: line %d is\n%s\nand was\n%s", seed, i+2, line, b, a)
			}
		}
	}
}

// TestLayout: natively, nothing but the order of maps whose keys are addresses
// depends on where things lie in memory, over collections too.
func TestLayout(t *testing.T) {
	g := build(t, engine.Native)
	churn := func(options string) []byte {
		return output(t, g, engine.Params{Scenario: "churn", Seed: 5, Options: options})
	}
	first := churn("places=off ballast=0")
	for ballast := 1; ballast < 6; ballast++ {
		out := churn(fmt.Sprint("places=off ballast=", ballast))
		if line, a, b := difference(first, out); line > 0 {
			t.Fatalf("ballast %d: line %d is\n%s\nand was\n%s", ballast, line, b, a)
		}
	}
	if bytes.Equal(churn("ballast=0"), churn("ballast=1")) {
		t.Error("the ballast moves nothing, so that this test says nothing")
	}
}

// burn keeps a processor busy until it is stopped.
func burn() (stop func()) {
	var done atomic.Bool
	go func() {
		for !done.Load() {
		}
	}()
	return func() { done.Store(true) }
}

// difference is the first line, from 1, in which two outputs differ, 0 if they
// do not.
func difference(a, b []byte) (line int, inA, inB string) {
	if bytes.Equal(a, b) {
		return 0, "", ""
	}
	la, lb := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	for i := range min(len(la), len(lb)) {
		if la[i] != lb[i] {
			return i + 1, la[i], lb[i]
		}
	}
	return min(len(la), len(lb)) + 1, "", ""
}

// TestGuestSeesNothing: what a guest knows of the outside is fixed.
func TestGuestSeesNothing(t *testing.T) {
	for _, kind := range []engine.Kind{engine.Native, engine.Wasm} {
		g := build(t, kind)
		t.Setenv("MOLDAU_SELFTEST_NOISE", "1")
		out := string(output(t, g, engine.Params{Scenario: "see", Seed: 1 << 63, Duration: time.Minute, Options: "a=b"}))
		for _, want := range []string{
			"1 guest\n", "SIM_SEED=09223372036854775808\n", "SIM_DURATION_MS=0000060000\n",
			"SIM_OPTIONS=a=b" + strings.Repeat(" ", 125) + "\n",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("%v: %q is missing in\n%s", kind, want, out)
			}
		}
		if strings.Contains(out, "NOISE") || strings.Contains(out, "PATH") {
			t.Errorf("%v: the guest sees the host's environment:\n%s", kind, out)
		}
	}
}

// TestCover: a guest that counts its lines leaves the counts in the folder that
// it is given.
func TestCover(t *testing.T) {
	for _, kind := range []engine.Kind{engine.Native, engine.Wasm} {
		g, err := engine.Build(t.Context(), engine.Config{Engine: kind, Package: "./sim/selftest", Dir: root, Cover: []string{"./sim/..."}})
		if errors.Is(err, overlay.ErrUnknownToolchain) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		output(t, g, engine.Params{Scenario: "start-order", CoverDir: dir})
		percent, err := exec.Command("go", "tool", "covdata", "func", "-i="+dir).CombinedOutput()
		if err != nil || !regexp.MustCompile(`bugs\.go:\d+:\s+startOrder\s+100\.0%`).Match(percent) {
			t.Errorf("%v: %v\n%s", kind, err, percent)
		}
	}
}

// TestBadEndings: a guest that runs away, falls over or takes too much is
// broken, and says where it was.
func TestBadEndings(t *testing.T) {
	const wall = 3 * time.Second
	both := []engine.Kind{engine.Native, engine.Wasm}
	cases := []struct {
		params engine.Params
		on     []engine.Kind
		ending engine.Ending
		exit   int
		says   string
	}{
		{engine.Params{Scenario: "spin", WallLimit: wall}, both[:1], engine.OverTime, 2, "main.spin"},
		{engine.Params{Scenario: "spin", WallLimit: wall}, both[1:], engine.OverTime, 2, "its stack is not known"},
		{engine.Params{Scenario: "poll", WallLimit: wall}, both[:1], engine.OverTime, 2, "main.poll"},
		{engine.Params{Scenario: "poll", WallLimit: wall}, both[1:], engine.OverTime, 125, "main.poll"},
		{engine.Params{Scenario: "deadlock"}, both, engine.Exited, 2, "all goroutines are asleep - deadlock!"},
		{engine.Params{Scenario: "panic"}, both, engine.Exited, 2, "panic: planted"},
		{engine.Params{Scenario: "give-up"}, both, engine.Exited, 3, "planted"},
		{engine.Params{Scenario: "hoard", Memory: 256 << 20}, both, engine.OverMemory, 2, "main.hoard"},
		{engine.Params{Scenario: "recurse", Memory: 256 << 20}, both[:1], engine.OverMemory, 2, "main.recurse"},
		{engine.Params{Scenario: "flood", StdoutMax: 1 << 20}, both, engine.OverOutput, 3, "write /dev/stdout: "},
		{engine.Params{Scenario: "unknown"}, both, engine.Exited, 1, "no scenario"},
	}
	for _, kind := range both {
		g := build(t, kind)
		for _, c := range cases {
			if !slices.Contains(c.on, kind) {
				continue
			}
			t.Run(fmt.Sprint(kind, " ", c.params.Scenario), func(t *testing.T) {
				r := run(t, g, c.params)
				if r.Broken() == "" || r.Ending != c.ending || r.Exit != c.exit || !strings.Contains(r.Stderr, c.says) {
					t.Errorf("%q, ending %v, status %d, wants %v, %d, %q in\n%s", r.Broken(), r.Ending, r.Exit, c.ending, c.exit, c.says, r.Stderr)
				}
			})
		}
	}
}
