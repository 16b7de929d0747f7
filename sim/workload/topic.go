package workload

import (
	"encoding/hex"
	"slices"
	"sync"

	"github.com/moldau/moldau/linearizability/history"
)

// TopicSpec is a topic to be made. What is promised for it goes into the
// history, so it is said here and set on the topic explicitly.
type TopicSpec struct {
	Name           string
	Partitions     int32
	Durability     history.Durability
	RetentionMs    int64             // -1 for ever
	RetentionBytes int64             // -1 without limit
	AppendTime     bool              // message.timestamp.type=LogAppendTime
	Configs        map[string]string // further settings
	Replicas       int16             // of each partition; 0 leaves it to the cluster
	MinInsync      int               // min.insync.replicas; 0 leaves it to the cluster
	Unclean        bool              // an unclean election is allowed
}

// Topic is a topic that exists, or existed. It may be used concurrently.
type Topic struct {
	Spec TopicSpec
	ID   [16]byte

	mu         sync.Mutex
	partitions int32
	gone       bool // somebody is deleting it, or has
	perhaps    bool // a deletion may have happened
}

// Text is the id as histories have it.
func (t *Topic) Text() string { return hex.EncodeToString(t.ID[:]) }

// Partitions is how many there are, as far as anybody has learned.
func (t *Topic) Partitions() int32 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.partitions
}

// learn takes a number of partitions from an answer.
func (t *Topic) learn(partitions int32) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.partitions = max(t.partitions, partitions)
}

// Gone reports whether the topic is, or may be, deleted.
func (t *Topic) Gone() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.gone
}

// deleting marks that a deletion is asked for.
func (t *Topic) deleting() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.gone = true
}

// deleted takes what came of it: a topic of which every deletion failed is there.
func (t *Topic) deleted(outcome history.Outcome) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.perhaps = t.perhaps || outcome != history.OutcomeFailed
	t.gone = t.perhaps
}

// declared is the topic as the history declares it.
func (t *Topic) declared() history.Topic {
	return history.Topic{
		ID: t.Text(), Name: t.Spec.Name, Partitions: t.Partitions(), Durability: t.Spec.Durability,
		RetentionMs: t.Spec.RetentionMs, RetentionBytes: t.Spec.RetentionBytes, AppendTime: t.Spec.AppendTime,
	}
}

// Declare makes a topic known that exists. The history has it from Close on.
func (r *Recorder) Declare(spec TopicSpec, id [16]byte) *Topic {
	t := &Topic{Spec: spec, ID: id, partitions: spec.Partitions}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, known := range r.topics {
		if known.ID == id {
			return known
		}
	}
	r.topics = append(r.topics, t)
	return t
}

// Topics are all that were declared, in that order.
func (r *Recorder) Topics() []*Topic {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.topics)
}
