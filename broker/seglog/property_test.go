package seglog

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"testing"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/buffer"
	"pgregory.net/rapid"
)

// drawBatch draws a batch of one of few producers, in order or not.
func drawBatch(t *rapid.T, epoch int32) Batch {
	b := Batch{
		LastOffsetDelta: rapid.Int32Range(0, 3).Draw(t, "delta"), MaxTimestamp: rapid.Int64Range(-1, 50).Draw(t, "ts"),
		LeaderEpoch: epoch, ProducerID: rapid.Int64Range(-1, 6).Draw(t, "pid"), BaseSequence: -1,
	}
	if b.ProducerID < 0 {
		return b
	}
	b.ProducerEpoch = rapid.Int16Range(0, 2).Draw(t, "producer epoch")
	b.BaseSequence = rapid.Int32Range(0, 9).Draw(t, "seq")
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		b.Transactional = true
	case 1:
		b.Transactional, b.Control, b.LastOffsetDelta, b.BaseSequence = true, true, 0, -1
		b.Marker = rapid.SampledFrom([]Marker{MarkerAbort, MarkerCommit}).Draw(t, "marker")
	}
	return b
}

// A void brings back exactly the log that was, over rolls, epochs, producers
// that made room for others, and transactions.
func TestVoidRestores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig()
		cfg.SegmentBytes, cfg.IndexIntervalBytes, cfg.IndexBytes, cfg.SegmentMs = 400, 100, 40, 30
		cfg.ProducersMax = 3
		l := NewLog(cfg, State{Segments: []Segment{EmptySegment(0, 0)}})
		type point struct {
			offset int64
			dump   string
		}
		var points []point // the log before each batch that is not written
		epoch := int32(0)
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			switch op := rapid.IntRange(0, 9).Draw(t, "op"); {
			case op <= 5:
				points = append(points, point{l.Next(), dumpLog(l)})
				l.Append(rapid.Int64Range(0, 60).Draw(t, "now"), drawBatch(t, epoch), epoch, buffer.Own(make([]byte, rapid.IntRange(61, 200).Draw(t, "size"))))
			case op == 6:
				points = append(points, point{l.Next(), dumpLog(l)})
				epoch++
				var batches []Batch
				next, size := l.Next(), int64(0)
				for range rapid.IntRange(1, 4).Draw(t, "batches") {
					b := drawBatch(t, epoch)
					b.BaseOffset, b.Size = next, rapid.Int64Range(61, 200).Draw(t, "size")
					next, size = b.LastOffset()+1, size+b.Size
					batches = append(batches, b)
				}
				if _, err := l.AppendFollower(0, epoch, batches, buffer.Own(make([]byte, size))); err != nil {
					t.Fatal(err)
				}
			case op == 7 && len(points) > 0:
				n := rapid.IntRange(0, len(points)-1).Draw(t, "written")
				l.Written(points[n].offset)
				points = points[n:]
			case op >= 8 && len(points) > 0:
				n := rapid.IntRange(0, len(points)-1).Draw(t, "void")
				l.Void(points[n].offset)
				if got := dumpLog(l); got != points[n].dump {
					t.Fatalf("after the void:\n%s\nwas:\n%s", got, points[n].dump)
				}
				points = points[:n]
				epoch = max(0, l.LatestEpoch().Epoch)
			}
		}
		if c := l.Clone(); dumpLog(c) != dumpLog(l) {
			t.Fatalf("clone:\n%s\nof:\n%s", dumpLog(c), dumpLog(l))
		}
	})
}

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
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
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

// file is a segment's files as a disk worker would write them.
type file struct {
	base      int64
	log       []byte
	index, tm []byte
}

// write carries out an append.
func write(files []*file, op Op) []*file {
	a := &op.Append
	if a.Roll != nil {
		last := files[len(files)-1]
		if a.Roll.LastTime.Offset >= 0 {
			last.tm = AppendTimeEntry(last.tm, last.base, a.Roll.LastTime)
		}
		files = append(files, &file{base: a.Segment})
	}
	f := files[len(files)-1]
	for _, e := range a.Index {
		f.index = AppendIndexEntry(f.index, f.base, e)
	}
	for _, e := range a.Time {
		f.tm = AppendTimeEntry(f.tm, f.base, e)
	}
	f.log = append(f.log, a.Data.Bytes...)
	return files
}

