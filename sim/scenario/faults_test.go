package scenario_test

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moldau/moldau/internal/simcore"
	"github.com/moldau/moldau/sim/fault"
	"github.com/moldau/moldau/sim/scenario"
)

// TestEveryFaultHits runs each fault alone, often, and finds its mark.
func TestEveryFaultHits(t *testing.T) {
	mixed, err := scenario.Find("mixed")
	if err != nil {
		t.Fatal(err)
	}
	allows, err := scenario.Find("beyond")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range fault.All() {
		plan := mixed
		if f.Beyond {
			plan = allows
		}
		t.Run(f.Name, func(t *testing.T) {
			var done scenario.Done
			var out bytes.Buffer
			synctest.Test(t, func(*testing.T) {
				done, err = scenario.Run(scenario.Options{
					Seed: 1, Scenario: plan, Duration: 20 * time.Second, Out: &out, Timebase: simcore.ProcessTime{},
					EventsMax: 50_000_000, ReadsMax: 100_000_000, Abort: func(reason string) { panic(reason) },
					Goroutines: inBubble, Faults: []string{"none", f.Name + ":1s"},
				})
			})
			if err != nil {
				t.Error(err)
			}
			for _, mark := range f.Marks {
				if done.Marks[mark] > 0 {
					return
				}
			}
			t.Errorf("none of %v fired; there are %v", f.Marks, done.Marks)
		})
	}
}
