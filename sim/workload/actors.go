package workload

import (
	"time"

	"github.com/moldau/moldau/broker/batch"
)

// Producer appends to partitions of its topics.
type Producer struct {
	Topics     []*Topic
	Acks       int16 // -1, 1, 0
	Idempotent bool  // with acks -1: producer id, sequences, repeats of what got no answer
	Codec      batch.Codec
	RecordsMax int           // in a batch, at least 1
	ValueBytes int           // of the largest value
	PartsMax   int           // partitions in a request, at least 1
	InFlight   int           // requests under way, at least 1, at most 5 when idempotent
	Every      time.Duration // mean time between requests
	Timeout    time.Duration // given up, or sent again, when there is no answer
	GiveUp     int           // of 1000 requests that are given up at once, their connection closed
}

// Consumer reads partitions that it chose itself.
type Consumer struct {
	Topics   []*Topic
	Sessions bool          // incremental fetch sessions, with shadows beside them
	MinBytes int32         // that a fetch waits for
	MaxBytes int32         // of a fetch
	MaxWait  time.Duration // of a fetch
	Every    time.Duration // mean time between fetches
	Timeout  time.Duration
	Lookups  int // of 1000 steps that look an offset up
	Seeks    int // of 1000 steps that move elsewhere
}

// Member is a client in a group of the classic protocol.
type Member struct {
	Group      string
	Topics     []*Topic
	InstanceID string        // static membership, "" for none
	Session    time.Duration // session timeout
	Rebalance  time.Duration // rebalance timeout
	Every      time.Duration // mean time between steps
	Timeout    time.Duration
	Deaths     int           // of 1000 steps that end its life without a word
	Leaves     int           // of 1000 steps that leave the group
	Away       time.Duration // mean time that it is gone then
}

// Admin makes and takes away topics, partitions, records and settings.
type Admin struct {
	Topics        []*Topic      // of which records are deleted, partitions added, settings changed
	Churn         []TopicSpec   // made, used a little and deleted, one after another, with a number at the name's end
	Every         time.Duration // mean time between steps
	Timeout       time.Duration
	DeleteRecords bool
	AddPartitions int32 // up to so many in a topic
	Configs       bool  // alters settings and reads them back
}

// IDTaker asks for producer ids.
type IDTaker struct {
	Every   time.Duration
	Timeout time.Duration
}

// Run is Actor's.
func (a Producer) Run(env *Env) { <-env.Stop }

// Run is Actor's.
func (a Consumer) Run(env *Env) { <-env.Stop }

// Run is Actor's.
func (a Member) Run(env *Env) { <-env.Stop }

// Run is Actor's.
func (a Admin) Run(env *Env) { <-env.Stop }

// Run is Actor's.
func (a IDTaker) Run(env *Env) { <-env.Stop }
