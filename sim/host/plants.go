package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moldau/moldau/linearizability"
	"github.com/moldau/moldau/sim/engine"
	"github.com/moldau/moldau/sim/plant"
)

// plantSeeds are looked through for each plant.
const plantSeeds = 500

// runPlants builds a guest for each planted bug and looks for a seed that finds
// it, in the scenario that suits it. A plant that none finds is a hole in the checkers, the faults or the
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
	kind, note, err := engine.Choose(o.engine)
	if err != nil {
		return exitBroken, err
	}
	if note != "" {
		fmt.Fprintln(out, note)
	}
	sound, err := newRunner(ctx, o, kind.String(), out)
	if err != nil {
		return exitBroken, err
	}
	defer sound.close()
	missed := 0
	for _, p := range plants {
		h := plantHunt{plant: p, sound: sound, options: o.guest}
		began := time.Now()
		if err := h.run(ctx, o, kind); err != nil {
			return exitBroken, err
		}
		fmt.Fprintf(out, "plant=%s scenario=%s: %s, %s\n", p.Name, p.Scenario, h.text(), time.Since(began).Round(time.Second))
		if h.found == nil {
			missed++
		}
	}
	if missed > 0 {
		return exitViolation, nil
	}
	return exitOK, nil
}

// plantHunt looks for a seed that finds a plant: one that a checker objects to
// with the plant, and that is ok without it. A guest that only ends badly with the
// plant is remembered, and counts where no checker objected.
type plantHunt struct {
	plant   plant.Plant
	sound   *runner // of the program as it is
	options string  // of its runs

	runs   int
	found  *outcome
	ended  *outcome // the first guest that ended badly, if one did
	before []uint64 // seeds that are not ok without the plant either
	others []uint64 // seeds with objections of other checkers alone
}

func (h *plantHunt) run(ctx context.Context, o *options, kind engine.Kind) error {
	files, err := h.plant.Files(".")
	if err != nil {
		return err
	}
	own := *o
	own.out = filepath.Join(o.out, "plants", h.plant.Name)
	guest, err := engine.Build(ctx, engine.Config{Engine: kind, Package: guestPackage, Dir: ".", Replace: files, Tags: h.plant.Tags()})
	if err != nil {
		return fmt.Errorf("plant %s: %w", h.plant.Name, err)
	}
	r, err := withGuest(&own, guest)
	if err != nil {
		return err
	}
	defer r.close()
	jobs := make([]job, 0, len(o.seeds))
	for _, seed := range o.seeds {
		jobs = append(jobs, job{seed: seed, scenario: h.plant.Scenario, duration: o.duration, options: h.plant.Options(o.guest)})
	}
	var failed error
	err = r.each(ctx, jobs, func(x *outcome) bool {
		failed = h.take(ctx, x)
		return failed == nil && h.found == nil
	})
	if failed != nil {
		return failed
	}
	if h.found != nil && errors.Is(err, context.Canceled) {
		err = nil
	}
	if h.found == nil {
		h.found = h.ended
	}
	return err
}

// take looks at a run with the plant.
func (h *plantHunt) take(ctx context.Context, x *outcome) error {
	h.runs++
	switch {
	case x.status() == exitOK || x.broken != "" && h.ended != nil:
		return nil
	case x.broken == "" && !h.seen(x):
		h.others = append(h.others, x.job.seed)
		return nil
	}
	job := x.job
	job.options = h.options
	without, err := h.sound.run(ctx, job)
	switch {
	case err != nil:
		return err
	case without.status() != exitOK:
		h.before = append(h.before, x.job.seed)
	case x.broken != "":
		h.ended = x
	default:
		h.found = x
	}
	return nil
}

// seen reports whether a checker objects that can see the plant.
func (h *plantHunt) seen(x *outcome) bool {
	return slices.ContainsFunc(x.report.Verdicts, func(v linearizability.Verdict) bool { return slices.Contains(h.plant.By, v.Checker) })
}

// text says how the hunt went.
func (h *plantHunt) text() string {
	text := fmt.Sprintf("NOT FOUND in %d runs", h.runs)
	switch {
	case h.found != nil && h.found.broken != "":
		text = fmt.Sprintf("no checker objects in %d runs; the guest of seed %d ends badly: %s", h.runs, h.found.job.seed, firstLine(h.found))
	case h.found != nil:
		text = fmt.Sprintf("found by seed %d after %d runs: %s", h.found.job.seed, h.runs, firstLine(h.found))
	}
	if len(h.others) > 0 {
		slices.Sort(h.others)
		text += "; other objections: seeds " + formatSeeds(h.others)
	}
	if len(h.before) > 0 {
		slices.Sort(h.before)
		text += "; not ok without the plant either: seeds " + formatSeeds(h.before)
	}
	return text
}

// firstLine says in a line what a run found.
func firstLine(o *outcome) string {
	text := o.report.Verdict().String()
	if o.broken != "" {
		words, _, _ := strings.Cut(o.result.Stderr, "\n")
		text = "broken: " + o.broken + ": " + words
	}
	text, _, _ = strings.Cut(text, "\n")
	return clip(text)
}
