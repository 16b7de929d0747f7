package broker

import (
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/api"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/group"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/observe"
	"github.com/moldau/moldau/broker/server"
)

// quorumWait is how long a snapshot waits for the controller's loop.
const quorumWait = 100 * time.Millisecond

// Kafka's states of a broker.
const (
	stateStarting = 1
	stateRunning  = 3
	stateStopping = 6
)

// Snapshot fills s with the node's numbers, all but the program's version. It
// may be called at any time; before Ready is closed there is nothing but the
// state.
func (b *Broker) Snapshot(s *observe.Snapshot) {
	s.BrokerState = stateStarting
	select {
	case <-b.ready:
	default:
		return
	}
	s.BrokerState = stateRunning
	select {
	case <-b.stop:
		s.BrokerState = stateStopping
	default:
	}
	img := b.holder.Load()
	if b.manager != nil {
		img = b.manager.Image()
		b.snapshotDirs(s)
		b.snapshotPartitions(s, img)
		b.snapshotGroups(s)
		b.snapshotReplication(s)
	}
	s.ImageOffset = img.Offset()
	b.snapshotRequests(s)
	if b.quorum != nil {
		b.snapshotController(s, img)
	}
}

func (b *Broker) snapshotRequests(s *observe.Snapshot) {
	var clients, controllers server.Stats
	s.MemoryMax = b.cfg.Settings.RequestMemoryBytes
	if b.controller != nil {
		controllers = b.controller.Stats()
		s.MemoryUsed, s.MemoryEvicted = controllers.BudgetUsed, controllers.Evicted
		s.Listeners = append(s.Listeners, listenerStats("controllers", controllers))
	}
	if b.server != nil {
		clients = b.server.Stats()
		s.MemoryUsed, s.MemoryEvicted = clients.BudgetUsed, clients.Evicted
		s.Listeners = append([]observe.Listener{listenerStats("clients", clients)}, s.Listeners...)
		b.snapshotTopics(s)
	}
	for key := range clients.Requests {
		if n := clients.Requests[key] + controllers.Requests[key]; n > 0 {
			s.Requests = append(s.Requests, observe.Request{
				Name: requestName(int16(key)), Count: n,
				Nanos: clients.RequestNanos[key] + controllers.RequestNanos[key],
				Bytes: clients.RequestsBytes[key] + controllers.RequestsBytes[key],
			})
		}
	}
}

func listenerStats(name string, st server.Stats) observe.Listener {
	return observe.Listener{
		Name: name, Connections: st.Connections, Accepted: st.Accepted, Refused: st.Refused, OverHost: st.OverHost,
		BlockedNanos: st.BlockedNanos, ThrottledNanos: st.ThrottledNanos, BytesIn: st.BytesIn, BytesOut: st.BytesOut,
	}
}

func (b *Broker) snapshotTopics(s *observe.Snapshot) {
	stats := b.handler.Stats()
	s.BytesRejected, s.FailedProduce, s.FailedFetch = stats.BytesRejected.Load(), stats.FailedProduce.Load(), stats.FailedFetch.Load()
	s.FetchSessions = b.handler.FetchSessions()
	stats.Topics(func(name string, t *api.TopicStats) {
		s.Topics = append(s.Topics, observe.Topic{
			Name: name, MessagesIn: t.MessagesIn.Load(), BytesIn: t.BytesIn.Load(), BytesOut: t.BytesOut.Load(),
			ProduceRequests: t.ProduceRequests.Load(), Fetches: t.Fetches.Load(),
		})
	})
}

func (b *Broker) snapshotDirs(s *observe.Snapshot) {
	for _, d := range b.dirs {
		st := d.Stats()
		s.Dirs = append(s.Dirs, observe.Dir{
			Path: d.Path(), Offline: d.Err() != nil, Turns: st.Turns, Appends: st.Appends, AppendedBytes: st.AppendedBytes,
			DirectSyncs: st.DirectSyncs, JournalCommits: st.JournalCommits, JournalBytes: st.JournalBytes,
			BackgroundSyncs: st.BackgroundSyncs, PendingBytes: st.PendingBytes, OpenFiles: st.OpenFiles,
			SyncMillis: st.OldestSyncMs,
		})
	}
}

