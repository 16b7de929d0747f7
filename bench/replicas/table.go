package replicas

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/moldau/moldau/bench/stats"
)

// What is wanted of Moldau.
const (
	createRatioMax  = 0.5
	replicaBytesMax = 10e3
	returnMsMax     = 1000
)

// figure is a line of the table. ratioMax is for ours to Kafka's, most for ours.
type figure struct {
	name           string
	of             func(Result) float64
	ratioMax, most float64 // 0 for no wish
}

func figures() []figure {
	return []figure{
		{name: "created: answered, ms", of: func(r Result) float64 { return r.AnsweredMs }},
		{name: "created: all partitions served, ms", of: func(r Result) float64 { return r.ServedMs }, ratioMax: createRatioMax},
		{name: "created: a record acknowledged by each, ms", of: func(r Result) float64 { return r.WrittenMs }},
		{name: "idle replica: RSS, KB", of: func(r Result) float64 { return r.RSSPerReplica / 1e3 }},
		{name: "idle replica: live heap and stacks, KB", of: func(r Result) float64 { return r.LivePerReplica / 1e3 }, most: replicaBytesMax / 1e3},
		{name: "idle: CPU of all nodes, ms a second", of: func(r Result) float64 { return r.IdleCPUS * 1e3 }},
		{name: "killed: exec to all nodes known, ms", of: func(r Result) float64 { return r.BackMs }, most: returnMsMax},
		{name: "killed: exec to in sync everywhere, ms", of: func(r Result) float64 { return r.InSyncMs }, most: returnMsMax},
	}
}

// Print writes medians over the rounds that met no busy machine.
func Print(w io.Writer, results []Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "figure\tMoldau\tKafka\twanted of Moldau\tmet")
	for _, f := range figures() {
		ours, median, known := f.median(results, "moldau")
		theirs, kafka, both := f.median(results, "kafka")
		wanted, met := "", ""
		switch {
		case f.ratioMax > 0:
			wanted = fmt.Sprintf("at most %.2f of Kafka's", f.ratioMax)
			met = verdict(known && both, median <= f.ratioMax*kafka)
		case f.most > 0:
			wanted = fmt.Sprintf("at most %.0f", f.most)
			met = verdict(known, median <= f.most)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", f.name, ours, theirs, wanted, met)
	}
	return t.Flush()
}

func verdict(known, met bool) string {
	switch {
	case !known:
		return ""
	case met:
		return "yes"
	}
	return "no"
}

func (f figure) median(results []Result, system string) (text string, median float64, known bool) {
	var values []float64
	busy := 0
	for _, r := range results {
		switch {
		case r.System != system:
		case f.of(r) == 0: // the system does not tell
		case r.TooBusy:
			busy++
		default:
			values = append(values, f.of(r))
		}
	}
	switch {
	case len(values) > 0:
		median = stats.Median(values)
		return fmt.Sprintf("%.1f (of %d)", median, len(values)), median, true
	case busy > 0:
		return "too busy to tell", 0, false
	}
	return "-", 0, false
}
