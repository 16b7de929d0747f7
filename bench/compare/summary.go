package compare

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/moldau/moldau/bench/load"
	"github.com/moldau/moldau/bench/stats"
)

// RoundsMin is how many rounds a number needs.
const RoundsMin = 3

// Row is one figure of one scenario, summed up.
type Row struct {
	Scenario, Metric string
	// Values are medians over the rounds, as text: the number, "-" for a system
	// that did not run, or tooBusy.
	Values map[System]string
	Ratio  string // median (least to most) of ours at os to Kafka's
	Wanted string
	Met    string // "yes", "no", or empty where that cannot be said
}

// Summary are the rows of one scenario from all its runs. rounds is how many
// were planned; with fewer than RoundsMin there are numbers but no verdicts.
func Summary(s load.Scenario, runs []Run, rounds int) []Row {
	needed := min(RoundsMin, rounds)
	var rows []Row
	for _, m := range metrics(s) {
		row := Row{Scenario: s.Name, Metric: m.name, Values: map[System]string{}, Wanted: m.want.String()}
		series := map[System][]float64{}
		for _, system := range []System{MoldauOS, Kafka, MoldauSync} {
			values, ran := byRound(runs, system, m, rounds)
			series[system] = values
			row.Values[system] = "-"
			if present := stats.Present(values); len(present) >= needed {
				row.Values[system] = fmt.Sprintf(m.format, stats.Median(present))
			} else if ran {
				row.Values[system] = tooBusy(runs, system)
			}
		}
		row.ratio(stats.Ratios(series[MoldauOS], series[Kafka]), m.want, needed, rounds)
		rows = append(rows, row)
	}
	return rows
}

// byRound is the figure of the last attempt of each round; NaN where there is
// none or the machine was too busy.
func byRound(runs []Run, system System, m metric, rounds int) (values []float64, ran bool) {
	values = slices.Repeat([]float64{missing()}, rounds)
	for _, r := range runs {
		if r.System != system || r.Round >= rounds {
			continue
		}
		ran = true
		values[r.Round] = missing()
		if !r.TooBusy {
			values[r.Round] = m.of(r)
		}
	}
	return values, ran
}

func (row *Row) ratio(ratios []float64, w want, needed, rounds int) {
	row.Ratio = "-"
	if len(ratios) < needed || len(ratios) == 0 {
		return
	}
	median := stats.Median(ratios)
	row.Ratio = fmt.Sprintf("%.2f (%.2f to %.2f)", median, slices.Min(ratios), slices.Max(ratios))
	if row.Wanted != "" && rounds >= RoundsMin {
		row.Met = "no"
		if w.met(median) {
			row.Met = "yes"
		}
	}
}

func (w want) String() string {
	switch {
	case w.atMost > 0:
		return fmt.Sprintf("at most %.2f", w.atMost)
	case w.atLeast > 0:
		return fmt.Sprintf("at least %.2f", w.atLeast)
	}
	return ""
}

// tooBusy says so, with the median share of others.
func tooBusy(runs []Run, system System) string {
	var shares []float64
	for _, r := range runs {
		if r.System == system {
			shares = append(shares, r.OthersShare)
		}
	}
	return fmt.Sprintf("too busy to tell (others %.0f %%)", 100*stats.Median(shares))
}

// Print writes rows as a table.
func Print(w io.Writer, rows []Row) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "scenario\tfigure\tMoldau, os\tKafka\tratio\twanted\tmet\tMoldau, sync")
	last := ""
	for _, r := range rows {
		name := r.Scenario
		if name == last {
			name = ""
		}
		last = r.Scenario
		fmt.Fprintln(t, strings.Join([]string{name, r.Metric, r.Values[MoldauOS], r.Values[Kafka], r.Ratio, r.Wanted, r.Met, r.Values[MoldauSync]}, "\t"))
	}
	return t.Flush()
}
