package seglog

import (
	"fmt"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// accepted is what the naive model of producers remembers: every batch.
type accepted struct {
	epoch       int16
	first, last int64 // sequence numbers
	base, end   int64
}

// naiveCheck is Kafka's rules over the whole history of one producer.
func naiveCheck(history []accepted, b *Batch) (Verdict, int64) {
	if len(history) == 0 {
		return Accept, 0
	}
	last := history[len(history)-1]
	var same []accepted
	for _, a := range history {
		if a.epoch == last.epoch {
			same = append(same, a)
		}
	}
	same = same[max(0, len(same)-5):]
	const wrap = int64(math.MaxInt32) + 1
	first, until := int64(b.BaseSequence), (int64(b.BaseSequence)+int64(b.LastOffsetDelta))%wrap
	for i := len(same) - 1; i >= 0 && b.ProducerEpoch == last.epoch; i-- {
		if same[i].first == first && same[i].last == until {
			return Duplicate, same[i].base
		}
	}
	switch {
	case b.ProducerEpoch < last.epoch:
		return InvalidEpoch, 0
	case b.ProducerEpoch > last.epoch && first != 0, b.ProducerEpoch == last.epoch && first != (last.last+1)%wrap:
		return OutOfOrder, 0
	}
	return Accept, 0
}

func TestProducersAgreeWithNaiveModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		table := NewProducerTable(0, nil)
		history := map[int64][]accepted{}
		next := int64(0)
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			pid := rapid.Int64Range(1, 2).Draw(t, "pid")
			b := Batch{
				BaseOffset: next, ProducerID: pid, LastOffsetDelta: rapid.Int32Range(0, 2).Draw(t, "delta"),
				ProducerEpoch: rapid.SampledFrom([]int16{3, 3, 3, 3, 4, 2}).Draw(t, "epoch"),
			}
			// Mostly in order, or one of the recent batches again; sequences wrap.
			h := history[pid]
			switch kind := rapid.IntRange(0, 9).Draw(t, "kind"); {
			case len(h) == 0:
				b.BaseSequence = math.MaxInt32 - rapid.Int32Range(0, 4).Draw(t, "start")
			case kind <= 5:
				b.BaseSequence = int32((h[len(h)-1].last + 1) % (math.MaxInt32 + 1))
			case kind <= 8:
				old := h[max(0, len(h)-rapid.IntRange(1, 7).Draw(t, "back"))]
				b.BaseSequence, b.LastOffsetDelta, b.ProducerEpoch = int32(old.first), int32(old.end-old.base-1), old.epoch
			default:
				b.BaseSequence = rapid.Int32Range(0, 3).Draw(t, "seq")
			}
			want, base := naiveCheck(h, &b)
			got := table.Check(&b, true)
			if got.Verdict != want || want == Duplicate && (got.BaseOffset != base || got.LastOffset != base+int64(b.LastOffsetDelta)) {
				t.Fatalf("%+v: %+v, want verdict %d at %d, history %+v", b, got, want, base, h)
			}
			if want != Accept {
				continue
			}
			table.Append(&b)
			history[pid] = append(h, accepted{b.ProducerEpoch, int64(b.BaseSequence), int64(b.LastSequence()), next, next + int64(b.LastOffsetDelta) + 1})
			next += int64(b.LastOffsetDelta) + 1
			switch rapid.IntRange(0, 19).Draw(t, "restart") {
			case 0, 1: // own marks keep everything
				table = NewProducerTable(0, table.Entries())
			case 2:
				table = NewProducerTable(0, mustDecode(t, EncodeSnapshot(table.Entries())))
				for id, h := range history { // a snapshot keeps the last batch alone
					history[id] = h[len(h)-1:]
				}
			}
		}
	})
}

func mustDecode(t *rapid.T, b []byte) []ProducerEntry {
	entries, err := DecodeSnapshot(b)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// Transactions of an imported log: what is unstable, and what the transaction
// index gets.
func TestTransactions(t *testing.T) {
	table := NewProducerTable(0, nil)
	data := func(offset, pid int64) {
		table.Append(&Batch{BaseOffset: offset, ProducerID: pid, Transactional: true})
	}
	marker := func(offset, pid int64, m Marker) string {
		a, ok := table.Append(&Batch{BaseOffset: offset, ProducerID: pid, Transactional: true, Control: true, Marker: m, BaseSequence: -1})
		return fmt.Sprint(a, ok)
	}
	expect := func(what string, got, want any) {
		t.Helper()
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	expect("nothing open", table.FirstUnstable(), -1)
	data(0, 1)
	data(1, 2)
	data(2, 1)
	expect("two open", table.FirstUnstable(), 0)
	expect("outside the transaction", table.Check(&Batch{BaseOffset: 3, ProducerID: 1, BaseSequence: 1}, true).Verdict, InvalidTxn)
	expect("abort", marker(3, 1, MarkerAbort), "{1 0 3 1} true")
	expect("marker above the high watermark", table.FirstUnstable(), 0)
	table.HighWatermark(3)
	expect("marker at the high watermark", table.FirstUnstable(), 0)
	table.HighWatermark(4)
	expect("marker below the high watermark", table.FirstUnstable(), 1)
	snapshot, err := DecodeSnapshot(EncodeSnapshot(table.Entries()))
	expect("snapshot", err, nil)
	expect("after a restart", NewProducerTable(0, snapshot).FirstUnstable(), 1)
	expect("commit", marker(4, 2, MarkerCommit), "{0 0 0 0} false")
	expect("marker without a transaction", marker(5, 2, MarkerAbort), "{0 0 0 0} false")
	table.Truncate(4)
	expect("the marker is cut off", table.FirstUnstable(), 1)
	expect("open transactions do not expire", table.Expire(1<<40, 1), 1)
	expect("producers left", table.Len(), 1)
	table.Truncate(1)
	expect("all of it is cut off", table.FirstUnstable(), -1)
	expect("old coordinator", func() Verdict {
		table.Append(&Batch{BaseOffset: 9, ProducerID: 5, Control: true, Marker: MarkerCommit, CoordinatorEpoch: 3})
		return table.Check(&Batch{BaseOffset: 10, ProducerID: 5, Control: true, Marker: MarkerCommit, CoordinatorEpoch: 2}, false).Verdict
	}(), CoordinatorFenced)
}

// A full table forgets those that appended longest ago, never an open transaction.
func TestProducersMakeRoom(t *testing.T) {
	table := NewProducerTable(8, nil)
	for i := range int64(8) {
		table.Append(&Batch{BaseOffset: i, ProducerID: 100 - i, Transactional: i == 0})
	}
	table.Append(&Batch{BaseOffset: 9, ProducerID: 99}) // the second is fresh again
	table.Append(&Batch{BaseOffset: 10, ProducerID: 1})
	var ids []int64
	for _, e := range table.Entries() {
		ids = append(ids, e.ProducerID)
	}
	if want := []int64{1, 93, 94, 95, 96, 99, 100}; !reflect.DeepEqual(ids, want) {
		t.Errorf("producers %v, want %v", ids, want)
	}
}
