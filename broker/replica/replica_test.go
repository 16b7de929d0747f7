package replica

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/guard"
)

// TestReplica runs the scripts of testdata/replica: each command is a step of
// the machine of broker 1, the output is what it wants done.
func TestReplica(t *testing.T) {
	datadriven.Walk(t, "testdata/replica", func(t *testing.T, path string) {
		runScript(t, path, 0)
	})
}

// runScript runs a script without the rules that are out.
func runScript(t testing.TB, path string, out guard.Set) {
	s := &script{out: out}
	datadriven.RunTestAny(t, path, func(t testing.TB, d *datadriven.TestData) string {
		s.t, s.d = t, d
		return s.run()
	})
}

type script struct {
	t     testing.TB
	d     *datadriven.TestData
	out   guard.Set
	r     *Replica
	ready Ready
	now   Times
}

func (s *script) arg(name string, or int64) int64 {
	if s.d.HasArg(name) {
		s.d.ScanArgs(s.t, name, &or)
	}
	return or
}

func (s *script) word(name string) (w string) {
	if s.d.HasArg(name) {
		s.d.ScanArgs(s.t, name, &w)
	}
	return w
}

// open makes the machine; the log holds the offsets start to end-1 in one
// segment of 100 bytes an offset, in epoch 1.
func (s *script) open() string {
	cfg := testConfig()
	cfg.Out = s.out
	cfg.Log.SegmentBytes = s.arg("segment.bytes", 1<<30)
	cfg.Log.RetentionMs = s.arg("retention.ms", -1)
	cfg.Log.Compact = s.d.HasArg("compact")
	cfg.Log.Delete = !cfg.Log.Compact
	if s.word("durability") == "os" {
		cfg.Durability = kafka.DurabilityOS
	}
	start, end := s.arg("start", 0), s.arg("end", 0)
	st := seglog.State{
		LogStart: start, End: end, Segments: []seglog.Segment{seglog.EmptySegment(start, 0)}, HighWatermark: s.arg("hw", 0),
		Evidence: seglog.Evidence{Clean: !s.d.HasArg("unclean"), LastEpoch: -1, End: end},
	}
	if end > start {
		st.Segments[0].Size = (end - start) * 100
		st.Segments[0].MaxTimestamp, st.Segments[0].FirstTimestamp, st.Segments[0].MaxTimestampOffset = 50, 50, end-1
		st.Epochs = []seglog.EpochStart{{Epoch: 1, Offset: start}}
		st.Evidence.LastEpoch = 1
	}
	s.r, s.now = New(cfg, st), Times{}
	return s.status()
}

func testConfig() Config {
	cfg := Config{ID: kafka.TopicPartition{Topic: kafka.UUID{15: 9}}, Topic: "t", NodeID: 1, Log: seglog.DefaultConfig()}
	cfg.Log.RetentionMs = -1
	return cfg
}

func (s *script) run() string {
	switch s.d.Cmd {
	case "new":
		return s.open()
	case "role":
		role := Role{
			Leader: int32(s.arg("leader", -1)), LeaderEpoch: int32(s.arg("epoch", 1)), PartitionEpoch: int32(s.arg("pepoch", 1)),
			MinISR: int(s.arg("min", 1)),
		}
		s.members(&role)
		s.r.Apply(s.now, role, &s.ready)
	case "follower-fetch", "report", "proposal-done", "ask", "fetched", "truncated", "followers":
		return s.between()
	case "produce":
		s.produce()
	case "written", "durable", "log-started", "failed":
		s.done()
	case "delete-records":
		s.r.DeleteRecords(s.arg("offset", -1), uint64(s.arg("token", 0)), &s.ready)
	case "tick":
		s.now.Wall += s.arg("ms", 0)
		s.now.Mono += clock.Mono(s.arg("ms", 0) * 1e6)
		s.r.Tick(s.now, &s.ready)
	case "fetch":
		return s.fetch()
	case "list":
		return s.list()
	case "epoch-end":
		return fmt.Sprintf("%+v", s.r.EpochEnd(int32(s.arg("current", -1)), int32(s.arg("epoch", 0))))
	case "status":
		return s.status()
	default:
		s.t.Fatalf("unknown command %s", s.d.Cmd)
	}
	return s.take()
}

func (s *script) produce() {
	n := s.arg("n", 1)
	p := Produce{
		Batch: seglog.Batch{
			LastOffsetDelta: int32(n - 1), MaxTimestamp: s.arg("ts", 0), ProducerID: s.arg("pid", -1),
			ProducerEpoch: int16(s.arg("pepoch", 0)), BaseSequence: int32(s.arg("seq", -1)), AppendTime: s.d.HasArg("append-time"),
		},
		Data: buffer.Own(make([]byte, s.arg("size", 100))), Acks: AcksAll, Token: uint64(s.arg("token", 0)),
		LeaderEpoch: int32(s.arg("epoch", -1)), Coordinator: s.d.HasArg("coordinator"),
	}
	if acks := s.word("acks"); acks != "" && acks != "all" {
		p.Acks = int8(s.arg("acks", 0))
	}
	s.r.Produce(s.now, p, &s.ready)
}

