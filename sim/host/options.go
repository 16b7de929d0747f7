package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"strings"
	"time"

	"github.com/moldau/moldau/sim/scenario"
)

// Budgets of one run: what a run of a minute needs, many times over.
const (
	eventsMaxDefault = 5_000_000
	readsMaxDefault  = 50_000_000
	durationDefault  = 60 * time.Second
	durationMax      = 24 * time.Hour
)

// options are what the command line says.
type options struct {
	seeds     []uint64
	scenarios []scenario.Scenario
	spread    bool // each seed runs one scenario, in turn, not all
	duration  time.Duration
	engine    string
	keepGoing bool
	twice     bool
	jobs      int
	out       string
	guest     string // SIM_OPTIONS
	events    uint64
	reads     uint64
	times     int
	only      string
	guards    bool          // explore: take rules out
	states    int           // explore: at most so many a world
	limit     time.Duration // explore: wall time for a world
	progress  bool          // explore: a line for each level
}

// parseOptions reads flags. A wrong value's error names the valid ones.
func parseOptions(args []string, errs io.Writer) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("sim", flag.ContinueOnError)
	f.SetOutput(errs)
	seeds := f.String("seeds", "", "seeds: 7, 1-500, or a list of both")
	names := f.String("scenario", "", "scenarios, or all: "+strings.Join(scenario.Names(), ", "))
	f.BoolVar(&o.spread, "spread", false, "each seed runs one of the scenarios, in turn")
	f.DurationVar(&o.duration, "duration", durationDefault, "virtual time that clients and faults go on")
	f.StringVar(&o.engine, "engine", "", "native or wasm; native where the toolchain is known")
	f.BoolVar(&o.keepGoing, "keep-going", false, "do not stop at the first violation")
	f.BoolVar(&o.twice, "twice", false, "run every seed twice and compare")
	f.IntVar(&o.jobs, "jobs", runtime.NumCPU(), "runs at once")
	f.StringVar(&o.out, "out", "out/sim", "folder for failures")
	f.StringVar(&o.guest, "options", "", "changes to the faults, faults=none,name,name:2s,-name; rules to take out, without=rule,rule")
	f.Uint64Var(&o.events, "events", eventsMaxDefault, "budget of trace events")
	f.Uint64Var(&o.reads, "reads", readsMaxDefault, "budget of clock readings")
	f.IntVar(&o.times, "times", 0, "how often each seed runs (determinism)")
	f.StringVar(&o.only, "only", "", "of the plants these (a,b); of worlds or rules (a;b)")
	f.BoolVar(&o.guards, "guards", false, "explore: take the rules of the contract out, one by one")
	f.IntVar(&o.states, "states", 60_000_000, "explore: states of a world at most")
	f.DurationVar(&o.limit, "limit", 0, "explore: time for a world, 0 for no limit")
	f.BoolVar(&o.progress, "progress", false, "explore: a line for each level")
	if err := f.Parse(args); err != nil {
		return nil, errors.New("wrong flags")
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("%q is no flag", f.Arg(0))
	}
	return o, o.resolve(*seeds, *names)
}

func (o *options) resolve(seeds, names string) (err error) {
	if o.duration < time.Second || o.duration > durationMax {
		return fmt.Errorf("-duration %s: from 1s to %s", o.duration, durationMax)
	}
	if o.jobs < 1 {
		return fmt.Errorf("-jobs %d: at least 1", o.jobs)
	}
	if _, err := scenario.ParseOptions(o.guest); err != nil {
		return err
	}
	if seeds != "" {
		if o.seeds, err = parseSeeds(seeds); err != nil {
			return err
		}
	}
	switch names {
	case "":
		o.scenarios = scenario.All()[:1]
	case "all":
		o.scenarios = scenario.All()
	default:
		for _, name := range strings.Split(names, ",") {
			s, err := scenario.Find(name)
			if err != nil {
				return err
			}
			o.scenarios = append(o.scenarios, s)
		}
	}
	return nil
}
