package workload_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moldau/moldau/broker"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/clock/simclock"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/internal/simcore"
	"github.com/moldau/moldau/linearizability"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/net/memnet"
	"github.com/moldau/moldau/net/transport"
	"github.com/moldau/moldau/sim/workload"
)

// bed is a run in a bubble: a node, or whatever listens in its place, on a
// network in memory, and the actors.
type bed struct {
	t        *testing.T
	net      transport.Network
	clock    clock.Clock
	streams  simcore.Streams
	out      bytes.Buffer
	recorder *workload.Recorder
	fs       vfs.FS
	addr     string
	calm     chan struct{}
	stop     chan struct{}
	names    []string
	actors   sync.WaitGroup
	cancel   context.CancelFunc
	ended    chan error
	settling time.Duration // after the heal
	starts   int
	sink     event.Sink
}

// inBubble runs f in a bubble of virtual time.
func inBubble(t *testing.T, seed uint64, f func(b *bed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		clk := simclock.New(simcore.ProcessTime{}, nil).Boot(nil)
		b := &bed{
			t: t, clock: clk, net: memnet.New(clk), streams: simcore.NewStreams(seed), fs: memfs.New(),
			calm: make(chan struct{}), stop: make(chan struct{}), settling: settlingMax, sink: event.Discard{},
		}
		var err error
		b.recorder, err = workload.NewRecorder(&b.out, simcore.ProcessTime{}, history.Header{
			Seed: seed, Scenario: t.Name(), EpochMs: simcore.ProcessTime{}.Now().UnixMilli(),
		})
		if err != nil {
			t.Fatal(err)
		}
		f(b)
	})
}

