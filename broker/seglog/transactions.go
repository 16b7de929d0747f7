package seglog

import (
	"cmp"
	"slices"
)

// Transactions of a log that was imported, or that later work serves: which are
// open, where the last stable offset stands, what the transaction index gets.

// AbortedTxn is one entry of a .txnindex file.
type AbortedTxn struct {
	ProducerID       int64
	FirstOffset      int64
	LastOffset       int64 // of the marker
	LastStableOffset int64 // at the time of the marker
}

// txn is a transaction: its producer, its first offset, and its marker's (-1 while open).
type txn struct {
	producer    int64
	first, last int64
}

// end applies the marker b of the producer p.
func (t *ProducerTable) end(p *producer, b *Batch) (aborted AbortedTxn, ok bool) {
	p.timestamp, p.coordinatorEpoch = b.MaxTimestamp, b.CoordinatorEpoch
	if p.txnFirst < 0 {
		return aborted, false
	}
	ended := txn{producer: p.id, first: p.txnFirst, last: b.BaseOffset}
	p.txnFirst = -1
	t.open = removeTxn(t.open, ended.first)
	t.ended = insertTxn(t.ended, ended)
	if b.Marker != MarkerAbort {
		return aborted, false
	}
	stable := b.BaseOffset + 1
	if len(t.open) > 0 {
		stable = t.open[0].first
	}
	return AbortedTxn{ProducerID: p.id, FirstOffset: ended.first, LastOffset: ended.last, LastStableOffset: stable}, true
}

// FirstUnstable is the first offset of the oldest transaction that is open, or
// whose marker is not below the high watermark last told; -1 if there is none.
func (t *ProducerTable) FirstUnstable() int64 {
	first := int64(-1)
	if len(t.open) > 0 {
		first = t.open[0].first
	}
	if len(t.ended) > 0 && (first < 0 || t.ended[0].first < first) {
		first = t.ended[0].first
	}
	return first
}

// HighWatermark lets go of ended transactions whose markers lie below hw.
func (t *ProducerTable) HighWatermark(hw int64) {
	t.hw = hw
	if len(t.ended) == 0 {
		return
	}
	var rest []txn
	for _, x := range t.ended {
		if x.last >= hw {
			rest = append(rest, x)
		}
	}
	t.ended = rest
}

// truncateTxns drops transactions that began at or above offset, and gives
// those whose marker is cut off.
func (t *ProducerTable) truncateTxns(offset int64) (reopened []txn) {
	var open, ended []txn
	for _, x := range t.open {
		if x.first < offset {
			open = append(open, x)
		}
	}
	for _, x := range t.ended {
		switch {
		case x.last < offset:
			ended = append(ended, x)
		case x.first < offset:
			reopened = append(reopened, x)
		}
	}
	t.open, t.ended = open, ended
	return reopened
}

// insertTxn is a copy of ts with x in its place.
func insertTxn(ts []txn, x txn) []txn {
	i, _ := slices.BinarySearchFunc(ts, x.first, func(a txn, first int64) int { return cmp.Compare(a.first, first) })
	return slices.Insert(slices.Clip(slices.Clone(ts)), i, x)
}

// removeTxn is a copy of ts without the transaction that began at first.
func removeTxn(ts []txn, first int64) []txn {
	return slices.DeleteFunc(slices.Clone(ts), func(x txn) bool { return x.first == first })
}
