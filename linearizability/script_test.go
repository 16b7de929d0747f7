package linearizability_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/moldau/moldau/linearizability/history"
)

// A script is a history as people write it, one line each:
//
//	topic t sync parts=2 retms=1000 retbytes=10 appendtime sparse
//	event power-loss at=5 node=1 part=0 ...
//	<kind> <client> <invoke>-<return> key=value... ok|failed|maybe
//
// Times are ms. Values are hexadecimal. A record that is read has the key,
// timestamp, producer and sequence that it was sent with, if nothing else is
// said. Topic t is there from the start, "sync", unless declared.
type script struct {
	t    *testing.T
	h    *history.History
	sent map[uint64]history.Record
}

func parseScript(t *testing.T, text string) *history.History {
	s := &script{t: t, h: &history.History{}, sent: map[uint64]history.Record{}}
	s.h.Header = history.Header{EpochMs: 1_000_000}
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || strings.HasPrefix(fields[0], "#"):
		case fields[0] == "topic":
			s.topic(fields)
		case fields[0] == "event":
			s.event(newArgs(t, fields[2:]), history.EventKind(fields[1]))
		case fields[0] == "header":
			a := newArgs(t, fields[1:])
			s.h.Header.SkewMaxMs, s.h.Header.Elections = a.num("skew", 0), a.has("elections")
		case fields[0] == "end":
			s.h.End = atoi(t, fields[1]) * 1e6
		default:
			s.op(fields)
		}
	}
	if len(s.h.Topics) == 0 {
		s.topic([]string{"topic", "t", "sync"})
	}
	for _, op := range s.h.Ops {
		s.h.End = max(s.h.End, op.Invoke, op.Return)
	}
	return s.h
}

// args are the key=value fields of a line; a bare word has the value "".
type args struct {
	t    *testing.T
	m    map[string]string
	used map[string]bool
}

func newArgs(t *testing.T, fields []string) args {
	a := args{t, map[string]string{}, map[string]bool{}}
	for _, f := range fields {
		k, v, _ := strings.Cut(f, "=")
		a.m[k] = v
	}
	return a
}

func (a args) has(k string) bool { a.used[k] = true; _, ok := a.m[k]; return ok }
func (a args) str(k string) string {
	a.used[k] = true
	return a.m[k]
}

func (a args) num(k string, unset int64) int64 {
	if !a.has(k) {
		return unset
	}
	return atoi(a.t, a.m[k])
}

func (a args) list(k string) []string {
	if a.str(k) == "" {
		return nil
	}
	return strings.Split(a.m[k], ",")
}

func atoi(t *testing.T, v string) int64 {
	n, err := strconv.ParseInt(v, 10, 64)
	if err != nil {
		t.Fatalf("number %q: %v", v, err)
	}
	return n
}

func (s *script) topic(fields []string) {
	a := newArgs(s.t, fields[3:])
	s.h.Topics = append(s.h.Topics, history.Topic{
		ID: "id-" + fields[1], Name: fields[1], Durability: history.Durability(fields[2]), Partitions: int32(a.num("parts", 2)),
		RetentionMs: a.num("retms", -1), RetentionBytes: a.num("retbytes", -1), AppendTime: a.has("appendtime"), Sparse: a.has("sparse"),
	})
}

func (s *script) event(a args, kind history.EventKind) {
	e := history.Event{Kind: kind, At: a.num("at", 0) * 1e6, Node: int32(a.num("node", 1)), Name: a.str("name"), DeadlineNs: a.num("deadline", 0) * 1e6, Clients: a.list("clients")}
	if a.has("part") {
		e.Topic, e.Partition = "id-t", int32(a.num("part", 0))
	}
	for _, left := range a.list("left") {
		f := strings.Split(left, ":")
		e.Left = append(e.Left, history.Leftover{What: f[0], Count: atoi(s.t, f[1]), Allowed: atoi(s.t, f[2])})
	}
	s.h.Events = append(s.h.Events, e)
}

