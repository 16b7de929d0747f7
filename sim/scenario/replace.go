package scenario

import (
	"errors"
	"fmt"
	"slices"

	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/sim/workload"
	"github.com/moldau/moldau/sim/world"
)

// replaceReported does what an operator does to whom clients, or followers, report
// wrong bytes of a partition that other nodes have whole: the node is stopped, the
// folder of its copy thrown away, and the node, started again, copies it from the
// others. They alone see those of a checksum of records, which nobody else looks at
// when records are read. It reports whether there was a copy to replace.
func (r *run) replaceReported() (any bool) {
	if !r.spared() {
		return false
	}
	for _, c := range r.recorder.TakeReported() {
		topics := r.recorder.Topics()
		i := slices.IndexFunc(topics, func(t *workload.Topic) bool { return t.Text() == c.At.Topic })
		n := r.world.Node(c.Node)
		if i < 0 || topics[i].Gone() || n == nil {
			continue
		}
		f := folder{topics[i].Spec.Name, c.At.Partition}
		if !r.losses.isDamaged(n.ID, f) {
			continue // of a copy that is thrown away by now
		}
		if err := r.replace(n, f); err != nil {
			r.trace("operator", fmt.Sprintf("%s of %s is not replaced: %v", f.name(), n.Host, err))
			continue
		}
		any = true
	}
	return any
}

// unsound keeps the copy of which a follower was sent records that are not sound.
func (r *run) unsound(leader int32, topic string, partition int32) {
	for _, t := range r.topicsOf(topic) {
		r.recorder.Report(workload.Copy{Node: leader, At: history.TopicPartition{Topic: t.Text(), Partition: partition}})
	}
}

// replace throws a node's copy of a partition away while the node is down.
func (r *run) replace(n *world.Node, f folder) error {
	r.trace("operator", fmt.Sprintf("%s of %s is thrown away", f.name(), n.Host))
	if n.Running() && n.Stop(stopMax) != nil {
		n.Kill()
	}
	disk := n.Disk.Mount(nil)
	for _, dir := range n.LogDirs() {
		if err := errors.Join(disk.RemoveAll(dir+"/"+f.name()), disk.SyncDir(dir)); err != nil {
			return err
		}
	}
	r.losses.replaced(n.ID, f, r.recorder.Now())
	r.partitionEvent(history.EventReplaced, n.ID, f)
	if err := n.Start(); err != nil {
		return err
	}
	if !r.world.Await(n.Ready(), startMax) {
		return fmt.Errorf("%s does not serve after %v", n.Host, startMax)
	}
	return nil
}
