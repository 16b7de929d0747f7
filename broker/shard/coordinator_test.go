package shard

import (
	"sync"
	"testing"
	"time"

	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/faultfs"
	"github.com/moldau/moldau/disk/memfs"
)

// idleMachine is a coordinator's machine that is loaded and asked nothing.
type idleMachine struct{ coord.Machine }

func (idleMachine) Replay(coord.Record, int64) error   { return nil }
func (idleMachine) Loaded(coord.Times, coord.Topics)   {}
func (idleMachine) Deadline() (at clock.Mono, ok bool) { return 0, false }
func (idleMachine) Census() []coord.Count              { return nil }

// probe looks at a replica and its coordinator on their shard.
type probe struct {
	h     *Handle
	ask   replica.Ask
	ready bool
	state coord.State
	done  chan struct{}
}

func (p *probe) on(*Shard) {
	p.ask, p.ready = p.h.machine.NextAsk()
	p.state = p.h.coord.runtime.State()
	close(p.done)
}

func look(h *Handle) *probe {
	p := &probe{h: h, done: make(chan struct{})}
	h.shard.in.Put(p)
	<-p.done
	return p
}

// TestElectedWhileItTruncates: a replica that is elected while its log is being cut
// leads when that is done, and its coordinator begins then.
func TestElectedWhileItTruncates(t *testing.T) {
	clk := sysclock.New()
	faults := faultfs.New(memfs.New(), clk)
	w := newWorld(t, faults, 1)
	defer w.close()
	topic := metarecord.NewTopic()
	topic.Name, topic.TopicID = kafka.OffsetsTopicName, topicID(0)
	r := metarecord.NewPartition()
	r.PartitionID, r.TopicID, r.Replicas, r.ISR = 0, topicID(0), []int32{testNode, 2}, []int32{testNode, 2}
	r.Leader, r.LeaderEpoch, r.PartitionEpoch = testNode, 0, 0
	r.Directories = []kafka.UUID{testDirectory, {15: 78}}
	w.apply(topic, r)
	h := w.manager.Find(kafka.TopicPartition{Topic: topicID(0)})
	await := func(what func(p *probe) bool) *probe {
		for {
			if p := look(h); what(p) {
				return p
			}
			clk.Sleep(time.Millisecond, nil)
		}
	}
	await(func(p *probe) bool { return p.state == coord.Active })
	c := &collector{}
	for range 2 { // which the other one never fetches
		c.produce(t, h, replica.AcksLeader, time.Minute)
	}
	c.wg.Wait()
	lead := func(node int32) {
		change := metarecord.NewPartitionChange()
		change.PartitionID, change.TopicID, change.Leader = 0, topicID(0), node
		w.apply(change)
	}
	lead(2)
	ask := await(func(p *probe) bool { return p.ready && p.state == coord.Idle }).ask
	hold := make(chan struct{})
	release := sync.OnceFunc(func() { close(hold) })
	defer release()
	remove := faults.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpSync}, Pattern: "*", Hold: hold})
	(&FollowAnswers{Parts: []FollowAnswer{{Handle: h, Answer: replica.Answer{Ask: ask, Diverging: replica.EpochEnd{Epoch: 0, Offset: 1}}}}}).Send()
	lead(testNode)
	if p := look(h); p.ready || p.state != coord.Idle {
		t.Fatalf("while it is cut: asks %t, the coordinator is %v", p.ready, p.state)
	}
	remove()
	release()
	await(func(p *probe) bool { return p.state == coord.Active }) // for ever, if it stays idle
}
