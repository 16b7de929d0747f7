package quorum

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/disk/faultfs"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

// TestNoSpace: while the disk is full nothing is acknowledged and the office is
// lost; when there is space again the node goes on by itself.
func TestNoSpace(t *testing.T) {
	mem := newFS()
	n := mustStart(t, mem, 1, nil)
	n.unfence(n.register())
	mem.OnCall(func(c memfs.Call) error {
		if c.Op == memfs.OpWrite && strings.Contains(c.Name, "moldau.raft.") {
			return vfs.ErrNoSpace
		}
		return nil
	})
	r := n.ask(createTopic("full", 1)).(*kmsg.CreateTopicsResponse)
	if kafka.ErrorCode(r.Topics[0].ErrorCode) != kafka.ErrNotController {
		t.Fatalf("full disk: %s", kafka.ErrorCode(r.Topics[0].ErrorCode))
	}
	mem.OnCall(nil)
	for {
		r := n.ask(createTopic("again", 1)).(*kmsg.CreateTopicsResponse)
		if code := kafka.ErrorCode(r.Topics[0].ErrorCode); code == kafka.ErrNone {
			break
		} else if code != kafka.ErrNotController {
			t.Fatalf("after the full disk: %s", code)
		}
	}
	if n.holder.Load().TopicByName("full") != nil {
		t.Fatal("the refused topic exists")
	}
	if err := n.q.Stop(); err != nil {
		t.Fatal(err)
	}
	if len(n.fails) > 0 {
		t.Fatalf("the node was to stop: %v", <-n.fails)
	}
}

// TestFailedSync: after a sync that failed nothing is acknowledged any more,
// and the node is told to stop.
func TestFailedSync(t *testing.T) {
	for _, file := range []string{"moldau.raft.", "moldau.stable"} {
		mem := newFS()
		n := mustStart(t, mem, 1, nil)
		n.unfence(n.register())
		broken := errors.New("broken disk")
		mem.OnCall(func(c memfs.Call) error {
			if c.Op == memfs.OpSync && strings.Contains(c.Name, file) {
				return broken
			}
			if c.Op == memfs.OpWrite && strings.Contains(c.Name, "moldau.raft.") && file == "moldau.stable" {
				return vfs.ErrNoSpace // costs the office, so that a term must be stored
			}
			return nil
		})
		r := n.ask(createTopic("lost", 1)).(*kmsg.CreateTopicsResponse)
		if r.Topics[0].ErrorCode == 0 {
			t.Fatalf("%s: acknowledged without a sync", file)
		}
		if err := <-n.fails; !errors.Is(err, broken) {
			t.Fatalf("%s: failure is %v", file, err)
		}
		mem.OnCall(nil)
		r = n.ask(createTopic("later", 1)).(*kmsg.CreateTopicsResponse)
		if r.Topics[0].ErrorCode == 0 {
			t.Fatalf("%s: acknowledged after a failed sync", file)
		}
		if err := n.q.Kill(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStopAfterAFailedStore: a node that stops because its term cannot be stored
// does not wait for raft's goroutine, which that has ended.
func TestStopAfterAFailedStore(t *testing.T) {
	mem := newFS()
	n := mustStart(t, mem, 1, nil)
	n.unfence(n.register())
	n.create("kept", 1)
	mem.OnCall(func(c memfs.Call) error {
		switch {
		case c.Op == memfs.OpWrite && strings.Contains(c.Name, "moldau.raft."):
			return vfs.ErrNoSpace // costs the office, so that a term must be stored
		case strings.Contains(c.Name, "moldau.stable"):
			return errors.New("broken disk")
		}
		return nil
	})
	n.ask(createTopic("lost", 1))
	<-n.fails
	if err := n.q.Stop(); err == nil {
		t.Error("stopped with its checkpoint written")
	}
}

// TestUnreadableLog: where a read of the metadata log fails, the start ends
// with an error; raft's own answer to that is a panic.
func TestUnreadableLog(t *testing.T) {
	mem := newFS()
	n := mustStart(t, mem, 1, nil)
	n.unfence(n.register())
	n.create("kept", 1)
	if err := n.q.Kill(); err != nil {
		t.Fatal(err)
	}
	broken, failed := errors.New("broken disk"), 0
	for nth := 1; nth <= 40; nth++ {
		disk := faultfs.New(mem.Clone(), manual.New())
		disk.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpRead}, Pattern: "moldau.raft.*", Nth: nth, Err: broken})
		again, err := startNode(t, disk, 2, nil)
		if err != nil {
			failed++
			continue
		}
		if err := again.q.Kill(); err != nil && !errors.Is(err, broken) {
			t.Fatal(err)
		}
	}
	if failed < 2 {
		t.Errorf("%d of 40 starts failed: reads within raft's start are not among them", failed)
	}
}

// acked is what was acknowledged when a clone was taken.
type acked struct {
	clone   *memfs.FS
	cluster string // empty before the identity was complete
	topics  map[string]kafka.UUID
}

// TestCrashAtEveryCall: from a power loss at any call of a node's life, a first
// start included, the node starts with all that it had answered.
func TestCrashAtEveryCall(t *testing.T) {
	mem := newFS()
	coins := rand.New(rand.NewPCG(3, 3))
	var mu sync.Mutex
	var clones []acked
	cluster, topics := "", map[string]kafka.UUID{}
	mem.OnCall(func(memfs.Call) error {
		mu.Lock()
		defer mu.Unlock()
		known := map[string]kafka.UUID{}
		for name, id := range topics {
			known[name] = id
		}
		clones = append(clones, acked{mem.CrashClone(coins), cluster, known})
		return nil
	})
	n := mustStart(t, mem, 1, func(c *Config) { c.SnapshotBytes = 400 })
	ack := func(f func()) { mu.Lock(); defer mu.Unlock(); f() }
	ack(func() { cluster = n.id.ClusterID })
	n.unfence(n.register())
	for _, name := range []string{"a", "b", "c", "d"} {
		id := n.create(name, 2)
		ack(func() { topics[name] = id })
	}
	if err := n.q.Stop(); err != nil {
		t.Fatal(err)
	}
	n = mustStart(t, mem, 2, nil)
	n.unfence(n.register())
	id := n.create("e", 1)
	ack(func() { topics["e"] = id })
	if err := n.q.Kill(); err != nil {
		t.Fatal(err)
	}
	for i, c := range clones {
		n, err := startNode(t, c.clone, uint64(i)+100, nil)
		if err != nil {
			t.Fatalf("crash %d of %d: %v", i, len(clones), err)
		}
		if c.cluster != "" && n.id.ClusterID != c.cluster {
			t.Fatalf("crash %d: cluster %s, was %s", i, n.id.ClusterID, c.cluster)
		}
		n.register()
		for name, id := range c.topics {
			if topic := n.holder.Load().TopicByName(name); topic == nil || topic.ID != id {
				t.Fatalf("crash %d: topic %s is %v", i, name, topic)
			}
		}
		if err := n.q.Kill(); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d crashes", len(clones))
}
