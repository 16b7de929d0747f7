package seglog

import (
	"math"
	"slices"
)

// producerBatchesMax is how many batches of a producer are remembered for the
// recognition of duplicates: the bound of max.in.flight.requests.per.connection
// for idempotent producers.
const producerBatchesMax = 5

// producer is the state of one producer id.
type producer struct {
	id               int64
	epoch            int16
	coordinatorEpoch int32 // -1 before the first marker
	timestamp        int64 // of the last append, ms
	txnFirst         int64 // first offset of the open transaction, -1 for none
	n                int   // batches remembered, oldest first
	batches          [producerBatchesMax]ProducerBatch
}

func (b *ProducerBatch) firstSequence() int32 {
	if b.LastSequence < b.OffsetDelta {
		return math.MaxInt32 - (b.OffsetDelta - b.LastSequence) + 1
	}
	return b.LastSequence - b.OffsetDelta
}

func newProducer(id int64, epoch int16) *producer {
	return &producer{id: id, epoch: epoch, coordinatorEpoch: -1, timestamp: -1, txnFirst: -1}
}

func producerOf(e *ProducerEntry) *producer {
	p := newProducer(e.ProducerID, e.Epoch)
	p.coordinatorEpoch, p.timestamp, p.txnFirst = e.CoordinatorEpoch, e.Timestamp, max(e.FirstTxnOffset, -1)
	if e.LastOffset < 0 {
		return p
	}
	earlier := e.Earlier[max(len(e.Earlier)-ProducerEarlierMax, 0):]
	p.n = copy(p.batches[:], earlier)
	p.batches[p.n] = ProducerBatch{
		LastSequence: e.LastSequence, OffsetDelta: e.OffsetDelta, LastOffset: e.LastOffset, Timestamp: e.Timestamp,
	}
	p.n++
	return p
}

func (p *producer) entry() ProducerEntry {
	e := ProducerEntry{
		ProducerID: p.id, Epoch: p.epoch, LastSequence: -1, LastOffset: -1, Timestamp: p.timestamp,
		CoordinatorEpoch: p.coordinatorEpoch, FirstTxnOffset: p.txnFirst,
	}
	if p.n > 0 {
		last := &p.batches[p.n-1]
		e.LastSequence, e.LastOffset, e.OffsetDelta = last.LastSequence, last.LastOffset, last.OffsetDelta
	}
	if p.n > 1 {
		e.Earlier = slices.Clone(p.batches[:p.n-1])
	}
	return e
}

// lastOffset is the offset of the last data record, -1 for none.
func (p *producer) lastOffset() int64 {
	if p.n == 0 {
		return -1
	}
	return p.batches[p.n-1].LastOffset
}

// lastSequence is the sequence number of the last record of this epoch, -1 for none.
func (p *producer) lastSequence() int32 {
	if p.n == 0 {
		return -1
	}
	return p.batches[p.n-1].LastSequence
}

// setEpoch begins a new epoch: its sequence starts anew.
func (p *producer) setEpoch(epoch int16) {
	if p.epoch != epoch {
		p.epoch, p.n = epoch, 0
	}
}

// remember adds a batch and forgets the oldest of more than five.
func (p *producer) remember(b ProducerBatch) {
	if p.n == producerBatchesMax {
		copy(p.batches[:], p.batches[1:])
		p.n--
	}
	p.batches[p.n] = b
	p.n++
	p.timestamp = b.Timestamp
}

// duplicate finds the batch with exactly these sequence numbers.
func (p *producer) duplicate(first, last int32) *ProducerBatch {
	for i := p.n - 1; i >= 0; i-- {
		if b := &p.batches[i]; b.LastSequence == last && b.firstSequence() == first {
			return b
		}
	}
	return nil
}
