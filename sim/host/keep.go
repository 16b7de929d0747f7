package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/moldau/moldau/linearizability/history"
)

// Files of a failure's folder.
const (
	historyFile = "history.jsonl"
	traceFile   = "trace.txt"
	failureFile = "failure.txt"
	pictureFile = "porcupine.html"
)

// lastEventsMax of each lane are shown with a failure.
const lastEventsMax = 12

// folder is where a failed run is kept.
func (r *runner) folder(o *outcome) string {
	return filepath.Join(r.o.out, fmt.Sprintf("%s-%d", o.job.scenario, o.job.seed))
}

// keep writes a failed run's folder.
func (r *runner) keep(o *outcome) error {
	dir := r.folder(o)
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	t, err := readTrace(o.result.Stdout)
	if err != nil {
		t.lines = append(t.lines, traceLine{lane: "host", text: err.Error()})
	}
	if err := os.WriteFile(filepath.Join(dir, historyFile), t.history, 0o644); err != nil {
		return err
	}
	var text bytes.Buffer
	for _, l := range t.lines {
		fmt.Fprintln(&text, l.String())
	}
	if err := os.WriteFile(filepath.Join(dir, traceFile), text.Bytes(), 0o644); err != nil {
		return err
	}
	for _, v := range o.report.Verdicts {
		if len(v.Picture) > 0 {
			if err := os.WriteFile(filepath.Join(dir, pictureFile), v.Picture, 0o644); err != nil {
				return err
			}
			break
		}
	}
	var failure bytes.Buffer
	r.describe(&failure, o, t)
	return os.WriteFile(filepath.Join(dir, failureFile), failure.Bytes(), 0o644)
}

// explain is what is printed after a failure's line.
func (r *runner) explain(o *outcome) string {
	text, err := os.ReadFile(filepath.Join(r.folder(o), failureFile))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// describe writes everything that someone who reads about a failure wants first.
func (r *runner) describe(w io.Writer, o *outcome, t *trace) {
	fmt.Fprintf(w, "%s\n", o.line())
	if o.broken != "" {
		fmt.Fprintf(w, "broken: %s\n", o.broken)
		if stderr, _ := os.ReadFile(o.result.Stdout + ".stderr"); len(stderr) > 0 {
			fmt.Fprintf(w, "%s\n", stderr)
		}
		if o.result.Stderr != "" {
			fmt.Fprintf(w, "the guest says:\n%s\n", indent(o.result.Stderr))
		}
	}
	var ops []int64
	for _, v := range o.report.Verdicts {
		fmt.Fprintf(w, "%s\n", v)
		ops = append(ops, v.Ops...)
	}
	if o.report.Cut > 0 {
		fmt.Fprintf(w, "and %d more of the same kinds\n", o.report.Cut)
	}
	if lines := t.operations(ops); len(lines) > 0 {
		fmt.Fprintf(w, "operations involved:\n%s\n", indent(strings.Join(lines, "\n")))
	}
	fmt.Fprintf(w, "last events of each lane:\n%s\n", indent(strings.Join(t.lastOfEach(), "\n")))
	fmt.Fprintf(w, "engine %s, %s, overlay %s, guest %s, commit %s\n",
		r.guest.Engine, r.guest.GoVersion, r.guest.OverlayHash, r.guest.Hash, commit())
	fmt.Fprintf(w, "kept in %s\nreplay: %s\n", r.folder(o), r.replay(o.job))
}

// replay is the one command that makes the run again.
func (r *runner) replay(j job) string {
	command := fmt.Sprintf("make sim SEED=%d SCENARIO=%s ENGINE=%s", j.seed, j.scenario, r.guest.Engine)
	if j.duration != durationDefault {
		command += " DURATION=" + j.duration.String()
	}
	if j.options != "" {
		command += fmt.Sprintf(" OPTIONS=%q", j.options)
	}
	return command
}

func indent(text string) string {
	return "  " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n  ")
}

// trace is a run's output for people: what happened, in order, by lanes.
type trace struct {
	lines   []traceLine
	history []byte
	ops     map[int64][]byte // by id, as they stand in the history
}

type traceLine struct {
	at   int64
	lane string
	text string
}

func (l traceLine) String() string {
	return fmt.Sprintf("%14.9f %-10s %s", time.Duration(l.at).Seconds(), l.lane, l.text)
}

// readTrace reads everything of an output; what it could read stands even with
// an error.
func readTrace(path string) (*trace, error) {
	t := &trace{ops: map[int64][]byte{}}
	err := eachLine(path, func(line []byte) error {
		if !bytes.HasPrefix(line, tracePrefix) {
			t.takeHistory(line)
			return nil
		}
		var l struct {
			Trace struct {
				T    int64  `json:"t"`
				Lane string `json:"lane"`
				What string `json:"what"`
			} `json:"trace"`
		}
		if err := json.Unmarshal(line, &l); err != nil {
			return err
		}
		t.lines = append(t.lines, traceLine{at: l.Trace.T, lane: l.Trace.Lane, text: l.Trace.What})
		return nil
	})
	slices.SortStableFunc(t.lines, func(a, b traceLine) int { return int(min(max(a.at-b.at, -1), 1)) })
	return t, err
}

// takeHistory keeps a line of the history; operations and events show among the
// trace too.
func (t *trace) takeHistory(line []byte) {
	if bytes.HasPrefix(line, donePrefix) {
		return
	}
	t.history = append(append(t.history, line...), '\n')
	var l struct {
		Op    *history.Op    `json:"op"`
		Event *history.Event `json:"event"`
	}
	if json.Unmarshal(line, &l) != nil {
		return
	}
	switch {
	case l.Op != nil:
		t.ops[l.Op.ID] = bytes.Clone(line)
		t.lines = append(t.lines, traceLine{at: l.Op.Invoke, lane: l.Op.Client, text: fmt.Sprintf("op %d %s %s-%d begins", l.Op.ID, l.Op.Kind, l.Op.Topic, l.Op.Partition)})
		if l.Op.Return != history.Never {
			t.lines = append(t.lines, traceLine{at: l.Op.Return, lane: l.Op.Client, text: fmt.Sprintf("op %d %s %s-%d: %s, code %d", l.Op.ID, l.Op.Kind, l.Op.Topic, l.Op.Partition, l.Op.Outcome, l.Op.Code)})
		}
	case l.Event != nil:
		t.lines = append(t.lines, traceLine{at: l.Event.At, lane: "events", text: string(bytes.TrimSuffix(bytes.TrimPrefix(line, []byte(`{"event":`)), []byte("}")))})
	}
}

// operations are the lines of operations, in the order of their ids.
func (t *trace) operations(ids []int64) (lines []string) {
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	for _, id := range ids {
		if op, ok := t.ops[id]; ok {
			lines = append(lines, clip(string(op)))
		}
	}
	return lines
}

// lastOfEach are the last events of each lane, lane by lane.
func (t *trace) lastOfEach() (lines []string) {
	byLane := map[string][]traceLine{}
	for _, l := range t.lines {
		byLane[l.lane] = append(byLane[l.lane], l)
	}
	lanes := make([]string, 0, len(byLane))
	for lane := range byLane {
		lanes = append(lanes, lane)
	}
	slices.Sort(lanes)
	for _, lane := range lanes {
		all := byLane[lane]
		for _, l := range all[max(len(all)-lastEventsMax, 0):] {
			lines = append(lines, clip(l.String()))
		}
	}
	return lines
}
