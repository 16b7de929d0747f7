package engine

import (
	"strings"
	"testing"
	"time"
)

func TestChoose(t *testing.T) {
	if kind, note, err := Choose("wasm"); kind != Wasm || note != "" || err != nil {
		t.Error(kind, note, err)
	}
	if _, _, err := Choose("java"); err == nil || !strings.Contains(err.Error(), "native and wasm") {
		t.Errorf("engine java: %v", err)
	}
	kind, note, err := Choose("")
	if err != nil || (kind == Wasm) != (note != "") {
		t.Errorf("%v, %q, %v: who gets wasm is told so", kind, note, err)
	}
}

// TestEnvironment: the length of what a guest gets does not depend on what it
// says, and what does not fit is refused.
func TestEnvironment(t *testing.T) {
	length := func(p Params) int {
		env, err := p.environment()
		if err != nil {
			t.Fatal(err)
		}
		return len(strings.Join(env, "\x00"))
	}
	most := Params{
		Seed: 1<<64 - 1, Scenario: strings.Repeat("s", scenarioWidth), Duration: 9999999999 * time.Millisecond,
		Events: 999999999999, Reads: 999999999999, Options: strings.Repeat("o", optionsWidth),
	}
	if a, b := length(Params{}), length(most); a != b {
		t.Errorf("%d bytes for nothing, %d for everything", a, b)
	}
	for what, p := range map[string]Params{
		"scenario": {Scenario: strings.Repeat("s", scenarioWidth+1)},
		"line":     {Scenario: "a\nb"},
		"options":  {Options: strings.Repeat("o", optionsWidth+1)},
		"duration": {Duration: -1},
		"events":   {Events: 1e12},
		"reads":    {Reads: 1e12},
	} {
		if _, err := p.environment(); err == nil {
			t.Errorf("%s: %+v was taken", what, p)
		}
	}
}
