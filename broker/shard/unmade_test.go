package shard

import (
	"testing"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/faultfs"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

// Replicas that there was no space to make are made once there is, though no
// newer image asks for them; those of a topic deleted meanwhile are not.
func TestMadeOnceThereIsSpace(t *testing.T) {
	faults := faultfs.New(memfs.New(), sysclock.New())
	w := newWorld(t, faults, 2)
	defer w.close()
	space := faults.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpWrite}, Pattern: "d/*/*", Err: vfs.ErrNoSpace})
	for i := range 2 {
		topic := metarecord.NewTopic()
		topic.Name, topic.TopicID = []string{"kept", "deleted"}[i], topicID(i)
		part := metarecord.NewPartition()
		part.PartitionID, part.TopicID, part.Replicas, part.ISR, part.Leader = 0, topicID(i), []int32{testNode}, []int32{testNode}, testNode
		part.Directories = []kafka.UUID{testDirectory}
		w.apply(topic, part)
	}
	kept, deleted := kafka.TopicPartition{Topic: topicID(0)}, kafka.TopicPartition{Topic: topicID(1)}
	w.manager.MakeAgain()
	if w.manager.Find(kept) != nil || w.manager.Find(deleted) != nil || !w.manager.Unmade() {
		t.Fatal("a replica was opened that there is no space for, or none is left to be made")
	}
	w.remove(1)
	space()
	w.manager.MakeAgain()
	h := w.manager.Find(kept)
	if h == nil || w.manager.Find(deleted) != nil || w.manager.Unmade() || w.dir.Stats().Partitions != 1 {
		t.Fatalf("with space again: %v, %v of a deleted topic, left %v", h, w.manager.Find(deleted), w.manager.Unmade())
	}
	c := &collector{}
	d := c.produce(t, h, 1, 0)
	c.wg.Wait()
	if d.part.Code != kafka.ErrNone {
		t.Errorf("produce: %s", d.part.Code)
	}
}