// start runs a node.
func (b *bed) start(properties ...config.Property) {
	b.t.Helper()
	settings, _, err := config.Load(append([]config.Property{
		{Name: "log.dirs", Value: "data"}, {Name: "offsets.topic.num.partitions", Value: "3"}, {Name: "group.initial.rebalance.delay.ms", Value: "500"},
	}, properties...))
	if err != nil {
		b.t.Fatal(err)
	}
	b.starts++ // each process has an identity of its own
	node, err := broker.New(broker.Config{
		Settings: settings, FS: b.fs, Network: b.net, Clock: b.clock, Entropy: simclock.NewEntropy(nil, b.streams.Stream(fmt.Sprint("entropy", b.starts))),
		Events: b.sink, Shards: 2,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	b.cancel, b.ended = cancel, ended
	go func() { ended <- node.Run(ctx) }()
	select {
	case <-node.Ready():
	case err := <-ended:
		b.t.Fatalf("the node did not start: %v", err)
	}
	b.addr = node.Addr()
}

// shut stops the node.
func (b *bed) shut() {
	b.t.Helper()
	b.cancel()
	if err := <-b.ended; err != nil {
		b.t.Fatalf("the node did not stop cleanly: %v", err)
	}
}

func (b *bed) env(name string) *workload.Env {
	return &workload.Env{
		Network: b.net, Clock: b.clock, Rand: b.streams.Stream(name), Recorder: b.recorder, Bootstrap: []string{b.addr}, Name: name, Calm: b.calm, Stop: b.stop,
	}
}

// topics makes topics.
func (b *bed) topics(specs ...workload.TopicSpec) []*workload.Topic {
	b.t.Helper()
	topics, err := workload.CreateTopics(b.env("maker"), specs, time.Minute)
	if err != nil {
		b.t.Fatal(err)
	}
	return topics
}

// keeps is a topic that keeps everything.
func keeps(name string, partitions int32) workload.TopicSpec {
	return workload.TopicSpec{Name: name, Partitions: partitions, Durability: history.DurabilitySync, RetentionMs: -1, RetentionBytes: -1}
}

// run sets an actor going.
func (b *bed) run(name string, a workload.Actor) {
	b.names = append(b.names, name)
	env := b.env(name)
	b.actors.Add(1)
	go func() {
		defer b.actors.Done()
		a.Run(env)
	}()
}

const (
	settlingMax = 12 * time.Second // after the heal, for groups
	quiet       = 5 * time.Second  // between the last answers and the final reads
)

// sleep lets virtual time pass.
func (b *bed) sleep(d time.Duration) { b.clock.Sleep(d, nil) }

// finish heals, lets the actors get on, ends them, reads everything and returns
// the report.
func (b *bed) finish(o linearizability.Options) (*history.History, linearizability.Report) {
	b.t.Helper()
	healed := b.recorder.Now()
	b.settle()
	for _, name := range b.names {
		if !b.recorder.Progressed(name, healed) {
			b.t.Errorf("%s got nowhere", name)
		}
	}
	if err := b.read(); err != nil {
		b.t.Error(err)
	}
	return b.verdict(o)
}

// end is finish of a run in which all may go wrong.
func (b *bed) end(o linearizability.Options) (*history.History, linearizability.Report) {
	b.t.Helper()
	b.settle()
	if err := b.read(); err != nil {
		b.t.Log(err)
	}
	return b.verdict(o)
}

// settle says that all is healed, and lets the time pass that is left then.
func (b *bed) settle() {
	close(b.calm)
	b.recorder.Event(history.Event{Kind: history.EventHealed, Node: history.Unknown, Clients: b.names, DeadlineNs: int64(b.settling)})
	b.sleep(b.settling + time.Second)
}

// read ends the actors and reads everything.
func (b *bed) read() error {
	close(b.stop)
	b.actors.Wait()
	b.sleep(quiet)
	env := b.env("final")
	env.Stop = nil
	return workload.FinalReads(env, nil, time.Minute, nil)
}

func (b *bed) verdict(o linearizability.Options) (*history.History, linearizability.Report) {
	b.t.Helper()
	if err := b.recorder.Close(); err != nil {
		b.t.Fatal(err)
	}
	h, err := history.Load(withoutTrace(b.out.Bytes()), history.Limits{})
	if err != nil {
		b.t.Fatal(err)
	}
	return h, linearizability.Check(h, o)
}

// withoutTrace splits the history off, as the simulator's host does.
func withoutTrace(text []byte) *bytes.Reader {
	var out []byte
	for line := range bytes.Lines(text) {
		if !bytes.HasPrefix(line, []byte(`{"trace":`)) {
			out = append(out, line...)
		}
	}
	return bytes.NewReader(out)
}

// fine asserts that a run has nothing against it, and enough in it.
func (b *bed) fine(h *history.History, report linearizability.Report, least map[history.Kind]int) {
	b.t.Helper()
	if v := report.Verdict(); v.Status != linearizability.StatusOK {
		b.t.Errorf("%s", report.String())
	}
	for _, failure := range b.recorder.Failures() {
		b.t.Errorf("failure: %s", failure)
	}
	good, all := map[history.Kind]int{}, map[history.Kind]int{}
	codes := map[string]int{}
	for i := range h.Ops {
		all[h.Ops[i].Kind]++
		if h.Ops[i].OK() {
			good[h.Ops[i].Kind]++
		} else {
			codes[fmt.Sprintf("%s %s %d", h.Ops[i].Kind, h.Ops[i].Outcome, h.Ops[i].Code)]++
		}
	}
	for kind, n := range least {
		if good[kind] < n {
			b.t.Errorf("%d operations %s were ok, want %d", good[kind], kind, n)
		}
	}
	b.t.Logf("%d operations, ok: %v, not: %v, counts %+v", len(h.Ops), good, codes, b.recorder.Counts())
	if b.t.Failed() {
		for line := range strings.Lines(b.out.String()) {
			if strings.HasPrefix(line, `{"trace":`) {
				b.t.Log(strings.TrimSpace(line))
			}
		}
	}
}