// What a scan computes from the bytes is what the log said when it wrote them:
// segments, index entries, epochs, producers. The indexes that were written
// pass their checks.
func TestScanSeesWhatTheLogWrote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig()
		cfg.SegmentBytes, cfg.IndexIntervalBytes = 700, 150
		l := NewLog(cfg, State{Segments: []Segment{EmptySegment(0, 0)}})
		files := []*file{{}}
		for range rapid.IntRange(1, 40).Draw(t, "batches") {
			b := drawBatch(t, l.LatestEpoch().Epoch+rapid.Int32Range(0, 1).Draw(t, "epoch"))
			b.LeaderEpoch = max(b.LeaderEpoch, 0)
			b.ProducerID = max(b.ProducerID, 0)
			if b.ProducerID == 0 {
				b = Batch{LastOffsetDelta: b.LastOffsetDelta, MaxTimestamp: b.MaxTimestamp, LeaderEpoch: b.LeaderEpoch, ProducerID: -1, BaseSequence: -1}
			}
			data := encodeMarker(b)
			if !b.Control {
				data = encodeBatch(b, rapid.IntRange(0, 60).Draw(t, "size"))
			}
			op := l.Append(0, b, b.LeaderEpoch, buffer.Own(data))
			files = write(files, op)
		}
		s := NewScanner(ScanConfig{IndexInterval: cfg.IndexIntervalBytes, Epochs: l.epochs.Entries(), Producers: NewProducerTable(0, nil)})
		for i, f := range files {
			scanFile(t, s, f)
			want := l.Segments()[i]
			got := s.Segment()
			if i < len(files)-1 {
				got.timeEntry() // the roll wrote it
			}
			if got != want {
				t.Fatalf("segment %d: %+v, want %+v", i, got, want)
			}
			if n, err := CheckIndex(f.index, f.base, int64(len(f.log))); err != nil || n != want.IndexEntries {
				t.Fatalf("index of %d: %d entries, %v, want %d", f.base, n, err, want.IndexEntries)
			}
			if n, err := CheckTimeIndex(f.tm, f.base, l.segmentEnd(i)); err != nil || n != want.TimeEntries {
				t.Fatalf("time index of %d: %d entries, %v, want %d", f.base, n, err, want.TimeEntries)
			}
		}
		if s.Next() != l.Next() || !reflect.DeepEqual(s.Epochs(), l.epochs.Entries()) {
			t.Fatalf("end %d epochs %v, want %d %v", s.Next(), s.Epochs(), l.Next(), l.epochs.Entries())
		}
		if got, want := s.cfg.Producers.Entries(), l.Producers().Entries(); !reflect.DeepEqual(got, want) {
			t.Fatalf("producers %v, want %v", got, want)
		}
	})
}

// scanFile scans a whole segment and compares its index entries with f's.
func scanFile(t *rapid.T, s *Scanner, f *file) {
	if err := s.Begin(EmptySegment(f.base, 0)); err != nil {
		t.Fatal(err)
	}
	var index []byte
	for at := 0; at < len(f.log); {
		r, n, err := s.Step(f.log[at:])
		if err != nil {
			t.Fatal(err)
		}
		if r.HasIndex {
			index = AppendIndexEntry(index, f.base, r.Index)
		}
		at += n
	}
	if !bytes.Equal(index, f.index) {
		t.Fatalf("index of segment %d: %x, want %x", f.base, index, f.index)
	}
}

// Whatever happens to the bytes of one segment, the scan cuts at the batch that
// was hit and keeps all before it.
func TestScanCutsAtTheFirstFault(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var log []byte
		var ends []int
		next := int64(100)
		for range rapid.IntRange(1, 6).Draw(t, "batches") {
			b := Batch{BaseOffset: next, LastOffsetDelta: rapid.Int32Range(0, 2).Draw(t, "delta"), LeaderEpoch: 4, ProducerID: -1}
			log = append(log, encodeBatch(b, 20)...)
			ends, next = append(ends, len(log)), b.LastOffset()+1
		}
		hit := rapid.IntRange(0, len(log)-1).Draw(t, "byte")
		whole := 0
		for whole < len(ends) && ends[whole] <= hit {
			whole++
		}
		start := 0
		if whole > 0 {
			start = ends[whole-1]
		}
		fault := rapid.SampledFrom([]string{"torn", "flipped", "zeros"}).Draw(t, "fault")
		switch fault {
		case "torn":
			log = log[:hit]
		case "flipped":
			log[hit] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		case "zeros":
			clear(log[start:])
		}
		s := NewScanner(ScanConfig{Next: 100, IndexInterval: 4096, Epochs: []EpochStart{{4, 100}, {5, next}}})
		if err := s.Begin(EmptySegment(100, 0)); err != nil {
			t.Fatal(err)
		}
		at := 0
		var cut *CutError
		for cut == nil {
			_, n, err := s.Step(log[at:])
			at += n
			if err == nil {
				continue
			}
			if errors.Is(err, batch.ErrPartial) {
				cut = s.Torn(int64(len(log) - at))
			} else if !errors.As(err, &cut) {
				t.Fatal(err)
			}
		}
		if cut.Position != int64(start) || cut.Segment != 100 {
			t.Fatalf("%s at byte %d: %v, want byte %d", fault, hit, cut, start)
		}
	})
}

