package main

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/moldau/moldau/sim/engine"
	"github.com/moldau/moldau/sim/plant"
)

const (
	historyDuration = 30 * time.Second // that clients and faults go on
	historySeeds    = 20               // for each history; nearly all are shown by the first
)

// What real systems once did shows again where the rules that stand against it are
// taken out, and by the same seed does not with them in force. One guest serves
// all: the rules are switched off by its options.
func TestHistories(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a guest")
	}
	kind, note, err := engine.Choose("")
	if err != nil || note != "" {
		t.Skip("seeds are those of the native engine: ", note, err)
	}
	guest, err := engine.Build(t.Context(), engine.Config{
		Engine: kind, Package: guestPackage, Dir: filepath.Join("..", ".."), Tags: []string{"explore"},
	})
	if err != nil {
		t.Fatal(err)
	}
	r, err := withGuest(&options{out: t.TempDir(), events: eventsMaxDefault, reads: readsMaxDefault, jobs: 1}, guest)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.close)
	for _, p := range plant.All() {
		if len(p.Without) > 0 {
			t.Run(p.Scenario, func(t *testing.T) {
				t.Parallel()
				showsAgain(t, r, p)
			})
		}
	}
}

// showsAgain looks for a seed that shows a history.
func showsAgain(t *testing.T, r *runner, p plant.Plant) {
	h := plantHunt{plant: p, sound: r}
	for seed := range uint64(historySeeds) {
		x, err := r.run(t.Context(), job{seed: seed + 1, scenario: p.Scenario, duration: historyDuration, options: p.Options("")})
		if err == nil {
			err = h.take(t.Context(), x)
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.found != nil {
			t.Log(h.text())
			break
		}
	}
	if h.found == nil || len(h.before) > 0 {
		t.Errorf("%s: %s", p.Options(""), h.text())
	}
}
