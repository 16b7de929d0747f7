package compare

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/moldau/moldau/bench/load"
	"github.com/moldau/moldau/bench/stats"
	"github.com/moldau/moldau/bench/table"
)

// RoundsMin is how many rounds a number needs.
const RoundsMin = 3

// Row is one figure of one scenario, summed up.
type Row struct {
	Scenario, Metric string
	// Values are medians over the rounds, as text: the number, "-" for a system
	// that did not run, or table.TooBusy.
	Values map[System]string
	Ratio  string // median (least to most) of ours, at os unless the metric says so, to Kafka's
	Wanted string
	// Others is the share of the machine that others had, in percent: medians
	// of the three systems in the table's order.
	Others string
	Met    string // "yes", "no", or empty where that cannot be said
}

// Summary are the rows of one scenario from all its runs. rounds is how many
// were planned; with fewer than RoundsMin there are numbers but no verdicts.
func Summary(s load.Scenario, runs []Run, rounds int) []Row {
	needed := min(RoundsMin, rounds)
	var rows []Row
	busy := others(runs, MoldauOS, rounds) + " / " + others(runs, Kafka, rounds) + " / " + others(runs, MoldauSync, rounds)
	for _, m := range metrics(s) {
		row := Row{Scenario: s.Name, Metric: m.name, Values: map[System]string{}, Wanted: m.want.String(), Others: busy}
		series := map[System][]float64{}
		for _, system := range []System{MoldauOS, Kafka, MoldauSync} {
			values, ran := byRound(runs, system, m, rounds)
			series[system] = values
			row.Values[system] = "-"
			if present := stats.Present(values); len(present) >= needed {
				row.Values[system] = fmt.Sprintf(m.format, stats.Median(present))
			} else if ran {
				row.Values[system] = table.TooBusy
			}
		}
		ours := series[MoldauOS]
		if m.sync {
			ours = series[MoldauSync]
		}
		row.ratio(stats.Ratios(ours, series[Kafka]), m.want, needed, rounds)
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

// others is the median share of others over a system's last attempts.
func others(runs []Run, system System, rounds int) string {
	shares := map[int]float64{}
	for _, r := range runs {
		if r.System == system && r.Round < rounds {
			shares[r.Round] = r.OthersShare
		}
	}
	if len(shares) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f", 100*stats.Median(slices.Collect(maps.Values(shares))))
}

// Print writes rows as a table.
func Print(w io.Writer, rows []Row) error {
	t := table.New(w)
	fmt.Fprintln(t, "scenario\tfigure\tMoldau, os\tKafka\tratio\twanted\tmet\tMoldau, sync\tothers, %")
	last := ""
	for _, r := range rows {
		name, busy := r.Scenario, r.Others
		if name == last {
			name, busy = "", ""
		}
		last = r.Scenario
		fmt.Fprintln(t, strings.Join([]string{name, r.Metric, r.Values[MoldauOS], r.Values[Kafka], r.Ratio, r.Wanted, r.Met, r.Values[MoldauSync], busy}, "\t"))
	}
	return t.Flush()
}
