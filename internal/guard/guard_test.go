package guard

import "testing"

// Each rule has a name of its own, and is out exactly where the build allows it.
func TestRules(t *testing.T) {
	for r := range Rules {
		if got, ok := Find(r.String()); !ok || got != r {
			t.Errorf("rule %d, %q, is found as %d, %t", r, r, got, ok)
		}
		if s := Of(r); s.Out(r) != Switches || s.Out((r+1)%Rules) {
			t.Errorf("%s: out %t, its neighbour %t; switches %t", r, s.Out(r), s.Out((r+1)%Rules), Switches)
		}
	}
	if _, ok := Find("none"); ok {
		t.Error("a rule that is not there")
	}
}
