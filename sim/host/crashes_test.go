package main

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/moldau/moldau/internal/peer"
	"github.com/moldau/moldau/sim/engine"
	"github.com/moldau/moldau/sim/overlay"
)

// TestAThousandCrashes ends a thousand processes in one guest, under clients, at
// drawn calls, power losses among them: the guest's memory stays what it was.
// On the engine that is slow a few dozen have to do.
func TestAThousandCrashes(t *testing.T) {
	t.Chdir("../..") // the guest is built from the module's root
	for _, c := range []struct {
		kind     engine.Kind
		duration time.Duration
		least    int64
	}{
		{engine.Native, 20 * time.Minute, 1000},
		{engine.Wasm, 45 * time.Second, fewEnds},
	} {
		t.Run(c.kind.String(), func(t *testing.T) {
			if testing.Short() {
				c.duration, c.least = time.Minute, fewEnds
			}
			o := &options{out: t.TempDir(), jobs: 1, events: eventsMaxDefault, reads: readsMaxDefault}
			var out bytes.Buffer
			r, err := newRunner(t.Context(), o, c.kind.String(), &out)
			if errors.Is(err, overlay.ErrUnknownToolchain) {
				peer.Skip(t, "native engine", err.Error())
			}
			if err != nil {
				t.Fatal(err)
			}
			defer r.close()
			done, err := r.run(t.Context(), job{seed: 1, scenario: "attrition", duration: c.duration})
			if err != nil {
				t.Fatal(err)
			}
			if done.status() != exitOK {
				t.Fatal(r.explain(done))
			}
			marks := done.output.done.Marks
			if ended := marks["process.kill"] + marks["process.power loss"]; ended < c.least {
				t.Errorf("%d processes ended, want %d", ended, c.least)
			}
		})
	}
}

// fewEnds is how many processes end in a short run, at least: more than
// pass before memory is looked at for the first time.
const fewEnds = 31
