package hostile

import (
	"fmt"
	"io"
	"math"
	"slices"
	"text/tabwriter"

	"github.com/moldau/moldau/bench/stats"
	"github.com/moldau/moldau/bench/table"
)

const (
	// roundsMin is how many rounds a verdict needs.
	roundsMin = 3
	// slowerMax is how many times its undisturbed p99 a good producer's may take.
	slowerMax = 3
	// rssMax is what the node may take at its peak, in bytes.
	rssMax = 300_000_000
)

// Print writes the rounds and what is wanted of them.
func Print(w io.Writer, rounds []Round) error {
	return table.Judged(w, func(t *tabwriter.Writer) {
		fmt.Fprintln(t, "round\tquiet p50, ms\tp99, ms\tunder attack p50, ms\tp99, ms\tratio of p99\tpeak RSS, MB\tothers, %")
		for _, r := range rounds {
			fmt.Fprintf(t, "%d\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.0f\t%.0f\n", r.Round+1, r.QuietP50Ms, r.QuietP99Ms,
				r.AttackP50Ms, r.AttackP99Ms, r.Ratio, float64(r.PeakRSSBytes)/1e6, 100*r.OthersShare)
		}
	}, Verdicts(rounds))
}

// Verdicts are about the best round that counts, as whoever else uses the
// machine can only make a round worse, and about memory in all rounds.
func Verdicts(rounds []Round) (lines []string) {
	var ratios []float64
	peak := int64(0)
	for _, r := range rounds {
		peak = max(peak, r.PeakRSSBytes)
		if !r.TooBusy && r.Ratio > 0 && !math.IsNaN(r.Ratio) {
			ratios = append(ratios, r.Ratio)
		}
	}
	head := "under attack a good producer's p99 is "
	switch {
	case len(rounds) < roundsMin:
		lines = append(lines, fmt.Sprintf("(smoke: verdicts need %d rounds)", roundsMin))
	case len(ratios) < roundsMin:
		lines = append(lines, head+"not known: the machine was too busy to tell")
	default:
		best := slices.Min(ratios)
		lines = append(lines, fmt.Sprintf("%s%.2f times the quiet one at best, %.2f in the median (wanted: at most %d at best): %s",
			head, best, stats.Median(ratios), slowerMax, table.Met(best <= slowerMax)))
	}
	return append(lines, fmt.Sprintf("the node took %.0f MB at its peak (wanted: at most %.0f): %s", float64(peak)/1e6, rssMax/1e6, table.Met(peak <= rssMax)))
}
