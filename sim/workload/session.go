package workload

import (
	"fmt"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/linearizability/history"
)

// forgetOne is of 1000 session fetches those that leave a partition out from
// then on, until it is asked for anew.
const forgetOne = 60

// session is an incremental fetch session with one node (KIP-227).
type session struct {
	env   *Env
	node  int32
	id    int32
	epoch int32
	parts []sessionPart // as the broker was told
	op    *history.Op   // of the fetch under way
	ended int64         // true time of its answer
	code  int16
	ok    bool
}

// sessionPart is a partition as the broker was told of it.
type sessionPart struct {
	spot     *spot
	position int64
	epoch    int32
}

// begin opens the operation of the next fetch.
func (s *session) begin() {
	s.op = &history.Op{Client: s.env.Name, Node: s.node, Kind: history.KindSessionFetch, Session: &history.Session{ID: s.id, Epoch: s.epoch}}
	s.ok = false
}

// asks reports whether a spot is to be named in the next request, and notes it.
func (s *session) asks(at *spot, epoch int32) bool {
	i := slices.IndexFunc(s.parts, func(p sessionPart) bool { return p.spot == at })
	switch {
	case i < 0:
		s.parts = append(s.parts, sessionPart{at, at.position, epoch})
	case s.epoch == 0, s.parts[i].position != at.position, s.parts[i].epoch != epoch:
		s.parts[i].position, s.parts[i].epoch = at.position, epoch
	default:
		return false
	}
	s.op.Session.Requested = append(s.op.Session.Requested, history.SessionPart{
		TopicPartition: at.key(), Position: at.position, HighWatermark: history.Unknown, LogStart: history.Unknown, First: history.Unknown,
	})
	return true
}

// drop takes a spot out of the session from the next request on.
func (s *session) drop(at *spot) {
	s.parts = slices.DeleteFunc(s.parts, func(p sessionPart) bool { return p.spot == at })
	s.op.Session.Forgotten = append(s.op.Session.Forgotten, at.key())
}

// fill completes a request and begins the operation's time.
func (s *session) fill(req *kmsg.FetchRequest) {
	req.SessionID, req.SessionEpoch = s.id, s.epoch
	for _, key := range s.op.Session.Forgotten {
		for _, t := range s.env.Recorder.Topics() {
			if t.Text() == key.Topic {
				one := kmsg.NewFetchRequestForgottenTopic()
				one.Topic, one.TopicID, one.Partitions = t.Spec.Name, t.ID, []int32{key.Partition}
				req.ForgottenTopics = append(req.ForgottenTopics, one)
			}
		}
	}
	s.env.Recorder.Begin(s.op)
}

// lost forgets the session: what the broker knows of it is not known.
func (s *session) lost() {
	s.ended, s.code = s.env.Recorder.Now(), 0
	s.id, s.epoch, s.parts = 0, 0, nil
}

// take takes an answer.
func (s *session) take(resp *kmsg.FetchResponse, at int64) {
	s.ended, s.code = at, resp.ErrorCode
	if resp.ErrorCode != 0 {
		s.id, s.epoch, s.parts = 0, 0, nil
		return
	}
	s.ok = true
	s.op.Session.Made = resp.SessionID
	for i := range resp.Topics {
		t := &resp.Topics[i]
		for j := range t.Partitions {
			s.answered(resp, t, &t.Partitions[j])
		}
	}
	s.id = resp.SessionID
	s.epoch++
	if s.id == 0 { // the broker made none
		s.epoch, s.parts = 0, nil
	}
}

// answered notes a partition of the answer.
func (s *session) answered(resp *kmsg.FetchResponse, t *kmsg.FetchResponseTopic, p *kmsg.FetchResponseTopicPartition) {
	for _, topic := range s.env.Recorder.Topics() {
		if resp.Version >= fetchByID && t.TopicID != topic.ID || resp.Version < fetchByID && t.Topic != topic.Spec.Name {
			continue
		}
		s.op.Session.Answered = append(s.op.Session.Answered, history.SessionPart{
			TopicPartition: history.TopicPartition{Topic: topic.Text(), Partition: p.Partition},
			HighWatermark:  p.HighWatermark, LogStart: p.LogStartOffset, First: history.Unknown, Code: p.ErrorCode,
		})
		return
	}
	s.env.Recorder.Fail(s.env.Name, fmt.Sprintf("a fetch session answers a topic that nobody knows: %q", t.Topic))
}

// sessionFetch fetches at spots by a session, between two sessionless fetches of
// the same, and records how they compare.
func (f *fetcher) sessionFetch(l *link, spots []*spot, o fetchLimits, s *session) []fetched {
	shadowing := o
	shadowing.minBytes, shadowing.maxWait, shadowing.poll = 0, 0, false
	since := f.env.Recorder.Now()
	before, _ := f.fetch(l, spots, shadowing, nil)
	if l.isDead() {
		return nil
	}
	s.begin()
	if s.epoch > 0 && len(spots) > 1 && f.env.Rand.IntN(perMille) < forgetOne {
		i := f.env.Rand.IntN(len(spots))
		s.drop(spots[i])
		spots = slices.Delete(slices.Clone(spots), i, i+1)
	}
	answers, ok := f.fetch(l, spots, o, s)
	var after []fetched
	if ok && !l.isDead() {
		after, _ = f.fetch(l, spots, shadowing, nil)
	}
	s.op.Session.Since, s.op.Session.Until = since, f.env.Recorder.Now()
	s.close(answers, before, after)
	return answers
}

// close ends the operation of a fetch.
func (s *session) close(answers, before, after []fetched) {
	op := s.op
	for i := range op.Session.Answered {
		for j := range answers {
			if answers[j].spot.key() == op.Session.Answered[i].TopicPartition {
				op.Session.Answered[i].First = answers[j].first()
			}
		}
	}
	op.Session.Before, op.Session.After = shadows(before), shadows(after)
	if s.ok || s.code != 0 {
		s.env.Recorder.Answered(op, s.code, s.ended)
	} else {
		s.env.Recorder.End(op, history.OutcomeFailed, 0, s.ended)
	}
}

func shadows(answers []fetched) []history.SessionPart {
	parts := make([]history.SessionPart, 0, len(answers))
	for i := range answers {
		a := &answers[i]
		parts = append(parts, history.SessionPart{
			TopicPartition: a.spot.key(), Position: a.spot.position, HighWatermark: a.high, LogStart: a.low, First: a.first(), Code: a.code,
		})
	}
	return parts
}
