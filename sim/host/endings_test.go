package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/moldau/moldau/sim/engine"
)

// TestBadEndings: a guest that traps, sleeps for ever, takes all the memory or
// gives itself up is broken, never ok: the status, the line and what is kept of
// the run say so, with the guest's stacks.
func TestBadEndings(t *testing.T) {
	kind, _, err := engine.Choose("")
	if err != nil {
		t.Fatal(err)
	}
	guest, err := engine.Build(t.Context(), engine.Config{Engine: kind, Package: "./sim/selftest", Dir: "../.."})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ scenario, says, stack string }{
		{"panic", "panic: planted", "main.init.func"},
		{"deadlock", "all goroutines are asleep - deadlock!", "goroutine 1"},
		{"give-up", "planted", ""},
		{"hoard", "over its limit of memory", "main.hoard"},
		{"nothing", "the guest's last line is missing", ""},
	} {
		t.Run(c.scenario, func(t *testing.T) {
			o := &options{out: t.TempDir(), jobs: 1, duration: time.Minute}
			r, err := withGuest(o, guest)
			if err != nil {
				t.Fatal(err)
			}
			defer r.close()
			var out bytes.Buffer
			status, err := r.batch(t.Context(), []job{{seed: 1, scenario: c.scenario, duration: time.Minute}}, true, &out)
			if err != nil || status != exitBroken || !strings.Contains(out.String(), "verdict=broken") {
				t.Errorf("status %d, %v\n%s", status, err, out.String())
			}
			kept, err := os.ReadFile(filepath.Join(o.out, c.scenario+"-1", failureFile))
			if err != nil || !strings.Contains(string(kept), c.says) || !strings.Contains(string(kept), c.stack) || !strings.Contains(string(kept), "replay: ") {
				t.Errorf("%v, want %q and %q in\n%s", err, c.says, c.stack, kept)
			}
		})
	}
}

// TestBudgets: a run that passes its budget of events or clock readings is
// broken, and says which and when; the same run within them is judged.
func TestBudgets(t *testing.T) {
	t.Chdir("../..") // the guest is built from the module's root
	dir := t.TempDir()
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"-events 300", exitBroken, "more than 300 events after "},
		{"-reads 1000", exitBroken, "more than 1000 clock reads after "},
		{"", exitOK, "verdict=ok"},
	} {
		var out, errs bytes.Buffer
		args := append([]string{"run", "-seeds", "1", "-scenario", "late-repeat", "-duration", "10s", "-out", dir, "-options", "faults=none"}, strings.Fields(c.args)...)
		if status := host(t.Context(), args, &out, &errs); status != c.status || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: status %d, want %d and %q in\n%s%s", c.args, status, c.status, c.says, out.String(), errs.String())
		}
	}
}
