package broker

import (
	"log/slog"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
)

// recoveredPartition is a partition that was elected uncleanly, or by its last
// known leader, and is led here.
type recoveredPartition struct {
	id          kafka.TopicPartition
	leaderEpoch int32
	epoch       int32
	isr         []int32
}

// endRecoveries tells the controller of the partitions that this broker leads
// and whose election may have lost records (KIP-704): the leader's log is the
// partition's from here on, so recovery is over. The requests go out on a
// goroutine of their own; a refusal comes from a newer image, which asks again.
func (b *Broker) endRecoveries(old, img *metaimage.Image) {
	node := b.cfg.Settings.NodeID
	var list []recoveredPartition
	for _, id := range img.Since(old).Partitions {
		p := img.Partition(id)
		if p.Leader == node && p.Recovery == metaimage.Recovering {
			list = append(list, recoveredPartition{id, p.LeaderEpoch, p.PartitionEpoch, p.ISR})
			b.cfg.Events.Emit(UncleanLeader{Topic: img.Topic(id.Topic).Name, Partition: id.Partition, LeaderEpoch: p.LeaderEpoch})
		}
	}
	if len(list) == 0 {
		return
	}
	b.wg.Add(1)
	go func() {
		defer b.wg.Done()
		b.alterRecovered(img, list)
	}()
}

// alterRecovered sends AlterPartition with the committed ISR and the recovery
// state taken off.
func (b *Broker) alterRecovered(img *metaimage.Image, list []recoveredPartition) {
	req := kmsg.NewPtrAlterPartitionRequest()
	req.Version = 3
	req.BrokerID, req.BrokerEpoch = b.cfg.Settings.NodeID, b.uplink.BrokerEpoch()
	for _, r := range list {
		if n := len(req.Topics); n == 0 || kafka.UUID(req.Topics[n-1].TopicID) != r.id.Topic {
			t := kmsg.NewAlterPartitionRequestTopic()
			t.TopicID = r.id.Topic
			req.Topics = append(req.Topics, t)
		}
		p := kmsg.NewAlterPartitionRequestTopicPartition()
		p.Partition, p.LeaderEpoch, p.PartitionEpoch = r.id.Partition, r.leaderEpoch, r.epoch
		p.LeaderRecoveryState = metaimage.Recovered
		for _, id := range r.isr {
			member := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
			member.BrokerID = id
			if broker := img.Broker(id); broker != nil {
				member.BrokerEpoch = broker.BrokerEpoch
			}
			p.NewEpochISR = append(p.NewEpochISR, member)
		}
		t := &req.Topics[len(req.Topics)-1]
		t.Partitions = append(t.Partitions, p)
	}
	if _, err := b.uplink.Forward(req, b.cfg.Settings.RequestTimeout); err != nil {
		b.cfg.Events.Emit(RecoveryNotEnded{Partitions: len(list), Err: err})
	}
}

// UncleanLeader reports that this broker leads a partition by an election that
// may have lost records.
type UncleanLeader struct {
	Topic       string
	Partition   int32
	LeaderEpoch int32
}

// Kind names the event.
func (UncleanLeader) Kind() string { return "unclean-leader" }

// Level is Warn.
func (UncleanLeader) Level() slog.Level { return slog.LevelWarn }

// Attrs name the partition.
func (e UncleanLeader) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("topic", e.Topic), slog.Int("partition", int(e.Partition)), slog.Int("epoch", int(e.LeaderEpoch))}
}

// RecoveryNotEnded reports that the controller could not be told.
type RecoveryNotEnded struct {
	Partitions int
	Err        error
}

// Kind names the event.
func (RecoveryNotEnded) Kind() string { return "recovery-not-ended" }

// Level is Warn.
func (RecoveryNotEnded) Level() slog.Level { return slog.LevelWarn }

// Attrs are the number of partitions and the reason.
func (e RecoveryNotEnded) Attrs() []slog.Attr {
	return []slog.Attr{slog.Int("partitions", e.Partitions), slog.Any("error", e.Err)}
}
