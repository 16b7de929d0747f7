package seglog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/moldau/moldau/broker/buffer"
)

// TestLog runs the scripts of testdata/log: each line is an event, the output
// the order that it gives.
func TestLog(t *testing.T) {
	datadriven.Walk(t, "testdata/log", func(t *testing.T, path string) {
		var l *Log
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "new" {
				l = newLog(t, d)
				return dumpLog(l)
			}
			return runLog(t, l, d)
		})
	})
}

// newLog makes an empty log; arguments are fields of Config, and start.
func newLog(t *testing.T, d *datadriven.TestData) *Log {
	cfg := DefaultConfig()
	scan := func(name string, to any) {
		if d.HasArg(name) {
			d.ScanArgs(t, name, to)
		}
	}
	scan("segment.bytes", &cfg.SegmentBytes)
	scan("segment.ms", &cfg.SegmentMs)
	scan("index.bytes", &cfg.IndexBytes)
	scan("interval", &cfg.IndexIntervalBytes)
	scan("retention.ms", &cfg.RetentionMs)
	scan("retention.bytes", &cfg.RetentionBytes)
	scan("delete", &cfg.Delete)
	scan("compact", &cfg.Compact)
	var start int64
	scan("start", &start)
	return NewLog(cfg, State{LogStart: start, End: start, Evidence: Evidence{LastEpoch: -1}, Segments: []Segment{EmptySegment(start, 0)}})
}

func runLog(t *testing.T, l *Log, d *datadriven.TestData) string {
	arg := func(name string, or int64) int64 {
		if d.HasArg(name) {
			d.ScanArgs(t, name, &or)
		}
		return or
	}
	switch d.Cmd {
	case "append":
		b := Batch{
			LastOffsetDelta: int32(arg("n", 1) - 1), MaxTimestamp: arg("ts", 0), ProducerID: arg("pid", -1),
			ProducerEpoch: int16(arg("pepoch", 0)), BaseSequence: int32(arg("seq", -1)), Transactional: d.HasArg("txn"),
		}
		data := make([]byte, arg("size", 100))
		op := l.Append(arg("now", 0), b, int32(arg("epoch", 1)), buffer.Own(data))
		return formatOp(op)
	case "follow":
		// One batch a line: base n epoch size ts.
		var batches []Batch
		var size int64
		for line := range strings.Lines(d.Input) {
			b := Batch{ProducerID: -1}
			if _, err := fmt.Sscan(line, &b.BaseOffset, &b.LastOffsetDelta, &b.LeaderEpoch, &b.Size, &b.MaxTimestamp); err != nil {
				t.Fatal(err)
			}
			b.LastOffsetDelta--
			size += b.Size
			batches = append(batches, b)
		}
		op, err := l.AppendFollower(arg("now", 0), int32(arg("max", 9)), batches, buffer.Own(make([]byte, size+arg("extra", 0))))
		if err != nil {
			return "error: " + err.Error()
		}
		return formatOp(op)
	case "assign":
		l.AssignEpoch(int32(arg("epoch", 0)))
		return dumpLog(l)
	case "void":
		l.Void(arg("from", 0))
		return dumpLog(l)
	case "written":
		l.Written(arg("upto", 0))
		return fmt.Sprintf("outstanding %d", l.Outstanding())
	case "roll":
		return formatOp(l.Roll(arg("now", 0)))
	case "start":
		return fmt.Sprint(l.SetLogStart(arg("offset", 0)))
	case "expired":
		x := l.Expired(arg("now", 0), arg("hw", 0))
		return fmt.Sprintf("bases %v log start %d roll %t", x.Bases, x.LogStart, x.Roll)
	case "delete":
		x := l.Expired(arg("now", 0), arg("hw", 0))
		l.SetLogStart(x.LogStart)
		return formatOp(l.Delete(x.Bases)) + "\n" + dumpLog(l)
	case "restart":
		return formatOp(l.RestartAt(arg("now", 0), arg("offset", 0))) + "\n" + dumpLog(l)
	case "truncate":
		last := l.Segments()[l.segmentAt(arg("segment", 0))]
		last.Size = arg("position", 0)
		l.Truncated(arg("to", 0), last)
		return dumpLog(l)
	case "drop-empty":
		l.DropEmptyEpochs()
		return dumpLog(l)
	case "epoch-before":
		return fmt.Sprintf("%d; known %t", l.EpochBefore(arg("offset", 0)), l.KnowsEpoch(int32(arg("epoch", 0))))
	case "below-start":
		return fmt.Sprint(l.BelowStart())
	case "epoch-end":
		e, end := l.EpochEnd(int32(arg("epoch", 0)), l.Next())
		return fmt.Sprintf("epoch %d ends at %d", e, end)
	case "places":
		from, to := arg("from", 0), arg("to", 0)
		return fmt.Sprintf("start %+v end %+v bytes %d", l.StartOf(from), l.EndOf(to), l.BytesBetween(from, to))
	case "forget":
		l.Forget()
		return ""
	case "dump":
		return dumpLog(l)
	}
	t.Fatalf("unknown command %s", d.Cmd)
	return ""
}

func formatOp(op Op) string {
	switch op.Kind {
	case OpAppend:
		a := &op.Append
		s := fmt.Sprintf("append segment %d byte %d offsets %d-%d epoch %d bytes %d", a.Segment, a.Position, a.FirstOffset, a.LastOffset, a.LeaderEpoch, len(a.Data.Bytes))
		if a.Transactions {
			s += " txn"
		}
		if a.Roll != nil {
			snapshot, err := DecodeSnapshot(a.Roll.Snapshot)
			s += fmt.Sprintf("\n  roll %d last time %d@%d producers %d %v", a.Roll.Closed, a.Roll.LastTime.Timestamp, a.Roll.LastTime.Offset, len(snapshot), err)
		}
		for _, e := range a.Index {
			s += fmt.Sprintf("\n  index %d at byte %d", e.Offset, e.Position)
		}
		for _, e := range a.Time {
			s += fmt.Sprintf("\n  time %d at offset %d", e.Timestamp, e.Offset)
		}
		return s
	case OpRestartAt:
		return fmt.Sprintf("restart at %d", op.Offset)
	case OpDeleteSegments:
		return fmt.Sprintf("delete %v", op.Bases)
	}
	return fmt.Sprintf("kind %d", op.Kind)
}

// dumpLog is all that the log says of itself, but what is under way.
func dumpLog(l *Log) string {
	var b strings.Builder
	fmt.Fprintf(&b, "log %d to %d, epochs %v", l.LogStart(), l.Next(), l.epochs.Entries())
	for _, s := range l.Segments() {
		fmt.Fprintf(&b, "\nsegment %d: %d bytes, first time %d, largest %d at %d, indexed %d, entries %d %d, since %d",
			s.Base, s.Size, s.FirstTimestamp, s.MaxTimestamp, s.MaxTimestampOffset, s.IndexedTimestamp, s.IndexEntries, s.TimeEntries, s.SinceIndex)
	}
	t := l.Producers()
	for _, e := range t.Entries() {
		p := t.producers[e.ProducerID]
		fmt.Fprintf(&b, "\nproducer %+v %v", e, p.batches[:p.n])
	}
	if len(t.open)+len(t.ended) > 0 {
		fmt.Fprintf(&b, "\ntransactions %v %v", t.open, t.ended)
	}
	return b.String()
}
