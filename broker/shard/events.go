package shard

import (
	"log/slog"

	"github.com/moldau/moldau/broker/kafka"
)

// CoordinatorLoadFailed reports a coordinator that could not be loaded; it is
// tried again, unless its log is damaged.
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

// DamageFound reports a replica whose log turned out to be damaged when it was
// read, out of service from the next start on, or when it was to be cut, out of
// service at once.
type DamageFound struct {
	Dir       string
	Topic     string
	Partition int32
	Err       error
}

// Kind names the event.
func (DamageFound) Kind() string { return "damage-found" }

// Level is Error.
func (DamageFound) Level() slog.Level { return slog.LevelError }

// Attrs name the replica, the place, and what helps.
func (e DamageFound) Attrs() []slog.Attr {
	return []slog.Attr{
		slog.String("dir", e.Dir), slog.String("topic", e.Topic), slog.Int("partition", int(e.Partition)), slog.Any("error", e.Err),
		slog.String("repair", "restart this node: what fails is kept aside, and another replica leads, or none until one is elected"),
	}
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

// ReplicaMade reports that a replica was made that a ReplicaNotOpened told of:
// there is space again.
type ReplicaMade struct {
	Topic string
	ID    kafka.TopicPartition
}

// Kind names the event.
func (ReplicaMade) Kind() string { return "replica-made" }

// Level is Info.
func (ReplicaMade) Level() slog.Level { return slog.LevelInfo }

// Attrs name the replica.
func (e ReplicaMade) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("topic", e.Topic), slog.Int("partition", int(e.ID.Partition))}
}

// LostLogBegunAnew reports a replica whose log begins with nothing, now that the
// partition has a leader: its folder was gone, with records that had been synced,
// or its directory Dir was given up and the operator did not wait for it.
type LostLogBegunAnew struct {
	Dir       string
	Topic     string
	Partition int32
}

// Kind names the event.
func (LostLogBegunAnew) Kind() string { return "lost-log-begun-anew" }

// Level is Warn.
func (LostLogBegunAnew) Level() slog.Level { return slog.LevelWarn }

// Attrs name the replica.
func (e LostLogBegunAnew) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("dir", e.Dir), slog.String("topic", e.Topic), slog.Int("partition", int(e.Partition))}
}

// StrayReplica reports a partition folder that the metadata does not know, or
// has in another directory. It is left alone.
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