func (s *script) done() {
	d := seglog.Done{UpTo: s.arg("upto", 0)}
	switch s.d.Cmd {
	case "written":
		d.Kind = seglog.Written
	case "durable":
		d.Kind = seglog.Durable
	case "log-started":
		d.Kind = seglog.LogStarted
	case "failed":
		d.Kind, d.Class, d.Err = seglog.Failed, seglog.ClassNoSpace, errors.New("no space left")
		if s.d.HasArg("offline") {
			d.Class, d.Err = seglog.ClassOffline, errors.New("input/output error")
		}
	}
	s.r.Done(s.now, d, &s.ready)
}

func (s *script) fetch() string {
	a := s.r.Fetch(Fetch{
		Offset: s.arg("offset", 0), CurrentLeaderEpoch: int32(s.arg("current", -1)), LastFetchedEpoch: int32(s.arg("last", -1)),
		MaxBytes: 1 << 20, AtLeastOne: true, LeaderOnly: s.d.HasArg("leader-only"),
	})
	if a.Code != kafka.ErrNone {
		return a.Code.Name()
	}
	text := fmt.Sprintf("hw %d lso %d log start %d", a.HighWatermark, a.LastStable, a.LogStart)
	if a.Diverging.Epoch >= 0 {
		text += fmt.Sprintf(" diverging: epoch %d ends at %d", a.Diverging.Epoch, a.Diverging.Offset)
	}
	if a.Available > 0 {
		text += fmt.Sprintf(" read %d to %d: %d bytes, %v to %v", a.Plan.From, a.Plan.UpTo, a.Available, a.Plan.Start, a.Plan.End)
	}
	return text
}

func (s *script) list() string {
	a := s.r.ListOffset(ListOffset{
		Timestamp: s.arg("ts", -1), CurrentLeaderEpoch: int32(s.arg("current", -1)), Debug: s.d.HasArg("debug"),
	})
	if a.Searches {
		return fmt.Sprintf("search %+v", a.Search)
	}
	return fmt.Sprintf("%s offset %d timestamp %d epoch %d", a.Code.Name(), a.Offset, a.Timestamp, a.LeaderEpoch)
}

func (s *script) status() string {
	st := s.r.Status()
	text := fmt.Sprintf("log %d hw %d durable %d leo %d next %d, %d segments, %d waiting", st.LogStart, st.HighWatermark, st.Durable, st.LEO, st.Next, st.Segments, st.Waiting)
	if st.Leader {
		text += fmt.Sprintf(", leads epoch %d", st.LeaderEpoch)
	}
	for name, set := range map[string]bool{", offline": st.Offline, ", full": st.Full} {
		if set {
			text += name
		}
	}
	if st.Standing != seglog.Intact {
		text += ", " + st.Standing.String()
	}
	return text
}

// take prints what is ready and empties it.
func (s *script) take() string {
	var b strings.Builder
	for _, op := range s.ready.Ops {
		fmt.Fprintln(&b, formatOp(op))
	}
	for _, a := range s.ready.Acks {
		if a.Code != kafka.ErrNone {
			fmt.Fprintf(&b, "ack %d: %s (%s)\n", a.Token, a.Code.Name(), a.Message)
			continue
		}
		fmt.Fprintf(&b, "ack %d: offsets %d-%d time %d log start %d\n", a.Token, a.BaseOffset, a.LastOffset, a.LogAppendTime, a.LogStart)
	}
	for _, e := range s.ready.Events {
		fmt.Fprintln(&b, formatEvent(e))
	}
	for _, p := range s.ready.Proposals {
		fmt.Fprintf(&b, "propose %d: %v whole %v recovered %t at %d/%d\n", p.Attempt, p.ISR, p.Whole, p.Recovered, p.LeaderEpoch, p.PartitionEpoch)
	}
	for _, flag := range []struct {
		set  bool
		name string
	}{{s.ready.Advanced, "advanced"}, {s.ready.Reports, "reports"}, {s.ready.Backoff, "backoff"}} {
		if flag.set {
			fmt.Fprintln(&b, flag.name)
		}
	}
	s.ready.Reset()
	return b.String()
}

func formatEvent(e event.Event) string {
	text := "event " + e.Kind()
	for _, a := range e.Attrs()[2:] {
		text += fmt.Sprintf(" %s=%v", a.Key, a.Value)
	}
	if e.Level() > slog.LevelInfo {
		text += " " + e.Level().String()
	}
	return text
}

func formatOp(op seglog.Op) string {
	switch op.Kind {
	case seglog.OpAppend:
		a := &op.Append
		text := fmt.Sprintf("append %d-%d epoch %d at segment %d byte %d", a.FirstOffset, a.LastOffset, a.LeaderEpoch, a.Segment, a.Position)
		if a.Roll != nil {
			text += fmt.Sprintf(" closing %d", a.Roll.Closed)
		}
		return text
	case seglog.OpDeleteSegments:
		return fmt.Sprintf("delete segments %v", op.Bases)
	case seglog.OpLogStart:
		return fmt.Sprintf("log start %d", op.Offset)
	case seglog.OpResume:
		return fmt.Sprintf("resume at %d", op.Offset)
	case seglog.OpTruncate:
		return fmt.Sprintf("truncate to %d", op.Offset)
	case seglog.OpRestartAt:
		return fmt.Sprintf("begin anew at %d", op.Offset)
	}
	return fmt.Sprintf("order %d", op.Kind)
}
