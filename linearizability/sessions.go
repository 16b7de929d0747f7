package linearizability

import (
	"cmp"
	"slices"

	"github.com/moldau/moldau/linearizability/history"
)

// sessionKey names a session: ids are each node's own.
type sessionKey struct {
	node int32
	id   int32
}

// session is what both ends of a session know.
type session map[history.TopicPartition]history.SessionPart

// checkSessions follows every fetch session and compares what it answers, and
// what it leaves out, with what sessionless fetches of the same partitions saw
// just before and just after. The shadows ask without small limits, so that
// what was there for them was there for the session.
func checkSessions(r *run) {
	sessions := map[sessionKey]session{}
	for _, op := range r.ops {
		if op.Kind != history.KindSessionFetch || op.Session == nil {
			continue
		}
		key := sessionKey{op.Node, op.Session.ID}
		s := sessions[key]
		delete(sessions, key)
		switch {
		case !op.OK():
			continue // what the broker remembers of it is not known
		case op.Session.Epoch == 0:
			s = session{}
		case s == nil:
			continue // its beginning is not in the history
		}
		for _, part := range op.Session.Forgotten {
			delete(s, part)
		}
		for _, asked := range op.Session.Requested {
			known, there := s[asked.TopicPartition]
			if !there {
				known = history.SessionPart{TopicPartition: asked.TopicPartition, HighWatermark: history.Unknown, LogStart: history.Unknown}
			}
			known.Position = asked.Position
			s[asked.TopicPartition] = known
		}
		r.sessionAnswer(op, s)
		if op.Session.Made != 0 {
			sessions[sessionKey{op.Node, op.Session.Made}] = s
		}
	}
}

// sessionAnswer judges one answer and keeps what it told.
func (r *run) sessionAnswer(op *history.Op, s session) {
	for _, answered := range op.Session.Answered {
		if _, there := s[answered.TopicPartition]; !there {
			r.violation("session-stranger", []*history.Op{op}, "%s was answered and is not in the session", r.name(answered.TopicPartition))
		}
	}
	parts := make([]history.TopicPartition, 0, len(s))
	for part := range s {
		parts = append(parts, part)
	}
	slices.SortFunc(parts, func(a, b history.TopicPartition) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	for _, part := range parts {
		answered := find(op.Session.Answered, part)
		before, after := find(op.Session.Before, part), find(op.Session.After, part)
		if before != nil && after != nil {
			r.sessionPart(op, s[part], answered, before, after)
		}
		if answered != nil {
			told := *answered
			told.Position = s[part].Position
			s[part] = told
		}
	}
}

func find(parts []history.SessionPart, part history.TopicPartition) *history.SessionPart {
	for i := range parts {
		if parts[i].TopicPartition == part {
			return &parts[i]
		}
	}
	return nil
}

// sessionPart judges one partition: told is what the session had told of it,
// answered what it tells now, nil if it leaves it out.
func (r *run) sessionPart(op *history.Op, told history.SessionPart, answered, before, after *history.SessionPart) {
	name := r.name(told.TopicPartition)
	if readFailed(answered, before, after) && r.during(history.EventReadError, told.TopicPartition, op.Session.Since, op.Session.Until) {
		return // one of the three met a read that failed, the others need not
	}
	if r.doubtful(told.TopicPartition, op.Session.Since, op.Session.Until) {
		return
	}
	between := func(v, low, high int64) bool { return v >= min(low, high) && v <= max(low, high) }
	steady := before.Code == after.Code
	if answered == nil {
		switch {
		case steady && before.Code != 0:
			r.violation("session-omitted", []*history.Op{op}, "%s was left out, its error is %d", name, before.Code)
		case before.Code != 0 || after.Code != 0:
		case before.First >= 0 && after.First >= 0:
			r.violation("session-omitted", []*history.Op{op}, "%s was left out, offset %d was there", name, before.First)
		case !between(told.HighWatermark, before.HighWatermark, after.HighWatermark):
			r.violation("session-omitted", []*history.Op{op}, "%s was left out, the high watermark told was %d and is %d", name, told.HighWatermark, before.HighWatermark)
		case !between(told.LogStart, before.LogStart, after.LogStart):
			r.violation("session-omitted", []*history.Op{op}, "%s was left out, the log start told was %d and is %d", name, told.LogStart, before.LogStart)
		}
		return
	}
	switch {
	case answered.Code != before.Code && answered.Code != after.Code:
		r.violation("session-differs", []*history.Op{op}, "%s answered error %d, its shadows %d and %d", name, answered.Code, before.Code, after.Code)
	case !steady || before.Code != 0:
	case !between(answered.HighWatermark, before.HighWatermark, after.HighWatermark):
		r.violation("session-differs", []*history.Op{op}, "%s answered the high watermark %d, its shadows %d and %d", name, answered.HighWatermark, before.HighWatermark, after.HighWatermark)
	case !between(answered.LogStart, before.LogStart, after.LogStart):
		r.violation("session-differs", []*history.Op{op}, "%s answered the log start %d, its shadows %d and %d", name, answered.LogStart, before.LogStart, after.LogStart)
	case before.First == after.First && answered.First != before.First:
		r.violation("session-differs", []*history.Op{op}, "%s answered offsets from %d on, its shadows from %d on", name, answered.First, before.First)
	}
}

// storageError is Kafka's KAFKA_STORAGE_ERROR.
const storageError = 56

// readFailed reports whether one of the answers that are there is that storage failed.
func readFailed(answers ...*history.SessionPart) bool {
	return slices.ContainsFunc(answers, func(a *history.SessionPart) bool { return a != nil && a.Code == storageError })
}

// doubtful reports whether answers about a partition between two times may have
// differed because bytes of its log did.
func (r *run) doubtful(part history.TopicPartition, since, until int64) bool {
	return r.during(history.EventFlip, part, since, until) || r.during(history.EventDamage, part, 0, until)
}
