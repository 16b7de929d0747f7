package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"
)

// runSeeds is `make sim`.
func runSeeds(ctx context.Context, o *options, out io.Writer) (int, error) {
	if len(o.seeds) == 0 {
		return exitBroken, errors.New("no seed: make sim SEED=7, or SEEDS=1-500")
	}
	r, err := newRunner(ctx, o, o.engine, out)
	if err != nil {
		return exitBroken, err
	}
	defer r.close()
	return r.batch(ctx, o.jobsOf(), o.keepGoing, out)
}

// batch runs jobs, prints a line for each, and says at the end how it went.
func (r *runner) batch(ctx context.Context, jobs []job, keepGoing bool, out io.Writer) (int, error) {
	t := newTally()
	err := r.each(ctx, jobs, func(o *outcome) bool {
		fmt.Fprintln(out, o.line())
		t.add(o)
		if o.status() != exitOK {
			fmt.Fprintln(out, r.explain(o))
		}
		return keepGoing || o.status() == exitOK
	})
	if len(jobs) > 1 {
		for _, line := range t.available() {
			fmt.Fprintln(out, line)
		}
		fmt.Fprintln(out, t.summary(r.o.jobs))
	}
	return t.status, err
}

// tally sums up runs.
type tally struct {
	began          time.Time
	beganCPU       time.Duration
	status         int
	runs, bad      int
	events, acked  int64
	faults, ops    int64
	virtual        time.Duration
	cpu            time.Duration // of the guests
	marks          map[string]int64
	violationsSeen []string
	outages        map[string][]time.Duration // by scenario
}

func newTally() *tally {
	return &tally{began: time.Now(), beganCPU: ownCPU(), marks: map[string]int64{}, outages: map[string][]time.Duration{}}
}

func (t *tally) add(o *outcome) {
	t.runs++
	t.cpu += o.result.CPU
	if o.status() != exitOK {
		t.bad++
		t.status = max(t.status, o.status())
		t.violationsSeen = append(t.violationsSeen, fmt.Sprintf("%s-%d %s", o.job.scenario, o.job.seed, o.verdict()))
	}
	if len(o.report.Outages) > 0 {
		t.outages[o.job.scenario] = append(t.outages[o.job.scenario], o.report.Outages...)
	}
	if o.output == nil || o.output.done == nil {
		return
	}
	d := o.output.done
	t.events, t.faults, t.ops, t.acked = t.events+d.Events, t.faults+d.Faults, t.ops+d.Ops, t.acked+d.Acked
	t.virtual += time.Duration(d.VirtualNs)
	for name, n := range d.Marks {
		t.marks[name] += n
	}
}

// available is a line for each scenario that strikes who appends depend on: after
// what virtual time they went on.
func (t *tally) available() (lines []string) {
	for _, name := range slices.Sorted(maps.Keys(t.outages)) {
		of := slices.Sorted(slices.Values(t.outages[name]))
		at := func(quantile float64) time.Duration {
			return of[min(len(of)-1, int(quantile*float64(len(of))))].Round(time.Millisecond)
		}
		lines = append(lines, fmt.Sprintf("%s: %d times who appends depend on was struck; they went on after %s p50, %s p99, %s at most", name, len(of), at(0.5), at(0.99), at(1)))
	}
	return lines
}

// summary is the last line of many runs.
func (t *tally) summary(jobs int) string {
	wall := time.Since(t.began)
	cpu := max(t.cpu.Seconds(), 1e-3)
	return fmt.Sprintf("%d runs in %s on %d at once, %d not ok: %.0f runs a minute and core (checks included), %.0f virtual seconds and %.0f events per CPU second of the guest, %.0f ops (%.0f acked) and %.0f faults a run",
		t.runs, wall.Round(time.Second), jobs, t.bad,
		float64(t.runs)/max((t.cpu+ownCPU()-t.beganCPU).Minutes(), 1e-6), t.virtual.Seconds()/cpu, float64(t.events)/cpu,
		share(t.ops, t.runs), share(t.acked, t.runs), share(t.faults, t.runs))
}

func share(sum int64, n int) float64 { return float64(sum) / float64(max(n, 1)) }
