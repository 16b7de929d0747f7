package failover

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/moldau/moldau/bench/table"
)

// The goals: nine of ten within the first, all within the second.
const (
	mostMs  = 500
	mostOf  = 0.9
	everyMs = 1000
)

// Print writes the distribution of each case.
func Print(to io.Writer, rounds []Round) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "case\trounds\tmin ms\tp50\tp90\tmax\t≤ 500 ms\t≤ 1 s\tgoal\t")
	for _, c := range Cases() {
		ms := sorted(rounds, c)
		if len(ms) == 0 {
			continue
		}
		met := float64(within(ms, mostMs)) >= mostOf*float64(len(ms)) && within(ms, everyMs) == len(ms)
		fmt.Fprintf(w, "%s %s\t%d\t%.0f\t%.0f\t%.0f\t%.0f\t%d\t%d\t%s\t\n", c.How, c.What, len(ms), ms[0], quantile(ms, 0.5), quantile(ms, 0.9), ms[len(ms)-1],
			within(ms, mostMs), within(ms, everyMs), table.Met(met))
	}
	return w.Flush()
}

// quantile of sorted values: the least that at least the part q is not above.
func quantile(sorted []float64, q float64) float64 {
	i := int(q*float64(len(sorted))+0.999999) - 1
	return sorted[min(max(i, 0), len(sorted)-1)]
}

func within(ms []float64, limit float64) int {
	n := 0
	for _, v := range ms {
		if v <= limit {
			n++
		}
	}
	return n
}
