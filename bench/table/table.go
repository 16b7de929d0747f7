// Package table prints what benchmarks measured beside what is wanted of it.
//
// It knows nothing of what was measured. A run on a busy machine counts for
// nothing; where no other is left a table says so instead of a number, and
// gives no verdict.
package table

import (
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/moldau/moldau/bench/stats"
)

// TooBusy stands in place of a number that others who used the machine spoiled.
const TooBusy = "too busy to tell"

// New is a table whose columns are parted by tabs. It is written at Flush.
func New(w io.Writer) *tabwriter.Writer { return tabwriter.NewWriter(w, 0, 0, 2, ' ', 0) }

// Met is a verdict.
func Met(met bool) string {
	if met {
		return "met"
	}
	return "missed"
}

// Judged writes a table that body fills, and below it what is said of it.
func Judged(w io.Writer, body func(*tabwriter.Writer), verdicts []string) error {
	t := New(w)
	body(t)
	if err := t.Flush(); err != nil {
		return err
	}
	for _, line := range verdicts {
		fmt.Fprintln(w, line)
	}
	return nil
}

// Run is one run of one system.
type Run interface {
	// Of is the system's name, "moldau" or "kafka", and whether the machine was
	// too busy for the run to count.
	Of() (system string, tooBusy bool)
}

// Figure is a line of a table that compares Moldau with Kafka.
type Figure[R Run] struct {
	Name   string
	Format string // of the number, for fmt
	// Value of a run, NaN where it does not tell.
	Value func(R) float64
	// What is wanted of Moldau, 0 for no wish: its median to Kafka's, or alone.
	RatioMax, Most float64
}

// Compare writes the medians of both systems over the runs that count.
func Compare[R Run](w io.Writer, runs []R, figures []Figure[R]) error {
	t := New(w)
	fmt.Fprintln(t, "figure\tMoldau\tKafka\twanted of Moldau\tmet")
	for _, f := range figures {
		ours, theirs := f.median(runs, "moldau"), f.median(runs, "kafka")
		wanted, verdict := f.judge(ours.value, theirs.value)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", f.Name, ours.text, theirs.text, wanted, verdict)
	}
	return t.Flush()
}

// judge says what is wanted, and whether it is met where that can be said.
func (f *Figure[R]) judge(ours, theirs float64) (wanted, verdict string) {
	most := f.Most
	switch {
	case f.RatioMax > 0:
		wanted, most = fmt.Sprintf("at most %.2f of Kafka's", f.RatioMax), f.RatioMax*theirs
	case f.Most > 0:
		wanted = fmt.Sprintf("at most %.0f", f.Most)
	default:
		return "", ""
	}
	switch {
	case math.IsNaN(ours) || math.IsNaN(most):
		return wanted, ""
	case ours <= most:
		return wanted, "yes"
	}
	return wanted, "no"
}

// summary is a median and how a table shows it; NaN where there is none.
type summary struct {
	value float64
	text  string
}

func (f *Figure[R]) median(runs []R, system string) summary {
	var values []float64
	busy := false
	for _, r := range runs {
		s, tooBusy := r.Of()
		switch v := f.Value(r); {
		case s != system || math.IsNaN(v):
		case tooBusy:
			busy = true
		default:
			values = append(values, v)
		}
	}
	median := stats.Median(values)
	switch {
	case len(values) > 0:
		return summary{median, fmt.Sprintf(f.Format+" (of %d)", median, len(values))}
	case busy:
		return summary{median, TooBusy}
	}
	return summary{median, "-"}
}
