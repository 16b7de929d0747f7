package logdir

import (
	"testing"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/memfs"
	"go.uber.org/goleak"
)

func syncOptions() Options { return Options{Durability: kafka.DurabilitySync, IndexBytes: 1 << 10} }

// reopen opens what fsys holds and adopts everything in it.
func reopen(t *testing.T, w *world) (*world, map[kafka.TopicPartition]seglog.State) {
	t.Helper()
	n := newWorld(t, w.fs, func(c *Config) { *c = w.cfg; c.Clock = w.clk })
	n.clk = w.clk
	n.open()
	t.Cleanup(func() { _ = n.d.Close(false, 0) }) // where the test has not closed it
	states := map[kafka.TopicPartition]seglog.State{}
	for _, r := range n.d.Recovered() {
		if r.Err != nil {
			t.Fatalf("%s: %v", r.Topic, r.Err)
		}
		states[r.ID] = r.State
	}
	for _, old := range w.logs {
		if old.deleted {
			continue
		}
		p, st, err := n.d.Adopt(old.id, old.opt)
		if err != nil {
			t.Fatal(err)
		}
		l := &testLog{w: n, key: old.key, topic: old.topic, id: old.id, opt: old.opt, p: p, epoch: old.epoch, history: old.history, limit: -1}
		l.log = seglog.NewLog(testLogConfig(), st)
		l.written, l.durable = st.End, st.End
		for uint64(len(n.logs)) < old.key {
			n.logs = append(n.logs, &testLog{deleted: true})
		}
		p.Bind(n, l.key)
		n.logs = append(n.logs, l)
	}
	return n, states
}

func TestAppendReadRecover(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, clean := range []bool{true, false} {
		w := newWorld(t, memfs.New(), nil)
		w.open()
		w.create(3, syncOptions())
		for i := range 60 {
			var orders []Order
			for k, l := range w.logs {
				orders = append(orders, l.appendOrder(1+(i+k)%3, 50))
			}
			w.d.Submit(orders)
			for _, l := range w.logs {
				l.awaitWritten()
			}
		}
		for _, l := range w.logs {
			l.awaitDurable()
			if len(l.p.segments()) < 3 {
				t.Fatalf("%d segments", len(l.p.segments()))
			}
			if err := l.verify(l.p, 0, l.log.Next(), l.history); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.d.Close(clean, 7); err != nil {
			t.Fatal(err)
		}
		n, states := reopen(t, w)
		for _, l := range n.logs {
			st := states[l.id]
			if want := l.history[len(l.history)-1].last + 1; st.End != want {
				t.Errorf("clean %t: %s ends at %d, want %d", clean, l.topic, st.End, want)
			}
			if got := seglog.Classify(kafka.DurabilitySync, st.Evidence); got != seglog.Intact || st.Evidence.Clean != clean {
				t.Errorf("clean %t: %s is %s: %+v", clean, l.topic, got, st.Evidence)
			}
			if err := l.verify(l.p, 0, st.End, l.history); err != nil {
				t.Error(err)
			}
			l.append(1, 10)
			l.awaitDurable()
		}
		if got := n.d.PreviousBrokerEpoch(); clean && got != 7 {
			t.Errorf("broker epoch %d", got)
		}
		if err := n.d.Close(true, 8); err != nil {
			t.Fatal(err)
		}
	}
}
