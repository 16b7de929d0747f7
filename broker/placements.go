package broker

import (
	"bytes"
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog/logdir"
)

// placementRetryAfter passes between two tries to tell the controller where
// replicas lie. They go on until the node stops: no replica is made before.
const placementRetryAfter = 100 * time.Millisecond

// placementsPerRequest bounds the replicas that one request tells of.
const placementsPerRequest = 10_000

// placements are the directories of new replicas that the controller has not
// taken note of; at most one for each replica of this broker.
type placements struct {
	mu     sync.Mutex
	untold map[kafka.TopicPartition]kafka.UUID
	wake   chan struct{} // holds one
}

func newPlacements() *placements {
	return &placements{untold: make(map[kafka.TopicPartition]kafka.UUID), wake: make(chan struct{}, 1)}
}

// put adds what is to be told.
func (p *placements) put(ids []kafka.TopicPartition, dir kafka.UUID) {
	p.mu.Lock()
	for _, id := range ids {
		p.untold[id] = dir
	}
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// placement is one replica's directory.
type placement struct {
	id  kafka.TopicPartition
	dir kafka.UUID
}

// next is what the next request tells, by directory and partition.
func (p *placements) next() []placement {
	p.mu.Lock()
	list := make([]placement, 0, len(p.untold))
	for id, dir := range p.untold { //det:ok sorted below
		list = append(list, placement{id, dir})
	}
	p.mu.Unlock()
	slices.SortFunc(list, func(a, b placement) int {
		return cmp.Or(bytes.Compare(a.dir[:], b.dir[:]), bytes.Compare(a.id.Topic[:], b.id.Topic[:]), cmp.Compare(a.id.Partition, b.id.Partition))
	})
	return list[:min(len(list), placementsPerRequest)]
}

// told takes out what the controller has answered, but for what changed meanwhile.
func (p *placements) told(list []placement) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range list {
		if p.untold[t.id] == t.dir {
			delete(p.untold, t.id)
		}
	}
}

// place asks for new replicas in directories. The image that shows them there opens them.
func (b *Broker) place(where map[*logdir.Dir][]kafka.TopicPartition) {
	for _, d := range b.identity.Directories {
		if ids := where[b.dirByPath(d.Path)]; len(ids) > 0 {
			b.placements.put(ids, d.ID)
		}
	}
}

// placeLoop tells the controller of placements until the node stops.
func (b *Broker) placeLoop() {
	defer b.wg.Done()
	for {
		select {
		case <-b.placements.wake:
		case <-b.stop:
			return
		}
		for list := b.placements.next(); len(list) > 0; list = b.placements.next() {
			if err := b.tellPlacements(list); err == nil {
				b.placements.told(list)
			} else if !b.cfg.Clock.Sleep(placementRetryAfter, b.stop) {
				return
			}
		}
	}
}

// tellPlacements sends AssignReplicasToDirs (KIP-858). A replica that the answer
// refuses is not this broker's any more, or its directory is lost: the metadata
// that says so is on its way.
func (b *Broker) tellPlacements(list []placement) error {
	req := kmsg.NewPtrAssignReplicasToDirsRequest()
	req.BrokerID, req.BrokerEpoch = b.cfg.Settings.NodeID, b.uplink.BrokerEpoch()
	for _, t := range list {
		if n := len(req.Directories); n == 0 || kafka.UUID(req.Directories[n-1].ID) != t.dir {
			dir := kmsg.NewAssignReplicasToDirsRequestDirectory()
			dir.ID = t.dir
			req.Directories = append(req.Directories, dir)
		}
		dir := &req.Directories[len(req.Directories)-1]
		if n := len(dir.Topics); n == 0 || kafka.UUID(dir.Topics[n-1].TopicID) != t.id.Topic {
			topic := kmsg.NewAssignReplicasToDirsRequestDirectoryTopic()
			topic.TopicID = t.id.Topic
			dir.Topics = append(dir.Topics, topic)
		}
		part := kmsg.NewAssignReplicasToDirsRequestDirectoryTopicPartition()
		part.Partition = t.id.Partition
		topic := &dir.Topics[len(dir.Topics)-1]
		topic.Partitions = append(topic.Partitions, part)
	}
	resp, err := b.uplink.Forward(req, b.cfg.Settings.RequestTimeout)
	if err != nil {
		return err
	}
	if r, ok := resp.(*kmsg.AssignReplicasToDirsResponse); ok && r.ErrorCode != 0 {
		return kafka.ErrorCode(r.ErrorCode)
	}
	return nil
}
