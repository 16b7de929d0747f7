package seglog

import (
	"cmp"
	"math"
	"slices"
)

// ProducersMax is how many producer ids one partition remembers. Beyond it the
// least recently appending ones without an open transaction are forgotten,
// an eighth at a time.
const ProducersMax = 1 << 16

// Verdict says what a batch with a producer id is.
type Verdict uint8

const (
	// Accept: the batch is new and in order.
	Accept Verdict = iota
	// Duplicate: the batch is already in the log.
	Duplicate
	// OutOfOrder: sequence numbers are missing (OUT_OF_ORDER_SEQUENCE_NUMBER).
	OutOfOrder
	// InvalidEpoch: the epoch is older than the newest seen (INVALID_PRODUCER_EPOCH).
	InvalidEpoch
	// InvalidTxn: a batch outside of the producer's open transaction (INVALID_TXN_STATE).
	InvalidTxn
	// CoordinatorFenced: a marker of an older coordinator (TRANSACTION_COORDINATOR_FENCED).
	CoordinatorFenced
)

// Check is the answer to a batch that wants to be appended.
type Check struct {
	Verdict Verdict
	// Of the batch already in the log, for Duplicate.
	BaseOffset, LastOffset, Timestamp int64
	// Of the producer, for people: the epoch and the last sequence number seen, -1 for none.
	Epoch        int16
	LastSequence int32
}

// ProducerTable is what a partition knows of the producers that wrote to it:
// epochs, the last batches, open transactions. It follows Kafka's rules
// (KIP-98, KIP-360): a producer that it does not know may begin at any sequence
// number, since its earlier batches may have been deleted.
//
// One log owns it. Invariant: open holds exactly the transactions that the
// producers' txnFirst name, ended those with markers at or above hw; both
// ascend by first offset and are never changed in place, so that an undo keeps
// the old slices.
type ProducerTable struct {
	max       int
	producers map[int64]*producer
	open      []txn
	ended     []txn
	hw        int64
}

// NewProducerTable makes a table of at most limit producers, 0 for
// ProducersMax, that holds entries.
func NewProducerTable(limit int, entries []ProducerEntry) *ProducerTable {
	if limit <= 0 {
		limit = ProducersMax
	}
	t := &ProducerTable{max: limit}
	for i := range entries {
		t.put(producerOf(&entries[i]))
		if first := entries[i].FirstTxnOffset; first >= 0 {
			t.open = insertTxn(t.open, txn{producer: entries[i].ProducerID, first: first, last: -1})
		}
	}
	return t
}

func (t *ProducerTable) put(p *producer) {
	if t.producers == nil {
		t.producers = make(map[int64]*producer)
	}
	t.producers[p.id] = p
}

// Len is the number of producers.
func (t *ProducerTable) Len() int { return len(t.producers) }

// Check validates a batch with a producer id and changes nothing; batches
// without one are always accepted. Of batches that a coordinator writes (client
// false), sequence numbers are not looked at.
func (t *ProducerTable) Check(b *Batch, client bool) Check {
	if b.ProducerID < 0 {
		return Check{}
	}
	p := t.producers[b.ProducerID]
	if p == nil {
		return Check{}
	}
	c := Check{Epoch: p.epoch, LastSequence: p.lastSequence()}
	if client && b.ProducerEpoch == p.epoch && !b.Control {
		if d := p.duplicate(b.BaseSequence, b.LastSequence()); d != nil {
			c.Verdict, c.BaseOffset, c.LastOffset, c.Timestamp = Duplicate, d.LastOffset-int64(d.OffsetDelta), d.LastOffset, d.Timestamp
			return c
		}
	}
	switch {
	case b.ProducerEpoch < p.epoch:
		c.Verdict = InvalidEpoch
	case b.Marker != NoMarker && b.CoordinatorEpoch < p.coordinatorEpoch:
		c.Verdict = CoordinatorFenced
	case b.Control:
	case client && !p.inSequence(b):
		c.Verdict = OutOfOrder
	case p.txnFirst >= 0 && !b.Transactional:
		c.Verdict = InvalidTxn
	}
	return c
}

// inSequence: a new epoch begins at 0; within one, each batch follows the last.
func (p *producer) inSequence(b *Batch) bool {
	if b.ProducerEpoch != p.epoch {
		return b.BaseSequence == 0
	}
	last := p.lastSequence()
	return int64(b.BaseSequence) == int64(last)+1 || b.BaseSequence == 0 && last == math.MaxInt32
}

