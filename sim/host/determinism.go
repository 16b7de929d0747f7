package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"
)

// Of `make sim-determinism`, where flags say nothing else.
const (
	nativeSeeds, nativeTimes = 20, 50
	wasmSeeds, wasmTimes     = 5, 10
)

// runDeterminism runs a few seeds many times on both engines and compares every
// byte of what they print.
func runDeterminism(ctx context.Context, o *options, out io.Writer) (int, error) {
	status := exitOK
	for _, e := range []struct {
		engine       string
		seeds, times int
	}{{"native", nativeSeeds, nativeTimes}, {"wasm", wasmSeeds, wasmTimes}} {
		if o.engine != "" && o.engine != e.engine {
			continue
		}
		if o.times > 0 {
			e.times = o.times
		}
		r, err := newRunner(ctx, o, e.engine, out)
		if err != nil {
			return exitBroken, err
		}
		differing, err := r.repeat(ctx, o, e.seeds, e.times, out)
		r.close()
		if err != nil {
			return exitBroken, err
		}
		if differing > 0 {
			status = exitBroken
		}
	}
	return status, nil
}

// repeat runs seeds many times and counts those that did not repeat.
func (r *runner) repeat(ctx context.Context, o *options, count, times int, out io.Writer) (differing int, err error) {
	seeds := o.seeds
	if len(seeds) == 0 {
		for seed := range uint64(count) {
			seeds = append(seeds, seed+1)
		}
	}
	began := time.Now()
	for i, seed := range seeds {
		j := job{seed: seed, scenario: o.scenarios[i%len(o.scenarios)].Name, duration: o.duration, options: o.guest}
		difference, err := r.repeatOne(ctx, j, times)
		if err != nil {
			return differing, err
		}
		if difference != "" {
			differing++
			fmt.Fprintf(out, "engine=%s scenario=%s seed=%d: differs in %s\n", r.guest.Engine, j.scenario, seed, difference)
		}
	}
	fmt.Fprintf(out, "engine=%s: %d seeds, %d runs each, %d seeds not the same every time, %s\n",
		r.guest.Engine, len(seeds), times, differing, time.Since(began).Round(time.Second))
	return differing, nil
}

// repeatOne runs a job many times, several at once, and describes the first
// difference from the first run.
func (r *runner) repeatOne(ctx context.Context, j job, times int) (difference string, err error) {
	first, err := r.once(ctx, j, 0)
	if err != nil {
		return "", err
	}
	if first.broken != "" {
		return "a broken run: " + first.broken, nil
	}
	defer os.Remove(first.result.Stdout)
	results := make(chan error, r.o.jobs)
	differences := make(chan string, times)
	for worker := range r.o.jobs {
		go func() {
			for attempt := 1 + worker; attempt < times; attempt += r.o.jobs {
				again, err := r.once(ctx, j, attempt)
				if err != nil {
					results <- err
					return
				}
				if again.output.hash != first.output.hash {
					d, err := firstDifference(first.result.Stdout, again.result.Stdout)
					if err != nil {
						results <- err
						return
					}
					differences <- d
				}
				_ = os.Remove(again.result.Stdout)
			}
			results <- nil
		}()
	}
	for range r.o.jobs {
		if e := <-results; e != nil {
			err = e
		}
	}
	close(differences)
	return <-differences, err
}
