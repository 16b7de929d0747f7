package restart

import (
	"fmt"
	"io"
	"math"

	"github.com/moldau/moldau/bench/table"
)

// What is wanted of Moldau.
const (
	emptyMsMax  = 50
	killedMsMax = 500
	idleBytes   = 30e6
)

// Of implements table.Run.
func (r Result) Of() (system string, tooBusy bool) { return r.System, r.TooBusy }

func figures() []table.Figure[Result] {
	// of is a figure of the results of what alone.
	of := func(what, name, format string, most float64, value func(Result) float64) table.Figure[Result] {
		return table.Figure[Result]{Name: name, Format: format, Most: most, Value: func(r Result) float64 {
			if r.What != what {
				return math.NaN()
			}
			return value(r)
		}}
	}
	metadata := func(r Result) float64 { return r.MetadataMs }
	rss := func(r Result) float64 { return float64(r.RSSBytes) / 1e6 }
	return []table.Figure[Result]{
		of("empty", "empty directory: exec to first Metadata, ms", "%.1f", emptyMsMax, metadata),
		of("idle", "idle: RSS, MB", "%.1f", idleBytes/1e6, rss),
		of("killed", "killed: exec to first Metadata, ms", "%.0f", killedMsMax, metadata),
		of("killed", "killed: exec to all partitions served, ms", "%.0f", killedMsMax, func(r Result) float64 { return r.ServedMs }),
		of("killed", "killed: exec to a record acknowledged by each partition, ms", "%.0f", killedMsMax, func(r Result) float64 { return r.ProducedMs }),
		of("killed", "killed: RSS when served, MB", "%.0f", 0, rss),
	}
}

// Print writes medians of both systems, and which run lost records.
func Print(w io.Writer, results []Result) error {
	if err := table.Compare(w, results, figures()); err != nil {
		return err
	}
	for _, r := range results {
		if r.What == "killed" && !r.Kept {
			fmt.Fprintf(w, "%s lost acknowledged records when it was killed (round %d)\n", r.System, r.Round+1)
		}
	}
	return nil
}
