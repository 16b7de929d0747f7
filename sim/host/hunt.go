package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// huntFile, below -out, has a line for each run of a hunt.
const huntFile = "hunt.jsonl"

// hunted is one run of a hunt.
type hunted struct {
	Commit   string  `json:"commit"`
	Engine   string  `json:"engine"`
	Scenario string  `json:"scenario"`
	Seed     uint64  `json:"seed"`
	Verdict  string  `json:"verdict"`
	Trace    string  `json:"trace"`
	Ops      int64   `json:"ops"`
	Acked    int64   `json:"acked"`
	Faults   int64   `json:"faults"`
	CPU      float64 `json:"cpuSeconds"`
}

// runHunt runs seeds that no earlier call has run, on whatever commit that was,
// and goes on after violations. It may be interrupted at any time.
func runHunt(ctx context.Context, o *options, out io.Writer) (int, error) {
	if len(o.seeds) == 0 {
		return exitBroken, errors.New("no seeds: make hunt SEEDS=1-20000")
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return exitBroken, err
	}
	path := filepath.Join(o.out, huntFile)
	before, err := readHunt(path)
	if err != nil {
		return exitBroken, err
	}
	r, err := newRunner(ctx, o, o.engine, out)
	if err != nil {
		return exitBroken, err
	}
	defer r.close()
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return exitBroken, err
	}
	defer log.Close()
	now, t := commit(), newTally()
	err = r.each(ctx, o.missing(before), func(x *outcome) bool {
		t.add(x)
		h := hunted{
			Commit: now, Engine: r.guest.Engine.String(), Scenario: x.job.scenario, Seed: x.job.seed, Verdict: x.verdict(), CPU: x.result.CPU.Seconds(),
		}
		if x.output != nil && x.output.done != nil {
			h.Trace, h.Ops, h.Acked, h.Faults = x.output.hash, x.output.done.Ops, x.output.done.Acked, x.output.done.Faults
		}
		if x.status() != exitOK {
			fmt.Fprintln(out, x.line())
			fmt.Fprintln(out, r.explain(x))
		}
		line, err := json.Marshal(h)
		if err == nil {
			_, err = log.Write(append(line, '\n'))
		}
		before = append(before, h)
		return err == nil
	})
	if ctx.Err() != nil {
		err = nil // interrupted: what is written is kept
	}
	fmt.Fprintln(out, t.summary(o.jobs))
	writeStatistics(out, before, o)
	return t.status, err
}

// missing are the runs that the hunt has not made yet.
func (o *options) missing(made []hunted) []job {
	have := make(map[job]bool, len(made))
	for _, h := range made {
		have[job{seed: h.Seed, scenario: h.Scenario}] = true
	}
	return slices.DeleteFunc(o.jobsOf(), func(j job) bool { return have[job{seed: j.seed, scenario: j.scenario}] })
}

// readHunt reads what earlier calls did. A last line that was cut short is left out.
func readHunt(path string) (made []hunted, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	for s.Scan() {
		var h hunted
		if json.Unmarshal(s.Bytes(), &h) == nil {
			made = append(made, h)
		}
	}
	return made, s.Err()
}

// writeStatistics says which commits the hunt covered, and what it found.
func writeStatistics(out io.Writer, made []hunted, o *options) {
	type sum struct {
		commit   string
		seeds    []uint64
		verdicts map[string]int
		acked    int64
		faults   int64
		cpu      float64
	}
	sums := map[string]*sum{}
	var order []*sum
	for _, h := range made {
		s := sums[h.Commit]
		if s == nil {
			s = &sum{commit: h.Commit, verdicts: map[string]int{}}
			sums[h.Commit] = s
			order = append(order, s)
		}
		s.seeds = append(s.seeds, h.Seed)
		s.verdicts[h.Verdict]++
		s.acked, s.faults, s.cpu = s.acked+h.Acked, s.faults+h.Faults, s.cpu+h.CPU
	}
	fmt.Fprintf(out, "hunt so far (%s): %d runs\n", filepath.Join(o.out, huntFile), len(made))
	for _, s := range order {
		slices.Sort(s.seeds)
		fmt.Fprintf(out, "  commit %s: %d runs, %d acked operations, %d faults, %s of CPU, verdicts %s\n",
			s.commit, len(s.seeds), s.acked, s.faults, time.Duration(s.cpu*float64(time.Second)).Round(time.Second), counts(s.verdicts))
	}
}

// counts writes "ok 12, broken 1", the most frequent first.
func counts(m map[string]int) (text string) {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(m[b]-m[a], cmp.Compare(a, b)) })
	for i, name := range names {
		if i > 0 {
			text += ", "
		}
		text += fmt.Sprintf("%s %d", name, m[name])
	}
	return text
}
