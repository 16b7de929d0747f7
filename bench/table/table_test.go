package table

import (
	"math"
	"strings"
	"testing"
)

type run struct {
	system string
	busy   bool
	ms     float64
}

func (r run) Of() (string, bool) { return r.system, r.busy }

// TestCompare: each figure has its medians, its wish and its verdict, and a
// verdict stands only where every number that it needs is there.
func TestCompare(t *testing.T) {
	for name, c := range map[string]struct {
		ratio, most float64
		runs        []run
		want        string
	}{
		"median within":          {0, 20, []run{{ms: 10}, {ms: 30}, {ms: 12}}, "f|12.0 (of 3)|-|at most 20|yes"},
		"median above":           {0, 20, []run{{ms: 21}}, "f|21.0 (of 1)|-|at most 20|no"},
		"a busy run counts not":  {0, 20, []run{{ms: 10}, {ms: 90, busy: true}}, "f|10.0 (of 1)|-|at most 20|yes"},
		"busy runs alone":        {0, 20, []run{{ms: 10, busy: true}}, "f|too busy to tell|-|at most 20|"},
		"no wish":                {0, 0, []run{{ms: 10}}, "f|10.0 (of 1)|-||"},
		"not told":               {0, 20, []run{{ms: math.NaN()}, {ms: math.NaN(), busy: true}}, "f|-|-|at most 20|"},
		"ratio met":              {0.5, 0, []run{{ms: 10}, {system: "kafka", ms: 20}}, "f|10.0 (of 1)|20.0 (of 1)|at most 0.50 of Kafka's|yes"},
		"ratio missed":           {0.5, 0, []run{{ms: 11}, {system: "kafka", ms: 20}}, "f|11.0 (of 1)|20.0 (of 1)|at most 0.50 of Kafka's|no"},
		"ratio to nothing":       {0.5, 0, []run{{ms: 11}}, "f|11.0 (of 1)|-|at most 0.50 of Kafka's|"},
		"ratio to busy":          {0.5, 0, []run{{ms: 11}, {system: "kafka", ms: 90, busy: true}}, "f|11.0 (of 1)|too busy to tell|at most 0.50 of Kafka's|"},
		"Kafka's is not wanted":  {0, 20, []run{{ms: 11}, {system: "kafka", ms: 90}}, "f|11.0 (of 1)|90.0 (of 1)|at most 20|yes"},
		"Kafka's alone is known": {0, 20, []run{{system: "kafka", ms: 9}}, "f|-|9.0 (of 1)|at most 20|"},
	} {
		for i := range c.runs {
			if c.runs[i].system == "" {
				c.runs[i].system = "moldau"
			}
		}
		var out strings.Builder
		f := Figure[run]{Name: "f", Format: "%.1f", Value: func(r run) float64 { return r.ms }, RatioMax: c.ratio, Most: c.most}
		if err := Compare(&out, c.runs, []Figure[run]{f}); err != nil {
			t.Fatal(err)
		}
		if got := cells(out.String()); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// cells are those of the second line, cut where the first line's columns begin.
func cells(text string) string {
	lines := strings.Split(text, "\n")
	var out []string
	from := 0
	for _, head := range []string{"Moldau", "Kafka", "wanted of Moldau", "met", ""} {
		to := len(lines[1])
		if head != "" {
			to = from + strings.Index(lines[0][from:], head)
		}
		to = min(to, len(lines[1]))
		out = append(out, strings.TrimSpace(lines[1][min(from, to):to]))
		from = to
	}
	return strings.Join(out, "|")
}
