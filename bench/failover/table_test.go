package failover

import (
	"strings"
	"testing"
)

func TestGoals(t *testing.T) {
	var rounds []Round
	add := func(what string, ms ...float64) {
		for _, v := range ms {
			rounds = append(rounds, Round{What: what, How: Kill, Ms: v})
		}
	}
	add(Leader, 10, 20, 30, 40, 50, 60, 70, 80, 90, 999)
	add(Controller, 10, 20, 30, 40, 50, 60, 70, 80, 501, 999) // two above 500
	add(Both, 10, 20, 30, 40, 50, 60, 70, 80, 90, 1001)
	var out strings.Builder
	if err := Print(&out, rounds); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 4 {
		t.Fatalf("want three cases:\n%s", out.String())
	}
	for i, want := range []string{"met", "missed", "missed"} {
		if fields := strings.Fields(lines[i+1]); fields[len(fields)-1] != want {
			t.Errorf("%q: want %s", lines[i+1], want)
		}
	}
	if fields := strings.Fields(lines[1]); fields[4] != "50" || fields[5] != "90" || fields[6] != "999" {
		t.Errorf("the distribution is wrong: %q", lines[1])
	}
}