func (b *Broker) snapshotPartitions(s *observe.Snapshot, img *metaimage.Image) {
	minISR := map[string]int{}
	for _, h := range b.manager.Handles() {
		status, ok := h.Status()
		meta := img.Partition(h.ID)
		if !ok || meta == nil {
			continue
		}
		least, known := minISR[h.Topic]
		if !known {
			t := config.ResolveTopic(b.layers(img, h.Topic))
			least = t.MinInsync(len(meta.Replicas))
			minISR[h.Topic] = least
		}
		s.Partitions = append(s.Partitions, observe.Partition{
			Topic: h.Topic, Partition: h.ID.Partition, Leader: status.Leader, Offline: status.Offline,
			Replicas: len(meta.Replicas), InSync: len(meta.ISR), MinInSync: least,
			LogStart: status.LogStart, LogEnd: status.LEO, Segments: status.Segments, Bytes: status.Bytes,
		})
	}
}

func (b *Broker) snapshotReplication(s *observe.Snapshot) {
	f := b.fetcher.Stats()
	s.Replication = observe.Replication{
		BytesIn: f.BytesIn, BytesOut: b.handler.Stats().ReplicationBytesOut.Load(), MaxLag: f.MaxLag,
		FailedPartitions: f.Failed, CorruptAnswers: f.Corrupt, DisconnectedLeaders: f.Disconnected,
		Shrinks: b.isrShrinks.Load(), Expands: b.isrExpands.Load(), RefusedISRs: b.uplink.RefusedAlterations(),
	}
}

// snapshotController asks the controller of this node who leads. The numbers
// of the cluster are the active controller's to show.
func (b *Broker) snapshotController(s *observe.Snapshot, img *metaimage.Image) {
	s.Raft = observe.Raft{State: "unattached", Leader: -1, Epoch: img.Epoch(), HighWatermark: img.Offset() + 1}
	if q := b.describeQuorum(); q != nil {
		s.Raft.Leader, s.Raft.Epoch, s.Raft.HighWatermark, s.Raft.Voters = q.LeaderID, q.LeaderEpoch, q.HighWatermark, len(q.CurrentVoters)
		s.Raft.State = "follower"
		for _, v := range q.CurrentVoters {
			if v.ReplicaID == b.cfg.Settings.NodeID {
				s.Raft.LogEnd = v.LogEndOffset
			}
		}
	}
	if s.Raft.Leader != b.cfg.Settings.NodeID {
		return
	}
	s.Raft.State = "leader"
	c := &s.Controller
	c.Active, c.Topics, c.Partitions = true, img.NumTopics(), img.NumPartitions()
	c.UncleanElections = b.quorum.UncleanElections()
	for _, broker := range img.Brokers() {
		if broker.Fenced {
			c.FencedBrokers++
		} else {
			c.ActiveBrokers++
		}
	}
	for _, t := range img.Topics() {
		for _, p := range t.Partitions() {
			if p.Leader < 0 {
				c.OfflinePartitions++
			} else if len(p.Replicas) > 0 && p.Leader != p.Replicas[0] {
				c.PreferredAway++
			}
		}
	}
}

// snapshotGroups sums over the coordinators of this broker.
func (b *Broker) snapshotGroups(s *observe.Snapshot) {
	for _, c := range b.manager.Census() {
		if c.What == group.CensusOffsets {
			s.GroupOffsets = c.N
		} else {
			s.GroupsByState = append(s.GroupsByState, observe.GroupCount{State: c.What, Count: c.N})
		}
	}
}

// describeQuorum is nil where the controller does not know, or does not answer.
func (b *Broker) describeQuorum() *kmsg.DescribeQuorumResponseTopicPartition {
	req := kmsg.NewPtrDescribeQuorumRequest()
	topic := kmsg.NewDescribeQuorumRequestTopic()
	topic.Topic = "__cluster_metadata"
	topic.Partitions = append(topic.Partitions, kmsg.NewDescribeQuorumRequestTopicPartition())
	req.Topics = append(req.Topics, topic)
	req.Version = 2
	answer := make(chan kmsg.Response, 1)
	if !b.quorum.Dispatch(req, func(resp kmsg.Response) { answer <- resp }) {
		return nil
	}
	timer := b.cfg.Clock.NewTimer(quorumWait)
	defer timer.Stop()
	select {
	case resp := <-answer:
		q, ok := resp.(*kmsg.DescribeQuorumResponse)
		if !ok || q.ErrorCode != 0 || len(q.Topics) == 0 || len(q.Topics[0].Partitions) == 0 || q.Topics[0].Partitions[0].ErrorCode != 0 {
			return nil
		}
		return &q.Topics[0].Partitions[0]
	case <-timer.C():
		return nil
	}
}

// requestName is the request's name as Kafka writes it.
func requestName(key int16) string {
	name := kmsg.NameForKey(key)
	if name == "AlterPartitionAssignments" {
		return "AlterPartitionReassignments"
	}
	return strings.NewReplacer("ID", "Id", "SASL", "Sasl", "ACL", "Acl", "SCRAM", "Scram", "ISR", "Isr").Replace(name)
}
