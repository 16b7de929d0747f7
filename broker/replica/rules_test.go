//go:build explore

package replica

import (
	"path/filepath"
	"testing"

	"github.com/moldau/moldau/internal/guard"
)

// deaf is a test that only notes that it failed.
type deaf struct{ testing.TB }

type failure struct{}

func (deaf) Helper()               {}
func (deaf) Log(...any)            {}
func (deaf) Logf(string, ...any)   {}
func (deaf) Fatal(...any)          { panic(failure{}) }
func (deaf) Fatalf(string, ...any) { panic(failure{}) }
func (deaf) Errorf(string, ...any) { panic(failure{}) }

// scriptsNotice reports whether some script fails without the rule, or finds a
// broken invariant.
func scriptsNotice(t *testing.T, r guard.Rule) (noticed bool) {
	paths, err := filepath.Glob("testdata/replica/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		func() {
			defer func() { noticed = recover() != nil || noticed }()
			runScript(deaf{t}, path, guard.Of(r))
		}()
	}
	return noticed
}

// Without any one rule that the machine obeys, some script fails: there is a
// test for each.
func TestEachRuleHasAScript(t *testing.T) {
	for r := guard.L2Diverging; r <= guard.F2Epochs; r++ {
		if !scriptsNotice(t, r) {
			t.Errorf("no script fails without rule %s", r)
		}
	}
	for _, r := range []guard.Rule{guard.L1Broker, guard.F5Diverging} {
		if !scriptsNotice(t, r) {
			t.Errorf("no script fails without rule %s", r)
		}
	}
	if scriptsNotice(t, guard.C2Bump) {
		t.Error("the scripts fail with all rules of the machine in force")
	}
}

// Random runs of a cluster find what many of the rules are for.
func TestClusterNeedsItsRules(t *testing.T) {
	const seeds = 4000
rules:
	for _, r := range []guard.Rule{
		guard.L3Own, guard.L3MinISR, guard.L3Pending, guard.L3Removal, guard.L4Position, guard.L4Report, guard.L4Durable,
		guard.L5HighWatermark, guard.L5LogStart, guard.L7MinISR, guard.F1Diverge,
	} {
		for seed := range uint64(seeds) {
			if err := runSeed(seed, guard.Of(r), false); err != nil {
				t.Logf("%s: seed %d: %v", r, seed, err)
				continue rules
			}
		}
		t.Errorf("%s: nothing was broken in %d runs without it", r, seeds)
	}
}
