package fanout

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/moldau/moldau/bench/table"
)

const (
	// Where time is added to a sync, a turn of wideTurn partitions takes at
	// most slowFactor times a turn of one.
	wideTurn   = 1000
	slowFactor = 2
	// Without, a partition adds at most partitionMsMax to a turn of one.
	partitionMsMax = 0.005
)

// Print writes the table and what is wanted of it.
func Print(w io.Writer, cells []Cell) error {
	plain := map[place]Cell{}
	for _, c := range cells {
		if c.Plain {
			plain[c.place()] = c
		}
	}
	return table.Judged(w, func(t *tabwriter.Writer) {
		fmt.Fprintln(t, "added to a sync\tpartitions\tjournal: acks/s\tturn p50, ms\tack p99, ms\tplain syncs: acks/s\tturn p50, ms\tack p99, ms")
		for _, c := range cells {
			if !c.Plain {
				fmt.Fprintf(t, "%g ms\t%d\t%s\t%s\n", c.AddedMs, c.Partitions, c.text(), plain[c.place()].text())
			}
		}
	}, Verdicts(cells))
}

// place of a cell in the table.
type place struct {
	added      float64
	partitions int
}

func (c Cell) place() place { return place{c.AddedMs, c.Partitions} }

func (c Cell) text() string {
	switch {
	case c.Turns == 0:
		return "-\t-\t-"
	case c.TooBusy:
		return fmt.Sprintf("%s (others %.0f %%)\t\t", table.TooBusy, 100*c.Others)
	}
	return fmt.Sprintf("%.0f\t%.2f\t%.2f", c.AcksPerS, c.TurnP50Ms, c.AckP99Ms)
}

// Verdicts compares a turn of 1,000 partitions with one of 1, of the journal.
func Verdicts(cells []Cell) (lines []string) {
	one := map[float64]Cell{}
	for _, c := range cells {
		if !c.Plain && c.Partitions == 1 {
			one[c.AddedMs] = c
		}
	}
	for _, c := range cells {
		base, ok := one[c.AddedMs]
		if c.Plain || c.Partitions != wideTurn || !ok {
			continue
		}
		head := fmt.Sprintf("%g ms added: a turn of %d partitions ", c.AddedMs, wideTurn)
		switch {
		case c.TooBusy || base.TooBusy:
			lines = append(lines, head+"was measured on a machine too busy to tell")
		case c.AddedMs > 0:
			factor := c.TurnP50Ms / base.TurnP50Ms
			lines = append(lines, fmt.Sprintf("%stakes %.2f times one of 1 (wanted: at most %d): %s", head, factor, slowFactor, table.Met(factor <= slowFactor)))
		default:
			each := (c.TurnP50Ms - base.TurnP50Ms) / wideTurn
			lines = append(lines, fmt.Sprintf("%sadds %.2f µs a partition to one of 1 (wanted: at most %.0f): %s", head, 1000*each, 1000*partitionMsMax, table.Met(each <= partitionMsMax)))
		}
	}
	return lines
}