func (s *script) op(fields []string) {
	a := newArgs(s.t, fields[3:])
	from, to, _ := strings.Cut(fields[2], "-")
	op := history.Op{
		ID: int64(len(s.h.Ops) + 1), Kind: history.Kind(fields[0]), Client: fields[1], Node: int32(a.num("node", 1)),
		Invoke: atoi(s.t, from) * 1e6, Return: history.Never, Outcome: history.OutcomeOK,
		Topic: "id-t", Partition: int32(a.num("part", 0)), Code: int16(a.num("code", 0)),
	}
	if a.has("topic") {
		op.Topic = "id-" + a.str("topic")
	}
	if to != "never" {
		op.Return = atoi(s.t, to) * 1e6
	}
	switch {
	case a.has("failed"):
		op.Outcome = history.OutcomeFailed
	case a.has("maybe"):
		op.Outcome = history.OutcomeMaybe
	}
	s.body(&op, a)
	for k := range a.m {
		if !a.used[k] {
			s.t.Fatalf("%v: nobody reads %q", fields, k)
		}
	}
	s.h.Ops = append(s.h.Ops, op)
}

func (s *script) body(op *history.Op, a args) {
	switch op.Kind {
	case history.KindProduce:
		s.produce(op, a)
	case history.KindFetch, history.KindPoll, history.KindScan:
		op.Read = &history.Read{
			Position: a.num("pos", -1), Committed: a.has("committed"), LeaderEpoch: int32(a.num("ep", -1)), HighWatermark: a.num("hw", -1),
			LastStable: a.num("lso", -1), LogStart: a.num("ls", -1), Follower: a.has("follower"), Final: a.has("final"), Txn: a.str("txn"),
		}
		for _, text := range a.list("got") {
			op.Read.Records = append(op.Read.Records, s.got(text))
		}
	case history.KindListOffsets:
		op.ListOffsets = &history.ListOffsets{Target: a.num("target", -1), Offset: a.num("off", -1), TimestampMs: a.num("ts", -1)}
	case history.KindEpochEnd:
		op.EpochEnd = &history.EpochEnd{Asked: int32(a.num("asked", 0)), Epoch: int32(a.num("ep", -1)), EndOffset: a.num("to", -1)}
	case history.KindCommitOffset, history.KindFetchOffset:
		op.Offset = &history.Offset{Group: "g", Member: a.str("m"), Generation: int32(a.num("gen", -1)), Value: a.num("off", -1), Metadata: a.str("meta"), CoordinatorEpoch: int32(a.num("ce", -1))}
	case history.KindAssign, history.KindLeaveGroup, history.KindDeleteGroup:
		op.Group = &history.Group{Group: "g", Member: a.str("m"), Generation: int32(a.num("gen", 1)), Consumer: a.has("consumer")}
		if a.has("sub") {
			op.Group.Topics = []string{"id-" + a.str("sub")}
		}
		for _, part := range a.list("parts") {
			op.Group.Partitions = append(op.Group.Partitions, history.TopicPartition{Topic: "id-t", Partition: int32(atoi(s.t, part))})
		}
	case history.KindAlterConfig, history.KindDescribeConfig:
		op.Config = &history.Config{Resource: "topic/id-t", Name: a.str("n"), Value: a.str("val"), Unset: !a.has("val")}
	case history.KindInitProducerID:
		f := strings.Split(a.str("id"), "/")
		op.Producer = &history.Producer{ID: atoi(s.t, f[0]), Epoch: int16(atoi(s.t, f[1])), TransactionalID: a.str("tid")}
	case history.KindDeleteRecords:
		op.Delete = &history.Delete{Before: a.num("before", -1), LowWatermark: a.num("low", -1)}
	case history.KindEndTxn:
		op.Txn = &history.Txn{Txn: a.str("txn"), Commit: a.has("commit")}
	case history.KindSessionFetch:
		op.Topic = ""
		op.Session = &history.Session{ID: int32(a.num("id", 0)), Made: int32(a.num("made", 7)), Epoch: int32(a.num("epoch", 0)), Since: op.Invoke, Until: op.Return,
			Requested: s.parts(a.list("req")), Answered: s.parts(a.list("ans")), Before: s.parts(a.list("before")), After: s.parts(a.list("after"))}
		for _, part := range s.parts(a.list("forget")) {
			op.Session.Forgotten = append(op.Session.Forgotten, part.TopicPartition)
		}
	}
}

