package seglog

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/buffer"
	"pgregory.net/rapid"
)

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
			if b.MaxTimestamp == 0 {
				b.MaxTimestamp = 1 // time 0 at offset 0 looks like preallocation
			}
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
	// The log start was moved to 24, and the entry of epoch 5 with it.
	moved := ScanConfig{Next: 15, Epochs: []EpochStart{{2, 10}, {5, 24}, {7, 30}}, EpochsFrom: 24}
	for at, epoch := range map[int64]int32{15: 2, 20: 4, 23: 5} { //det:ok each for itself
		moved.Next = at
		s := NewScanner(moved)
		_ = s.Begin(EmptySegment(at, 0))
		_, err := s.Batch(&Batch{BaseOffset: at, LastOffsetDelta: 23 - int32(at), LeaderEpoch: epoch})
		if err == nil {
			_, err = s.Batch(&Batch{BaseOffset: 24, LeaderEpoch: 5})
		}
		if err != nil {
			t.Errorf("epoch %d below the log start: %v", epoch, err)
		}
		if _, err = s.Batch(&Batch{BaseOffset: 25, LeaderEpoch: 6}); err == nil {
			t.Error("epoch 6 above the log start contradicts the file")
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