// Append takes in a batch of the log, unconditionally: Check went before, or
// the batch comes from the leader or from disk. A marker that aborts a
// transaction gives the entry for the transaction index.
func (t *ProducerTable) Append(b *Batch) (AbortedTxn, bool) {
	aborted, ok, _ := t.apply(b)
	return aborted, ok
}

// apply is Append that also gives the producers that had to make room.
func (t *ProducerTable) apply(b *Batch) (aborted AbortedTxn, ok bool, evicted []*producer) {
	if b.ProducerID < 0 || b.Control && b.Marker == NoMarker {
		return aborted, false, nil
	}
	p := t.producers[b.ProducerID]
	if p == nil {
		evicted = t.makeRoom()
		p = newProducer(b.ProducerID, b.ProducerEpoch)
		t.put(p)
	}
	p.setEpoch(b.ProducerEpoch)
	if b.Control {
		aborted, ok = t.end(p, b)
		return aborted, ok, evicted
	}
	p.remember(ProducerBatch{
		LastSequence: b.LastSequence(), OffsetDelta: b.LastOffsetDelta, LastOffset: b.LastOffset(), Timestamp: b.MaxTimestamp,
	})
	if b.Transactional && p.txnFirst < 0 {
		p.txnFirst = b.BaseOffset
		t.open = insertTxn(t.open, txn{producer: p.id, first: b.BaseOffset, last: -1})
	}
	return aborted, false, evicted
}

// Expire forgets producers without an open transaction whose last append is
// expirationMs or more old, and returns how many.
func (t *ProducerTable) Expire(nowWall, expirationMs int64) int {
	before := len(t.producers)
	for id, p := range t.producers { //det:ok each is judged alone
		if p.txnFirst < 0 && nowWall-p.timestamp >= expirationMs {
			delete(t.producers, id)
		}
	}
	return before - len(t.producers)
}

// makeRoom forgets an eighth of a full table: those that appended longest ago,
// but none with an open transaction.
func (t *ProducerTable) makeRoom() []*producer {
	if len(t.producers) < t.max {
		return nil
	}
	idle := make([]*producer, 0, len(t.producers))
	for _, p := range t.producers { //det:ok sorted below
		if p.txnFirst < 0 {
			idle = append(idle, p)
		}
	}
	slices.SortFunc(idle, func(a, b *producer) int {
		return cmp.Or(cmp.Compare(a.lastOffset(), b.lastOffset()), cmp.Compare(a.id, b.id))
	})
	evicted := slices.Clone(idle[:min(len(idle), 1+t.max/8)])
	for _, p := range evicted {
		delete(t.producers, p.id)
	}
	return evicted
}

// Truncate forgets the batches at and above offset. A producer of which no
// batch is left is forgotten; as after a deletion, it may go on at any sequence.
func (t *ProducerTable) Truncate(offset int64) {
	reopened := t.truncateTxns(offset)
	for _, p := range t.producers { //det:ok each is judged alone
		for p.n > 0 && p.batches[p.n-1].LastOffset >= offset {
			p.n--
		}
		if p.n > 0 {
			p.timestamp = p.batches[p.n-1].Timestamp
		}
		if p.txnFirst >= offset {
			p.txnFirst = -1
		}
	}
	for _, x := range reopened {
		if p := t.producers[x.producer]; p != nil && p.txnFirst < 0 {
			p.txnFirst = x.first
			t.open = insertTxn(t.open, txn{producer: x.producer, first: x.first, last: -1})
		}
	}
	for id, p := range t.producers { //det:ok each is judged alone
		if p.n == 0 && p.txnFirst < 0 {
			delete(t.producers, id)
		}
	}
}

// Entries are the producers, ascending by id, all that is known of them. A
// snapshot has less: see ProducerEntry.
func (t *ProducerTable) Entries() []ProducerEntry {
	entries := make([]ProducerEntry, 0, len(t.producers))
	for _, p := range t.producers { //det:ok sorted below
		entries = append(entries, p.entry())
	}
	slices.SortFunc(entries, func(a, b ProducerEntry) int { return cmp.Compare(a.ProducerID, b.ProducerID) })
	return entries
}

// Clone copies the table.
func (t *ProducerTable) Clone() *ProducerTable {
	c := *t
	c.producers = make(map[int64]*producer, len(t.producers))
	for id, p := range t.producers { //det:ok a copy
		p := *p
		c.producers[id] = &p
	}
	return &c
}
