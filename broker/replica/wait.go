package replica

import (
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/internal/ring"
)

// wait is a produce request that is appended and not yet answered.
type wait struct {
	base, end  int64 // the batch's offsets: base to end-1
	token      uint64
	appendTime int64 // what the Ack says
}

// waitQueue holds waits, ascending by end. Only a duplicate of a batch that is
// still under way comes out of order.
type waitQueue struct {
	ring ring.Ring[wait]
}

func (q *waitQueue) add(w wait) {
	*q.ring.Push() = w
	for i := q.ring.Len() - 1; i > 0 && q.ring.At(i-1).end > w.end; i-- {
		*q.ring.At(i) = *q.ring.At(i - 1)
		*q.ring.At(i - 1) = w
	}
}

// Which queue an ack waits in.
const (
	leaderQueue = iota // acks=1: until the batch is on this leader's disk (rule P5)
	allQueue           // acks=all: until the high watermark passes it
)

// queueOf is the queue of a request with these acks, which are not 0.
func queueOf(acks int8) int {
	if acks == AcksAll {
		return allQueue
	}
	return leaderQueue
}

// reached is the offset up to which the queue's waits may be answered.
func (r *Replica) reached(queue int) int64 {
	if queue == allQueue {
		return r.hw
	}
	return r.committable()
}

// release answers the waits that are done.
func (r *Replica) release(ready *Ready) {
	for i := range r.waits {
		q, end := &r.waits[i].ring, r.reached(i)
		for q.Len() > 0 && q.Front().end <= end {
			r.acknowledge(*q.Front(), ready)
			q.PopFront()
		}
	}
	r.releaseDeletes(ready)
}

func (r *Replica) acknowledge(w wait, ready *Ready) {
	ready.Acks = append(ready.Acks, Ack{
		Token: w.token, BaseOffset: w.base, LastOffset: w.end - 1, LogAppendTime: w.appendTime, LogStart: r.log.LogStart(),
	})
}

// failWaits answers those that wait for offsets at or above from with an error.
func (r *Replica) failWaits(from int64, code kafka.ErrorCode, message string, ready *Ready) {
	for i := range r.waits {
		q := &r.waits[i].ring
		keep := q.Len()
		for keep > 0 && q.At(keep-1).end > from {
			keep--
		}
		for j := keep; j < q.Len(); j++ {
			r.refuse(q.At(j).token, code, message, ready)
		}
		for q.Len() > keep {
			q.PopBack()
		}
	}
}

// failAll answers everybody who waits with an error.
func (r *Replica) failAll(code kafka.ErrorCode, message string, ready *Ready) {
	r.failWaits(-1, code, message, ready)
	for r.deletes.Len() > 0 {
		r.refuse(r.deletes.Front().token, code, message, ready)
		r.deletes.PopFront()
	}
}

// refuse answers with an error.
func (r *Replica) refuse(token uint64, code kafka.ErrorCode, message string, ready *Ready) {
	ready.Acks = append(ready.Acks, Ack{
		Token: token, Code: code, Message: message, BaseOffset: -1, LastOffset: -1, LogAppendTime: -1, LogStart: -1,
	})
}

// waiting is the number of requests that wait.
func (r *Replica) waiting() int {
	return r.waits[leaderQueue].ring.Len() + r.waits[allQueue].ring.Len() + r.deletes.Len()
}
