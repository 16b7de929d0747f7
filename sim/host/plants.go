package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/moldau/moldau/sim/engine"
	"github.com/moldau/moldau/sim/plant"
)

// plantSeeds are looked through for each plant.
const plantSeeds = 500

// runPlants builds a guest for each planted bug and looks for a seed that finds
// it. A plant that none finds is a hole in the checkers, the faults or the
// workload.
func runPlants(ctx context.Context, o *options, out io.Writer) (int, error) {
	plants := plant.All()
	if o.only != "" {
		plants = nil
		for _, name := range strings.Split(o.only, ",") {
			p, err := plant.Find(name)
			if err != nil {
				return exitBroken, err
			}
			plants = append(plants, p)
		}
	}
	if len(o.seeds) == 0 {
		for seed := range uint64(plantSeeds) {
			o.seeds = append(o.seeds, seed+1)
		}
	}
	missed := 0
	for _, p := range plants {
		began := time.Now()
		found, runs, err := o.hunt(ctx, p)
		if err != nil {
			return exitBroken, err
		}
		took := time.Since(began).Round(time.Second)
		if found == nil {
			missed++
			fmt.Fprintf(out, "plant=%s scenario=%s: NOT FOUND in %d seeds, %s\n", p.Name, p.Scenario, runs, took)
			continue
		}
		fmt.Fprintf(out, "plant=%s scenario=%s: found by seed %d after %d runs, %s: %s\n", p.Name, p.Scenario, found.job.seed, runs, took, firstLine(found))
	}
	if missed > 0 {
		return exitViolation, nil
	}
	return exitOK, nil
}

// hunt looks for a seed that finds a plant. A guest that traps has found it too.
func (o *options) hunt(ctx context.Context, p plant.Plant) (found *outcome, runs int, err error) {
	kind, _, err := engine.Choose(o.engine)
	if err != nil {
		return nil, 0, err
	}
	files, err := p.Files(".")
	if err != nil {
		return nil, 0, err
	}
	own := *o
	own.out = filepath.Join(o.out, "plants", p.Name)
	if err := os.MkdirAll(own.out, 0o755); err != nil {
		return nil, 0, err
	}
	guest, err := engine.Build(ctx, engine.Config{Engine: kind, Package: guestPackage, Dir: ".", Replace: files})
	if err != nil {
		return nil, 0, fmt.Errorf("plant %s: %w", p.Name, err)
	}
	r, err := withGuest(&own, guest)
	if err != nil {
		return nil, 0, err
	}
	defer r.close()
	jobs := make([]job, 0, len(o.seeds))
	for _, seed := range o.seeds {
		jobs = append(jobs, job{seed: seed, scenario: p.Scenario, duration: o.duration, options: o.guest})
	}
	err = r.each(ctx, jobs, func(x *outcome) bool {
		runs++
		if x.status() != exitOK {
			found = x
		}
		return found == nil
	})
	if errors.Is(err, context.Canceled) && found != nil {
		err = nil
	}
	return found, runs, err
}

// firstLine says in a line what a run found.
func firstLine(o *outcome) string {
	text := o.report.Verdict().String()
	if o.broken != "" {
		text = "broken: " + o.broken
	}
	text, _, _ = strings.Cut(text, "\n")
	return clip(text)
}
