package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/moldau/moldau/internal/guard"
	"github.com/moldau/moldau/sim/explore"
)

// probeEvery is how many states there are to one that is healed.
const probeEvery = 1024

// runExplore searches the worlds of package explore, or takes the rules of the
// contract out one by one and prints what follows.
func runExplore(ctx context.Context, o *options, out io.Writer) (int, error) {
	if o.guards {
		return runGuards(ctx, o, out)
	}
	worlds := explore.Full()
	status := exitOK
	fmt.Fprintln(out, "| world | states | depth | | brokers | controllers | probed | seconds |\n|---|---|---|---|---|---|---|---|")
	for _, w := range worlds {
		if !o.picks(w.Name) || ctx.Err() != nil {
			continue
		}
		began := time.Now()
		r := explore.Explore(w, o.search(ctx, out, began))
		whole := "to this depth"
		if r.Complete {
			whole = "complete"
		}
		fmt.Fprintf(out, "| %s | %d | %d | %s | %d | %d | %d | %.0f |\n", r.World, r.States, r.Depth, whole, r.Parts[0], r.Parts[1], r.Probed, time.Since(began).Seconds())
		if r.Wrong != "" {
			fmt.Fprintf(out, "%s, after %d steps:\n%s", r.Wrong, len(r.Steps), r.Trace)
			status = exitViolation
		}
	}
	return status, nil
}

// picks reports whether the flags ask for the name, one of a list divided by semicolons.
func (o *options) picks(name string) bool {
	if o.only == "" {
		return true
	}
	for _, n := range strings.Split(o.only, ";") { // names of worlds have commas
		if n == name {
			return true
		}
	}
	return false
}

// search are the bounds of one search.
func (o *options) search(ctx context.Context, out io.Writer, began time.Time) explore.Options {
	return explore.Options{
		Workers: o.jobs, StatesMax: o.states, ProbeEvery: probeEvery,
		Stop: func() bool { return ctx.Err() != nil || o.limit > 0 && time.Since(began) > o.limit },
		Progress: func(r explore.Result) {
			if o.progress {
				fmt.Fprintf(out, "  %s: depth %d, %d states, %d in this level, %d brokers, %.0f s\n", r.World, r.Depth, r.States, r.Frontier, r.Parts[0], time.Since(began).Seconds())
			}
		},
	}
}

// runGuards takes the rules out one by one. One without which nothing is found, and
// that has no reason for it, is a hole in the worlds or in the rules.
func runGuards(ctx context.Context, o *options, out io.Writer) (int, error) {
	if !guard.Switches {
		return exitBroken, fmt.Errorf("this program was built without the tag explore: no rule can be taken out")
	}
	status := exitOK
	for _, g := range explore.Guards() {
		if !o.picks(g.Rule.String()) || ctx.Err() != nil {
			continue
		}
		began := time.Now()
		bounds := o.search(ctx, out, began)
		bounds.ProbeEvery = 0
		if g.Heal {
			bounds.ProbeEvery = 1
		}
		r := explore.Explore(g.World, bounds)
		switch {
		case r.Wrong != "":
			fmt.Fprintf(out, "%s: %s, after %d steps (%d states, %.1f s)\n%s\n", g.Rule, r.Wrong, len(r.Steps), r.States, time.Since(began).Seconds(), r.Trace)
		case g.Idle != "":
			fmt.Fprintf(out, "%s: nothing in %d states (complete %t, %.1f s): %s\n\n", g.Rule, r.States, r.Complete, time.Since(began).Seconds(), g.Idle)
		default:
			fmt.Fprintf(out, "%s: NOTHING in %d states, depth %d (complete %t, %.1f s)\n\n", g.Rule, r.States, r.Depth, r.Complete, time.Since(began).Seconds())
			status = exitViolation
		}
	}
	return status, nil
}
