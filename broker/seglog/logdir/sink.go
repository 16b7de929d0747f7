package logdir

import "github.com/moldau/moldau/broker/seglog"

// Order is one order of a replica's machine.
type Order struct {
	P  *Partition
	Op seglog.Op
}

// Completion is one answer to the replica that was bound under Key.
type Completion struct {
	Key  uint64
	Done seglog.Done
}

// Sink takes the answers: a shard posts them to its inbox. DiskDone is called
// from worker goroutines, must not wait, and owns the slice from then on.
// Completions of one replica arrive in order, over all calls.
type Sink interface {
	DiskDone(completions []Completion)
}
