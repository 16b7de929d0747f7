package seglog

import (
	"testing"

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
