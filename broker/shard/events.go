package shard

import (
	"log/slog"

	"github.com/moldau/moldau/broker/kafka"
)

// CoordinatorLoadFailed reports a coordinator that could not be loaded; it is
// tried again.
type CoordinatorLoadFailed struct {
	Topic     string
	Partition int32
	Err       error
}

// Kind names the event.
func (CoordinatorLoadFailed) Kind() string { return "coordinator-load-failed" }

// Level is Error.
func (CoordinatorLoadFailed) Level() slog.Level { return slog.LevelError }

// Attrs name the partition.
func (e CoordinatorLoadFailed) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("topic", e.Topic), slog.Int("partition", int(e.Partition)), slog.Any("error", e.Err)}
}

// ReplicaNotOpened reports a replica that this broker should host and cannot.
type ReplicaNotOpened struct {
	Topic string
	ID    kafka.TopicPartition
	Err   error
}

// Kind names the event.
func (ReplicaNotOpened) Kind() string { return "replica-not-opened" }

// Level is Error.
func (ReplicaNotOpened) Level() slog.Level { return slog.LevelError }

// Attrs name the replica.
func (e ReplicaNotOpened) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("topic", e.Topic), slog.Int("partition", int(e.ID.Partition)), slog.Any("error", e.Err)}
}

// StrayReplica reports a partition folder that the metadata does not know. It
// is left alone.
type StrayReplica struct {
	Topic     string
	Partition int32
	TopicID   kafka.UUID
}

// Kind names the event.
func (StrayReplica) Kind() string { return "stray-replica" }

// Level is Warn.
func (StrayReplica) Level() slog.Level { return slog.LevelWarn }

// Attrs name the folder.
func (e StrayReplica) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("topic", e.Topic), slog.Int("partition", int(e.Partition)), slog.String("topic_id", e.TopicID.String())}
}

// CompactionNotServed warns of a topic with cleanup.policy=compact: nothing of
// its log is deleted.
type CompactionNotServed struct{ Topic string }

// Kind names the event.
func (CompactionNotServed) Kind() string { return "compaction-not-served" }

// Level is Warn.
func (CompactionNotServed) Level() slog.Level { return slog.LevelWarn }

// Attrs name the topic.
func (e CompactionNotServed) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("topic", e.Topic)}
}

// PlacementNotTold reports that the controller could not be told where new
// replicas lie, so that they were not made.
type PlacementNotTold struct{ Err error }

// Kind names the event.
func (PlacementNotTold) Kind() string { return "placement-not-told" }

// Level is Warn.
func (PlacementNotTold) Level() slog.Level { return slog.LevelWarn }

// Attrs are the reason.
func (e PlacementNotTold) Attrs() []slog.Attr { return []slog.Attr{slog.Any("error", e.Err)} }
