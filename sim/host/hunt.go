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
	"strings"
	"time"
)

// huntName is the file below -out that has a line for each run of a hunt on one
// state of the broker's code; huntFiles are all of them.
const (
	huntName  = "hunt-%s.jsonl"
	huntFiles = "hunt*.jsonl"
)

// hunted is one run of a hunt.
type hunted struct {
	Commit   string  `json:"commit"`
	Broker   string  `json:"broker"` // the newest commit that changed what a node runs
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
	before, err := readHunts(o.out)
	if err != nil {
		return exitBroken, err
	}
	r, err := newRunner(ctx, o, o.engine, out)
	if err != nil {
		return exitBroken, err
	}
	defer r.close()
	now, broker, t := commit(), brokerCommit(), newTally()
	log, err := openHunt(filepath.Join(o.out, fmt.Sprintf(huntName, broker)))
	if err != nil {
		return exitBroken, err
	}
	defer log.Close()
	todo := o.missing(before)
	fmt.Fprintf(out, "commit %s, which has the broker of %s: %d runs to make, %d are made\n", now, broker, len(todo), len(o.jobsOf())-len(todo))
	err = r.each(ctx, todo, func(x *outcome) bool {
		t.add(x)
		h := hunted{
			Commit: now, Broker: broker, Engine: r.guest.Engine.String(), Scenario: x.job.scenario, Seed: x.job.seed, Verdict: x.verdict(), CPU: x.result.CPU.Seconds(),
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

// openHunt opens a file for further lines. One that was cut short is ended.
func openHunt(path string) (*os.File, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil && len(text) > 0 && text[len(text)-1] != '\n' {
		_, err = f.WriteString("\n")
	}
	return f, err
}

// missing are the runs that the hunt has not made yet.
func (o *options) missing(made []hunted) []job {
	have := make(map[job]bool, len(made))
	for _, h := range made {
		have[job{seed: h.Seed, scenario: h.Scenario}] = true
	}
	return slices.DeleteFunc(o.jobsOf(), func(j job) bool { return have[job{seed: j.seed, scenario: j.scenario}] })
}

// readHunts reads what earlier calls did, on whatever commit, the commit that was
// hunted last at the end.
func readHunts(dir string) (made []hunted, err error) {
	paths, err := filepath.Glob(filepath.Join(dir, huntFiles))
	if err != nil {
		return nil, err
	}
	changed := map[string]time.Time{}
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		changed[path] = info.ModTime()
	}
	slices.SortFunc(paths, func(a, b string) int { return cmp.Or(changed[a].Compare(changed[b]), cmp.Compare(a, b)) })
	for _, path := range paths {
		runs, err := readHunt(path)
		if err != nil {
			return nil, err
		}
		made = append(made, runs...)
	}
	return made, nil
}

// readHunt reads one file. A last line that was cut short is left out.
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

// covered is what a hunt has done with one state of the broker's code.
type covered struct {
	broker   string
	commits  []string // on which it was hunted
	seeds    map[uint64]bool
	runs     int
	verdicts map[string]int
	acked    int64
	faults   int64
	cpu      float64
}

// cover sums up runs, by the broker's code.
func cover(made []hunted) (order []*covered) {
	sums := map[string]*covered{}
	for _, h := range made {
		broker := cmp.Or(h.Broker, h.Commit)
		s := sums[broker]
		if s == nil {
			s = &covered{broker: broker, seeds: map[uint64]bool{}, verdicts: map[string]int{}}
			sums[broker] = s
			order = append(order, s)
		}
		if !slices.Contains(s.commits, h.Commit) {
			s.commits = append(s.commits, h.Commit)
		}
		s.seeds[h.Seed] = true
		s.runs++
		s.verdicts[h.Verdict]++
		s.acked, s.faults, s.cpu = s.acked+h.Acked, s.faults+h.Faults, s.cpu+h.CPU
	}
	return order
}

// writeStatistics says which states of the broker's code the hunt covered, with
// how many seeds, and what it found.
func writeStatistics(out io.Writer, made []hunted, o *options) {
	fmt.Fprintf(out, "hunt so far (%s): %d runs\n", filepath.Join(o.out, huntFiles), len(made))
	for _, s := range cover(made) {
		fmt.Fprintf(out, "  broker %s (on %s): %d seeds, %d runs, %d acked operations, %d faults, %s of CPU, verdicts %s\n",
			s.broker, strings.Join(s.commits, " "), len(s.seeds), s.runs, s.acked, s.faults,
			time.Duration(s.cpu*float64(time.Second)).Round(time.Second), counts(s.verdicts))
	}
	for _, h := range made {
		if h.Verdict != "ok" {
			fmt.Fprintf(out, "  seed %d of %s, on %s: %s\n", h.Seed, h.Scenario, h.Commit, h.Verdict)
		}
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
