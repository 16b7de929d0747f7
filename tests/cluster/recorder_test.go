package cluster

import (
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/moldau/moldau/linearizability"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/tests/node"
)

// recorder keeps the history of a run. Its methods may be called concurrently.
type recorder struct {
	begin time.Time

	mu      sync.Mutex
	h       history.History
	open    map[int64]*history.Op
	nextOp  int64
	nextVal uint64
	acks    int // appends acknowledged
}

func newRecorder(scenario string, seed uint64) *recorder {
	now := time.Now()
	r := &recorder{begin: now, open: map[int64]*history.Op{}}
	r.h.Header = history.Header{
		Format: history.Format, Version: history.Version, Seed: seed, Scenario: scenario,
		EpochMs: now.UnixMilli(), SkewMaxMs: 1000, Elections: true,
	}
	return r
}

func (r *recorder) now() int64 { return int64(time.Since(r.begin)) }

// value is a number that no other record of the run has.
func (r *recorder) value() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nextVal++
	return r.nextVal
}

func (r *recorder) topic(t history.Topic) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.h.Topics = append(r.h.Topics, t)
}

func (r *recorder) event(e history.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.At = r.now()
	r.h.Events = append(r.h.Events, e)
}

// began opens an operation.
func (r *recorder) began(op *history.Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nextOp++
	op.ID, op.Invoke, op.Return, op.Outcome = r.nextOp, r.now(), history.Never, history.OutcomeMaybe
	r.open[op.ID] = op
}

// ended closes an operation; its client touches it no more.
func (r *recorder) ended(op *history.Op, outcome history.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, op.ID)
	op.Outcome, op.Return = outcome, max(op.Invoke, r.now())
	r.h.Ops = append(r.h.Ops, *op)
	if op.OK() && op.Kind == history.KindProduce {
		r.acks++
	}
}

// dropped forgets an operation that turned out to be none.
func (r *recorder) dropped(op *history.Op) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, op.ID)
}

// acknowledged counts the appends that are.
func (r *recorder) acknowledged() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.acks
}

// each shows every operation that has ended.
func (r *recorder) each(show func(op *history.Op)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.h.Ops {
		show(&r.h.Ops[i])
	}
}

// close ends the history. Clients have returned.
func (r *recorder) close() *history.History {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, op := range r.open {
		r.h.Ops = append(r.h.Ops, *op)
	}
	r.h.End = r.now()
	slices.SortFunc(r.h.Ops, func(a, b history.Op) int { return int(a.ID - b.ID) })
	return &r.h
}

// judge has the checkers look at the history, and keeps it if they object.
func judge(t *testing.T, h *history.History, o linearizability.Options) {
	t.Helper()
	report := linearizability.Check(h, o)
	t.Logf("%d operations, %d events: %s", len(h.Ops), len(h.Events), report.String())
	if len(report.Verdicts) == 0 {
		return
	}
	t.Error("the checkers object")
}

// outDir is where failures leave what explains them.
func outDir(t *testing.T) string {
	t.Helper()
	root, err := node.Root()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(root, "out", "cluster")
}

// keep writes a history to out/cluster and returns where.
func keep(t *testing.T, h *history.History) string {
	t.Helper()
	path := filepath.Join(outDir(t), h.Header.Scenario+".jsonl")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := history.Write(f, h); err != nil {
		t.Fatal(err)
	}
	return path
}

// progressed reports whether a client finished something well after a moment,
// and, if it says when it begins, began it after that.
func (r *recorder) progressed(client string, since int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := len(r.h.Ops) - 1; i >= 0 && r.h.Ops[i].Return >= since; i-- {
		op := &r.h.Ops[i]
		if op.Client == client && op.OK() && (op.Invoke >= since || op.Produce != nil && op.Produce.Records[0].Value>>programShift > 0) {
			return true
		}
	}
	return false
}
