package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/moldau/moldau/linearizability"
	"github.com/moldau/moldau/sim/engine"
)

// guestPackage is the program that holds a whole simulated system.
const guestPackage = "./sim/guest"

// job is one run to be made.
type job struct {
	seed     uint64
	scenario string
	duration time.Duration
	options  string
}

// outcome is what came of a job.
type outcome struct {
	job    job
	guest  *engine.Guest
	result engine.Result
	output *output
	report linearizability.Report
	broken string // why the run says nothing, "" if it does
}

// status is the run's exit status.
func (r *outcome) status() int {
	switch {
	case r.broken != "":
		return exitBroken
	case r.report.Verdict().Status == linearizability.StatusViolation:
		return exitViolation
	}
	return exitOK
}

// verdict is its verdict as the line has it.
func (r *outcome) verdict() string {
	if r.broken != "" {
		return "broken"
	}
	if v := r.report.Verdict(); v.Status == linearizability.StatusViolation {
		return "violation:" + v.Checker
	}
	return "ok"
}

// line is the one line that every run ends with.
func (r *outcome) line() string {
	var virtual time.Duration
	var events, faults, ops, acked int64
	hash := "-"
	if r.output != nil {
		hash = r.output.hash
		if d := r.output.done; d != nil {
			virtual, events, faults, ops, acked = time.Duration(d.VirtualNs), d.Events, d.Faults, d.Ops, d.Acked
		}
	}
	return fmt.Sprintf("seed=%d scenario=%s virtual=%s events=%d faults=%d ops=%d acked=%d trace=%s verdict=%s",
		r.job.seed, r.job.scenario, virtual.Round(time.Second), events, faults, ops, acked, hash, r.verdict())
}

// runner makes runs with one guest.
type runner struct {
	o     *options
	guest *engine.Guest
	work  string // folder for the outputs of runs under way
}

// newRunner builds the guest. Notes go to out.
func newRunner(ctx context.Context, o *options, kind string, out io.Writer) (*runner, error) {
	k, note, err := engine.Choose(kind)
	if err != nil {
		return nil, err
	}
	if note != "" {
		fmt.Fprintln(out, note)
	}
	var tags []string
	if strings.Contains(o.guest, "without=") {
		tags = append(tags, "explore")
	}
	guest, err := engine.Build(ctx, engine.Config{Engine: k, Package: guestPackage, Dir: ".", Tags: tags})
	if err != nil {
		return nil, err
	}
	return withGuest(o, guest)
}

func withGuest(o *options, guest *engine.Guest) (*runner, error) {
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(o.out, ".work-")
	if err != nil {
		return nil, err
	}
	return &runner{o: o, guest: guest, work: work}, nil
}

func (r *runner) close() { _ = os.RemoveAll(r.work) }

// stdout is the file of a job's output.
func (r *runner) stdout(j job, attempt int) string {
	return filepath.Join(r.work, fmt.Sprintf("%s-%d-%d.jsonl", j.scenario, j.seed, attempt))
}

// once runs the guest and takes its output apart, without judging it.
func (r *runner) once(ctx context.Context, j job, attempt int) (*outcome, error) {
	out := &outcome{job: j, guest: r.guest}
	res, err := r.guest.Run(ctx, engine.Params{
		Seed: j.seed, Scenario: j.scenario, Duration: j.duration, Events: r.o.events, Reads: r.o.reads, Options: j.options,
		Stdout: r.stdout(j, attempt),
	})
	if err != nil {
		return nil, err
	}
	out.result = res
	output, err := readOutput(res.Stdout)
	out.output = output
	switch {
	case res.Broken() != "":
		out.broken = res.Broken()
	case err != nil:
		out.broken = err.Error()
	case output.done == nil:
		out.broken = "the guest's last line is missing"
	}
	return out, nil
}

// run runs a job, twice if asked, and judges it.
func (r *runner) run(ctx context.Context, j job) (*outcome, error) {
	out, err := r.once(ctx, j, 1)
	if err != nil {
		return nil, err
	}
	if r.o.twice {
		second, err := r.once(ctx, j, 2)
		if err != nil {
			return nil, err
		}
		if second.output.hash != out.output.hash {
			difference, err := firstDifference(out.result.Stdout, second.result.Stdout)
			if err != nil {
				return nil, err
			}
			out.broken = "two runs of the seed differ in " + difference
		}
		_ = os.Remove(second.result.Stdout)
	}
	r.judge(out)
	if out.status() != exitOK {
		if err := r.keep(out); err != nil {
			return nil, err
		}
	}
	_ = os.Remove(out.result.Stdout)
	return out, nil
}

// judge lets the checkers look at a run that is not broken yet.
func (r *runner) judge(out *outcome) {
	if out.broken != "" {
		return
	}
	h, err := out.output.load()
	if err != nil {
		out.broken = err.Error()
		return
	}
	out.report = linearizability.Check(h, linearizability.Options{})
	if v := out.report.Verdict(); v.Status == linearizability.StatusBroken {
		out.broken = v.Text
	}
	out.output.history = nil
}

// each runs jobs on all cores and gives outcomes to take, one after the other,
// in the order of their ends. It stops when take returns false.
func (r *runner) each(ctx context.Context, jobs []job, take func(*outcome) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var (
		wg    sync.WaitGroup
		mu    sync.Mutex
		next  int
		ended bool
		first error
	)
	for range min(r.o.jobs, max(runtime.NumCPU(), 1)*4, len(jobs)) {
		wg.Go(func() {
			for {
				mu.Lock()
				if ended || next == len(jobs) {
					mu.Unlock()
					return
				}
				j := jobs[next]
				next++
				mu.Unlock()
				out, err := r.run(ctx, j)
				mu.Lock()
				switch {
				case ended:
				case err != nil:
					first, ended = err, true
				case !take(out):
					ended = true
				}
				if ended {
					cancel()
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return first
}

// jobsOf are the runs that options ask for.
func (o *options) jobsOf() (jobs []job) {
	for i, seed := range o.seeds {
		for k, s := range o.scenarios {
			if o.spread && (i+k)%len(o.scenarios) != 0 {
				continue
			}
			jobs = append(jobs, job{seed: seed, scenario: s.Name, duration: o.duration, options: o.guest})
		}
	}
	return jobs
}
