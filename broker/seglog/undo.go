package seglog

// undo restores what one batch changed, until it is written.
type undo struct {
	first, end int64 // the batch's offsets: first to end-1
	rolled     bool  // a segment was begun for it
	segment    Segment
	epochs     EpochCache
	producer   producerUndo
}

// producerUndo restores what one batch changed of the producer table.
type producerUndo struct {
	id          int64 // -1: nothing
	known       bool  // the producer was known before, as prev
	prev        producer
	open, ended []txn
	evicted     []*producer
}

// capture fills u with what Append of b is going to change.
func (t *ProducerTable) capture(u *producerUndo, b *Batch) {
	u.id = b.ProducerID
	if u.id < 0 {
		return
	}
	u.open, u.ended = t.open, t.ended
	if p := t.producers[u.id]; p != nil {
		u.known, u.prev = true, *p
	}
}

// restore brings back what capture saw.
func (t *ProducerTable) restore(u *producerUndo) {
	if u.id < 0 {
		return
	}
	if u.known {
		p := u.prev
		t.put(&p)
	} else {
		delete(t.producers, u.id)
	}
	for _, p := range u.evicted {
		t.put(p)
	}
	t.open, t.ended = u.open, u.ended
	t.HighWatermark(t.hw)
}
