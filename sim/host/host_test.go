package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moldau/moldau/sim/scenario"
)

func TestSeeds(t *testing.T) {
	for text, want := range map[string]string{"7": "7", "1-5": "1-5", "3,1-2,9": "3,1-2,9", "18446744073709551615": "18446744073709551615"} {
		seeds, err := parseSeeds(text)
		if err != nil || formatSeeds(seeds) != want {
			t.Errorf("%s: %s, %v", text, formatSeeds(seeds), err)
		}
	}
	for _, text := range []string{"", "x", "5-1", "-3", "1-18446744073709551615", "1-2-3", "18446744073709551616"} {
		if seeds, err := parseSeeds(text); err == nil {
			t.Errorf("%q is %d seeds", text, len(seeds))
		}
	}
}

// Wrong values name the valid ones, and end with the status of a broken run.
func TestWrongUse(t *testing.T) {
	for _, c := range []struct{ args, says string }{
		{"", "run"},
		{"walk", "determinism"},
		{"run -scenario nothing -seeds 1", scenario.Names()[0]},
		{"run -seeds many", "1-500"},
		{"run", "SEED=7"},
		{"run -seeds 1 -engine steam", "native"},
		{"run -seeds 1 -duration 1ms", "from 1s"},
		{"run -seeds 1 -jobs 0", "at least 1"},
		{"run -seeds 1 -colour red", "-scenario"},
		{"run -seeds 1 2", `"2" is no flag`},
		{"run -seeds 1 -options colour=red", "faults="},
		{"run -seeds 1 -options faults=nothing", "net-partition"},
		{"run -seeds 1 -options faults=kill:soon", "2s"},
		{"plants -only weed", "ack-before-sync"},
		{"hunt", "SEEDS=1-20000"},
	} {
		var out, errs bytes.Buffer
		if status := host(t.Context(), strings.Fields(c.args), &out, &errs); status != exitBroken || !strings.Contains(errs.String(), c.says) {
			t.Errorf("%q: status %d, %s, want a word of %q", c.args, status, errs.String(), c.says)
		}
	}
}

func TestSpreadGivesEachSeedOneScenario(t *testing.T) {
	o := &options{seeds: []uint64{1, 2, 3}, scenarios: []scenario.Scenario{{Name: "a"}, {Name: "b"}}}
	names := func() (text string) {
		for _, j := range o.jobsOf() {
			text += j.scenario
		}
		return text
	}
	if got := names(); got != "ababab" {
		t.Error(got)
	}
	o.spread = true
	if got := names(); got != "aba" {
		t.Error(got)
	}
}

func TestOutputIsTakenApart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	lines := `{"header":{}}` + "\n" + `{"trace":{"t":5,"lane":"n1","what":"starts"}}` + "\n" + `{"end":{}}` + "\n"
	write(lines)
	cut, err := readOutput(file)
	if err != nil || cut.done != nil {
		t.Errorf("without a last line: %+v, %v", cut.done, err)
	}
	write(lines + `{"done":{"virtual":7,"ops":3}}` + "\n")
	whole, err := readOutput(file)
	if err != nil || whole.done == nil || whole.done.Ops != 3 || string(whole.history) != "{\"header\":{}}\n{\"end\":{}}\n" || whole.hash == cut.hash {
		t.Errorf("%+v, %v", whole, err)
	}
	write(lines + `{"done":{}}` + "\n" + lines)
	if _, err := readOutput(file); err == nil {
		t.Error("lines after the last pass")
	}
}

func TestFirstDifference(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	for _, c := range []struct{ a, b, want string }{
		{"1\n2\n", "1\n2\n", ""},
		{"1\n2\n", "1\n3\n", "line 2"},
		{"1\n", "1\n2\n", "the output ended"},
	} {
		for file, text := range map[string]string{a: c.a, b: c.b} {
			if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := firstDifference(a, b)
		if err != nil || (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%q and %q: %q, %v", c.a, c.b, got, err)
		}
	}
}

// The corpus names scenarios and engines that there are.
func TestCorpus(t *testing.T) {
	f, err := os.Open("../../" + corpusFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := readCorpus(f); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"mixed", "mixed x native", "nothing 1 native", "mixed 1 steam"} {
		if _, err := readCorpus(strings.NewReader(bad)); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

// A hunt that goes on leaves out what it has run, whatever the commit, and
// survives a line that was cut short. It knows which states of the broker it
// has covered, and on which commits.
func TestHuntGoesOn(t *testing.T) {
	dir := t.TempDir()
	for i, text := range []string{
		`{"commit":"a","broker":"x","scenario":"mixed","seed":1,"verdict":"ok"}` + "\n" + `{"commit":"b","broker":"x","scenario":"mixed","seed":3,"verdict":"broken"}` + "\n" + `{"commit":"b","scen`,
		`{"commit":"c","broker":"y","scenario":"mixed","seed":5,"verdict":"ok"}` + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf(huntName, "xy"[i:i+1])), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cut, err := openHunt(filepath.Join(dir, fmt.Sprintf(huntName, "x")))
	if err != nil {
		t.Fatal(err)
	}
	defer cut.Close()
	if _, err := cut.WriteString(`{"commit":"b","broker":"x","scenario":"mixed","seed":6,"verdict":"ok"}` + "\n"); err != nil {
		t.Fatal(err)
	}
	made, err := readHunts(dir)
	if err != nil || len(made) != 4 {
		t.Fatal(made, err)
	}
	o := &options{seeds: []uint64{1, 2, 3, 4, 5, 6}, scenarios: []scenario.Scenario{{Name: "mixed"}}}
	var left []uint64
	for _, j := range o.missing(made) {
		left = append(left, j.seed)
	}
	if formatSeeds(left) != "2,4" {
		t.Error(left)
	}
	var out bytes.Buffer
	writeStatistics(&out, made, o)
	for _, want := range []string{"4 runs", "broker x (on a b): 3 seeds", "verdicts ok 2, broken 1", "broker y (on c): 1 seeds", "seed 3 of mixed, on b: broken"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in %s", want, out.String())
		}
	}
}

func TestCoverageProfile(t *testing.T) {
	blocks, err := readBlocks(strings.NewReader("mode: atomic\nm/broker/a.go:3.2,5.7 2 1\nm/broker/a.go:9.2,9.7 2 0\n"))
	if err != nil || len(blocks) != 2 {
		t.Fatal(blocks, err)
	}
	var out bytes.Buffer
	writeUnreached(&out, blocks)
	if !strings.Contains(out.String(), "m/broker/a.go: 9-9") || !strings.Contains(out.String(), "50.0% of     4 statements reached: m/broker") {
		t.Error(out.String())
	}
	if _, err := readBlocks(strings.NewReader("mode: atomic\nnonsense\n")); err == nil {
		t.Error("nonsense passes")
	}
}