func TestScannerJudgesEpochs(t *testing.T) {
	file := []EpochStart{{2, 10}, {5, 20}, {7, 30}}
	for _, c := range []struct {
		at    int64 // where the scan begins
		batch Batch
		want  CutReason
	}{
		{10, Batch{BaseOffset: 10, LeaderEpoch: 2}, 0},
		{10, Batch{BaseOffset: 10, LeaderEpoch: 2, LastOffsetDelta: 9}, 0},
		{10, Batch{BaseOffset: 10, LeaderEpoch: 2, LastOffsetDelta: 10}, CutEpochContradicts},
		{10, Batch{BaseOffset: 10, LeaderEpoch: 3}, CutEpochContradicts},
		{15, Batch{BaseOffset: 15, LeaderEpoch: 1}, CutEpochFell},
		{15, Batch{BaseOffset: 16, LeaderEpoch: 2}, CutGap},
		{15, Batch{BaseOffset: 14, LeaderEpoch: 2}, CutGap},
		{5, Batch{BaseOffset: 5, LeaderEpoch: 1}, 0},
		{5, Batch{BaseOffset: 5, LeaderEpoch: 2}, CutEpochContradicts},
		{35, Batch{BaseOffset: 35, LeaderEpoch: 7}, 0},
		{35, Batch{BaseOffset: 35, LeaderEpoch: 9}, 0},
		{35, Batch{BaseOffset: 35, LeaderEpoch: 6}, CutEpochFell},
		{30, Batch{BaseOffset: 30, LeaderEpoch: 8}, 0}, // epoch 7 wrote nothing
		{30, Batch{BaseOffset: 30, LeaderEpoch: 6}, CutEpochContradicts},
		{math.MaxInt64 - 1, Batch{BaseOffset: math.MaxInt64 - 1, LeaderEpoch: 7, LastOffsetDelta: 1}, CutHeader},
	} {
		s := NewScanner(ScanConfig{Next: c.at, Epochs: file})
		if err := s.Begin(EmptySegment(c.at, 0)); err != nil {
			t.Fatal(err)
		}
		_, err := s.Batch(&c.batch)
		var cut *CutError
		got := CutReason(0)
		if errors.As(err, &cut) {
			got = cut.Reason
		}
		if got != c.want {
			t.Errorf("scan from %d, %+v: %v, want reason %d", c.at, c.batch, err, c.want)
		}
	}
	s := NewScanner(ScanConfig{Next: 30, Epochs: file})
	_ = s.Begin(EmptySegment(30, 0))
	_, _ = s.Batch(&Batch{BaseOffset: 30, LeaderEpoch: 8})
	if want := []EpochStart{{2, 10}, {5, 20}, {8, 30}}; !reflect.DeepEqual(s.Epochs(), want) {
		t.Errorf("epochs %v, want %v", s.Epochs(), want)
	}
	for _, c := range []struct {
		segment Segment
		gaps    bool
		good    bool
	}{
		{EmptySegment(31, 0), true, true}, {EmptySegment(40, 0), false, false}, {EmptySegment(40, 0), true, true}, {EmptySegment(30, 0), true, false},
		{Segment{Base: 20, Size: 10}, false, true},
	} {
		s := NewScanner(ScanConfig{Next: 31, Gaps: c.gaps})
		if err := s.Begin(c.segment); (err == nil) != c.good {
			t.Errorf("begin %+v with gaps %t: %v", c.segment, c.gaps, err)
		}
	}
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

// Positions and byte counts, as long as they are remembered, are the true ones.
func TestPlacesAreTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig()
		cfg.SegmentBytes = 2000
		l := NewLog(cfg, State{Segments: []Segment{EmptySegment(0, 0)}})
		type place struct{ first, last, segment, position, global, size int64 }
		var places []place
		var global int64
		for range rapid.IntRange(1, 300).Draw(t, "batches") {
			b := Batch{LastOffsetDelta: rapid.Int32Range(0, 3).Draw(t, "delta"), ProducerID: -1}
			op := l.Append(0, b, 0, buffer.Own(make([]byte, rapid.IntRange(61, 300).Draw(t, "size"))))
			size := int64(len(op.Append.Data.Bytes))
			places = append(places, place{op.Append.FirstOffset, op.Append.LastOffset, op.Append.Segment, op.Append.Position, global, size})
			global += size
			l.Written(l.Next())
		}
		recent := max(0, len(places)-tailLenMax)
		i := rapid.IntRange(0, len(places)-1).Draw(t, "from")
		j := rapid.IntRange(i, len(places)-1).Draw(t, "to")
		from := rapid.Int64Range(places[i].first, places[i].last).Draw(t, "offset")
		start, end := l.StartOf(from), l.EndOf(places[j].last+1)
		if start != Unknown() && start != (Position{places[i].segment, places[i].position}) || i >= recent && start == Unknown() {
			t.Fatalf("start of %d: %+v, is %+v", from, start, places[i])
		}
		if end != Unknown() && end != (Position{places[j].segment, places[j].position + places[j].size}) || j >= recent && end == Unknown() {
			t.Fatalf("end of %d: %+v, is %+v", places[j].last+1, end, places[j])
		}
		got, want := l.BytesBetween(from, places[j].last+1), places[j].global+places[j].size-places[i].global
		if got < 1 || got > global || i >= recent && got != want {
			t.Fatalf("%d bytes from %d to %d, are %d", got, i, j, want)
		}
	})
}
