package shard

import (
	"sync/atomic"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/broker/seglog/logdir"
)

// Handle is one replica that this broker hosts. Everyone may hold it; only
// its shard looks inside.
type Handle struct {
	// ID and Topic name the partition.
	ID    kafka.TopicPartition
	Topic string

	shard *Shard
	dir   *logdir.Dir
	part  *logdir.Partition
	key   uint64 // under which the disk worker answers

	standing seglog.Standing // the Manager's: what recovery found, until it is lifted

	damaged atomic.Bool // found while the log was read, and reported

	// settings that connections read while they validate batches.
	settings atomic.Pointer[Settings]

	// The rest belongs to the shard's loop.
	machine   *replica.Replica
	watchers  []watcher
	followers []followerWatch // of other brokers that fetch from it
	follower  follower
	coord     *hostedCoordinator
	advanced  bool // on the shard's list of this turn
	closed    bool
}

// Settings are what the API needs of a topic's configuration before a request
// reaches the shard.
type Settings struct {
	// Policy is what produced batches must satisfy; ProduceVersion is the request's.
	Policy batch.Policy
	// Compacted says that cleanup.policy has compact.
	Compacted bool
}

// Settings are the topic's as of the newest image.
func (h *Handle) Settings() *Settings { return h.settings.Load() }

// Partition is the folder behind the replica, for searches by time.
func (h *Handle) Partition() *logdir.Partition { return h.part }

// Status asks the shard for a snapshot of the replica.
func (h *Handle) Status() (replica.Status, bool) {
	q := &Query{Handle: h, Kind: QueryStatus}
	if !q.Do() {
		return replica.Status{}, false
	}
	return q.Status, true
}
