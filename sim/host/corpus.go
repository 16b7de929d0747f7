package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/moldau/moldau/sim/scenario"
)

// corpusFile lists seeds that once failed, one a line:
//
//	scenario seed engine  # what it found
//
// A seed means another run on other code; the directed tests beside each entry
// of docs/simulation.md are what keeps the bugs out. The seeds stay because they
// cost little.
const corpusFile = "sim/corpus/seeds.txt"

// corpusEntry is a line of the corpus.
type corpusEntry struct {
	scenario string
	seed     uint64
	engine   string
}

func readCorpus(from io.Reader) (entries []corpusEntry, err error) {
	s := bufio.NewScanner(from)
	for n := 1; s.Scan(); n++ {
		text, _, _ := strings.Cut(s.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 3 {
			return nil, fmt.Errorf("%s: line %d: scenario, seed and engine are wanted", corpusFile, n)
		}
		found, err := scenario.Find(fields[0])
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", corpusFile, n, err)
		}
		seed, err := strconv.ParseUint(fields[1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s: line %d: seed %q", corpusFile, n, fields[1])
		}
		if fields[2] != "native" && fields[2] != "wasm" {
			return nil, fmt.Errorf("%s: line %d: engine %q; there are native and wasm", corpusFile, n, fields[2])
		}
		entries = append(entries, corpusEntry{scenario: found.Name, seed: seed, engine: fields[2]})
	}
	return entries, s.Err()
}

// corpusJobs are the runs of the corpus for one engine.
func (o *options) corpusJobs(engine string) (jobs []job, err error) {
	f, err := os.Open(corpusFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	entries, err := readCorpus(f)
	for _, e := range entries {
		if e.engine == engine {
			jobs = append(jobs, job{seed: e.seed, scenario: e.scenario, duration: o.duration, options: o.guest})
		}
	}
	return jobs, err
}

// runCorpus runs every seed that once failed.
func runCorpus(ctx context.Context, o *options, out io.Writer) (int, error) {
	status := exitOK
	for _, engine := range []string{"native", "wasm"} {
		jobs, err := o.corpusJobs(engine)
		if err != nil {
			return exitBroken, err
		}
		if len(jobs) == 0 {
			continue
		}
		s, err := runOn(ctx, o, engine, jobs, out)
		if err != nil {
			return exitBroken, err
		}
		status = max(status, s)
	}
	return status, nil
}

// runOn makes runs on one engine.
func runOn(ctx context.Context, o *options, engine string, jobs []job, out io.Writer) (int, error) {
	r, err := newRunner(ctx, o, engine, out)
	if err != nil {
		return exitBroken, err
	}
	defer r.close()
	return r.batch(ctx, jobs, o.keepGoing, out)
}
