package shard

import (
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/internal/life"
)

// QueryKind says what a Query asks.
type QueryKind uint8

const (
	// QueryOffset asks ListOffset.
	QueryOffset QueryKind = iota + 1
	// QueryEpochEnd asks OffsetForLeaderEpoch.
	QueryEpochEnd
	// QueryDelete is DeleteRecords below Offset.
	QueryDelete
	// QueryStatus asks for a snapshot.
	QueryStatus
)

// Query is one question to one replica.
type Query struct {
	Handle *Handle
	Kind   QueryKind

	ListOffset         replica.ListOffset // QueryOffset
	CurrentLeaderEpoch int32              // QueryEpochEnd
	Epoch              int32              // QueryEpochEnd
	Offset             int64              // QueryDelete

	// The answers.
	Code     kafka.ErrorCode
	Listed   replica.ListOffsetAnswer
	EpochEnd replica.EpochEnd
	LogStart int64 // QueryDelete: the low watermark
	Status   replica.Status

	done chan struct{}
}

// Do asks and waits; false when the shard has stopped.
func (q *Query) Do() bool {
	q.Start()
	return q.Finish()
}

// Start asks without waiting for the answer; Finish must follow.
func (q *Query) Start() {
	q.done = make(chan struct{})
	q.Code = kafka.ErrNone
	if !q.Handle.shard.in.Put(q) {
		q.Code = kafka.ErrNotLeaderOrFollower
		close(q.done)
	}
}

// Finish waits for the answer; false when the replica is not here any more.
func (q *Query) Finish() bool {
	life.Receive(q.Handle.shard.life, q.done)
	return q.Code != kafka.ErrNotLeaderOrFollower
}

func (q *Query) on(s *Shard) {
	h := q.Handle
	if h.closed {
		q.Code = kafka.ErrNotLeaderOrFollower
		close(q.done)
		return
	}
	switch q.Kind {
	case QueryOffset:
		q.Listed = h.machine.ListOffset(q.ListOffset)
	case QueryEpochEnd:
		q.EpochEnd = h.machine.EpochEnd(q.CurrentLeaderEpoch, q.Epoch)
	case QueryStatus:
		q.Status = h.machine.Status()
	case QueryDelete:
		h.machine.DeleteRecords(q.Offset, s.tokens.add(ref{query: q}), &s.ready)
		s.carryOut(h)
		return
	}
	close(q.done)
}

func (q *Query) acked(a replica.Ack) {
	q.Code, q.LogStart = a.Code, a.LogStart
	close(q.done)
}
