package workload_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moldau/moldau/internal/simcore"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/sim/workload"
)

// TestRecorder: lines come whole and in order, times are those since the begin,
// what is open at the end has no return, and trace lines are JSON whatever is in
// them.
func TestRecorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		r, err := workload.NewRecorder(&out, simcore.ProcessTime{}, history.Header{Seed: 9, Scenario: "s"})
		if err != nil {
			t.Fatal(err)
		}
		topic := r.Declare(workload.TopicSpec{Name: "t", Partitions: 2, Durability: history.DurabilityOS, RetentionMs: -1, RetentionBytes: 7}, [16]byte{1})
		if again := r.Declare(workload.TopicSpec{Name: "t"}, [16]byte{1}); again != topic {
			t.Error("a topic was declared twice")
		}
		time.Sleep(3 * time.Millisecond)
		produce := &history.Op{Client: "c", Kind: history.KindProduce, Topic: topic.Text(), Partition: 1, Produce: &history.Produce{Acks: 1, Records: []history.Record{{Value: 1}}}}
		open := &history.Op{Client: "c", Kind: history.KindSeek, Topic: topic.Text()}
		dropped := &history.Op{Client: "c", Kind: history.KindMetadata}
		empty := &history.Op{Client: "d", Kind: history.KindFetch, Topic: topic.Text(), Read: &history.Read{Position: 3, HighWatermark: 5}}
		for _, op := range []*history.Op{produce, open, dropped, empty} {
			r.Begin(op)
		}
		r.Drop(dropped)
		const odd = "\"\\\x00\n\u2028\xff<é"
		r.Trace("c", odd)
		time.Sleep(4 * time.Millisecond)
		r.Event(history.Event{Kind: history.EventCrash, Node: 1})
		r.Answered(produce, 7, r.Now())
		r.Answered(empty, 0, r.Now())
		if r.Progressed("c", 0) || r.Progressed("d", 0) {
			t.Error("a failure, or a read of nothing, passed for progress")
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		r.Trace("c", "too late")
		r.Answered(open, 0, r.Now())
		h, err := history.Load(withoutTrace(out.Bytes()), history.Limits{})
		if err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		if len(h.Ops) != 3 || h.Ops[0].Invoke != 3e6 || h.Ops[0].Return != 7e6 || h.Ops[0].Outcome != history.OutcomeMaybe || h.Ops[0].Code != 7 {
			t.Errorf("%+v", h.Ops)
		}
		if h.Ops[2].Return != history.Never || h.Ops[2].Outcome != history.OutcomeMaybe || h.Events[0].At != 7e6 || h.End != 7e6 {
			t.Errorf("%+v %+v", h.Ops[2], h.Events)
		}
		if len(h.Topics) != 1 || h.Topics[0].RetentionBytes != 7 || h.Topics[0].Durability != history.DurabilityOS || h.Topics[0].Partitions != 2 {
			t.Errorf("%+v", h.Topics)
		}
		if c := r.Counts(); c.Ops != 2 || c.OK != 1 || c.Acked != 0 {
			t.Errorf("%+v", c)
		}
		checkTrace(t, out.String(), strings.ToValidUTF8(odd, "\ufffd"))
	})
}

// checkTrace finds the one trace line.
func checkTrace(t *testing.T, out, want string) {
	found := 0
	for line := range strings.Lines(out) {
		var l struct {
			Trace *struct {
				T    int64
				Lane string
				What string
			}
		}
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Errorf("%q: %v", line, err)
		}
		if l.Trace != nil {
			found++
			if l.Trace.T != 3e6 || l.Trace.Lane != "c" || l.Trace.What != want {
				t.Errorf("%q", line)
			}
		}
	}
	if found != 1 {
		t.Errorf("%d trace lines", found)
	}
}

// broken is a file that takes no more.
type broken struct{ left int }

func (b *broken) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errors.New("disk full")
	}
	return len(p), nil
}

func TestRecorderErrors(t *testing.T) {
	r, err := workload.NewRecorder(&broken{}, simcore.ProcessTime{}, history.Header{})
	if err != nil {
		t.Fatal(err)
	}
	r.Trace("c", "x")
	if err := r.Close(); err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("%v", err)
	}
}

func TestFailures(t *testing.T) {
	r, err := workload.NewRecorder(&bytes.Buffer{}, simcore.ProcessTime{}, history.Header{})
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		r.Fail("c", "nonsense")
	}
	if f := r.Failures(); len(f) != 20 || f[0] != "c: nonsense" || r.Counts().Failures != 100 {
		t.Errorf("%d %v", r.Counts().Failures, f)
	}
}
