package broker

import (
	"log/slog"
	"slices"

	"github.com/moldau/moldau/broker/metaimage"
)

// watchLed counts how the ISRs that this broker leads change, and tells of the partitions that this broker leads from here on by
// an election that may have lost records (KIP-704). The replica's machine ends
// their recovery.
func (b *Broker) watchLed(old, img *metaimage.Image) {
	for _, id := range img.Since(old).Partitions {
		p, before := img.Partition(id), old.Partition(id)
		if before != nil && p.Leader == b.cfg.Settings.NodeID {
			if slices.ContainsFunc(before.ISR, func(r int32) bool { return !p.InISR(r) }) {
				b.isrShrinks.Add(1)
			}
			if slices.ContainsFunc(p.ISR, func(r int32) bool { return !before.InISR(r) }) {
				b.isrExpands.Add(1)
			}
		}
		led := before != nil && before.LeaderEpoch == p.LeaderEpoch
		if p.Leader == b.cfg.Settings.NodeID && p.Recovery == metaimage.Recovering && !led {
			b.cfg.Events.Emit(UncleanLeader{Topic: img.Topic(id.Topic).Name, Partition: id.Partition, LeaderEpoch: p.LeaderEpoch})
		}
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