// parts are partition:position, or partition:hw:logstart:first[:code].
func (s *script) parts(texts []string) (parts []history.SessionPart) {
	for _, text := range texts {
		var n []int64
		for _, f := range strings.Split(text, ":") {
			n = append(n, atoi(s.t, f))
		}
		part := history.SessionPart{TopicPartition: history.TopicPartition{Topic: "id-t", Partition: int32(n[0])}, First: -1}
		if len(n) == 2 {
			part.Position = n[1]
		} else if len(n) > 2 {
			part.HighWatermark, part.LogStart, part.First = n[1], n[2], n[3]
		}
		if len(n) > 4 {
			part.Code = int16(n[4])
		}
		parts = append(parts, part)
	}
	return parts
}

func (s *script) produce(op *history.Op, a args) {
	p := &history.Produce{Acks: int16(a.num("acks", -1)), ProducerID: -1, ProducerEpoch: -1, BaseSequence: -1, Txn: a.str("txn"), Repeats: a.has("repeats"),
		Bytes: a.num("bytes", 0), BaseOffset: a.num("base", -1), LogStart: a.num("ls", -1)}
	if a.has("pid") {
		f := strings.Split(a.str("pid"), "/")
		p.ProducerID, p.ProducerEpoch, p.BaseSequence = atoi(s.t, f[0]), int16(atoi(s.t, f[1])), int32(atoi(s.t, f[2]))
	}
	offsets := a.list("offsets")
	for i, text := range a.list("v") {
		r := history.Record{Offset: -1, Epoch: -1, Value: value(s.t, text), Key: "k", TimestampMs: a.num("ts", s.h.Header.EpochMs+op.Invoke/1e6), ProducerID: p.ProducerID, ProducerEpoch: p.ProducerEpoch, Sequence: -1}
		if p.BaseSequence >= 0 {
			r.Sequence = p.BaseSequence + int32(i)
		}
		if i < len(offsets) {
			r.Offset = atoi(s.t, offsets[i])
		}
		p.Records = append(p.Records, r)
		if _, there := s.sent[r.Value]; !there {
			s.sent[r.Value] = r
		}
	}
	op.Produce = p
}

// got is offset:value with, in any order, e<epoch>, t<timestamp>, s<sequence>,
// i<producer id>, p<producer epoch> and k<key> after further colons.
func (s *script) got(text string) history.Record {
	f := strings.Split(text, ":")
	v := value(s.t, f[1])
	r, there := s.sent[v]
	if !there {
		r = history.Record{Value: v, Key: "k", ProducerID: -1, ProducerEpoch: -1, Sequence: -1}
	}
	r.Offset, r.Epoch = atoi(s.t, f[0]), -1
	for _, more := range f[2:] {
		switch n := more[1:]; more[0] {
		case 'e':
			r.Epoch = int32(atoi(s.t, n))
		case 't':
			r.TimestampMs = atoi(s.t, n)
		case 's':
			r.Sequence = int32(atoi(s.t, n))
		case 'p':
			r.ProducerEpoch = int16(atoi(s.t, n))
		case 'i':
			r.ProducerID = atoi(s.t, n)
		case 'k':
			r.Key = n
		}
	}
	return r
}

func value(t *testing.T, text string) uint64 {
	v, err := strconv.ParseUint(text, 16, 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}
