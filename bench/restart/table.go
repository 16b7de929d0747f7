package restart

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/moldau/moldau/bench/stats"
)

// What is wanted of Moldau.
const (
	emptyMsMax  = 50
	killedMsMax = 500
	idleBytes   = 30e6
)

// figure is a line of the table.
type figure struct {
	name, what, format string
	of                 func(Result) float64
	most               float64 // 0 for no wish
}

func figures() []figure {
	metadata := func(r Result) float64 { return r.MetadataMs }
	rss := func(r Result) float64 { return float64(r.RSSBytes) / 1e6 }
	return []figure{
		{"empty directory: exec to first Metadata, ms", "empty", "%.1f", metadata, emptyMsMax},
		{"idle: RSS, MB", "idle", "%.1f", rss, idleBytes / 1e6},
		{"killed: exec to first Metadata, ms", "killed", "%.0f", metadata, killedMsMax},
		{"killed: exec to all partitions served, ms", "killed", "%.0f", func(r Result) float64 { return r.ServedMs }, killedMsMax},
		{"killed: exec to a record acknowledged by each partition, ms", "killed", "%.0f", func(r Result) float64 { return r.ProducedMs }, killedMsMax},
		{"killed: RSS when served, MB", "killed", "%.0f", rss, 0},
	}
}

// Print writes medians of both systems.
func Print(w io.Writer, results []Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "figure\tMoldau\tKafka\twanted of Moldau\tmet")
	for _, f := range figures() {
		ours, median, n := f.median(results, "moldau")
		theirs, _, _ := f.median(results, "kafka")
		wanted, met := "", ""
		if f.most > 0 {
			wanted = fmt.Sprintf("at most %.0f", f.most)
		}
		if f.most > 0 && n > 0 {
			met = "no"
			if median <= f.most {
				met = "yes"
			}
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", f.name, ours, theirs, wanted, met)
	}
	for _, r := range results {
		if r.What == "killed" && !r.Kept {
			fmt.Fprintf(t, "%s lost acknowledged records when it was killed (round %d)\n", r.System, r.Round+1)
		}
	}
	return t.Flush()
}

// median over the rounds that met no busy machine.
func (f figure) median(results []Result, system string) (text string, median float64, n int) {
	var values []float64
	busy := 0
	for _, r := range results {
		switch {
		case r.System != system || r.What != f.what:
		case r.TooBusy:
			busy++
		default:
			values = append(values, f.of(r))
		}
	}
	switch {
	case len(values) > 0:
		median = stats.Median(values)
		return fmt.Sprintf(f.format+" (of %d)", median, len(values)), median, len(values)
	case busy > 0:
		return "too busy to tell", 0, 0
	}
	return "-", 0, 0
}
