package shard

import (
	"time"

	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/clock"
)

// Produce is the part of a Produce request that one shard carries out.
type Produce struct {
	Acks    int8
	Timeout time.Duration // for acks=all
	Parts   []ProducePart
	// Done is called once, on the shard's goroutine, when every part has its
	// answer; it must not wait.
	Done ProduceDone

	shard    *Shard
	left     int
	deadline clock.Mono
	timed    bool // on the shard's list of deadlines
}

// ProduceDone takes a finished Produce.
type ProduceDone interface {
	ProduceDone(p *Produce)
}

// ProducePart is one batch for one partition, and then its answer.
type ProducePart struct {
	Handle *Handle
	Batch  seglog.Batch
	Data   buffer.Slice
	Index  int // the caller's

	answered   bool
	Code       kafka.ErrorCode
	Message    string
	BaseOffset int64
	AppendTime int64
	LogStart   int64
}

// Send gives p to its shard; every part must have a handle of that shard.
func (p *Produce) Send() {
	p.shard = p.Parts[0].Handle.shard
	if !p.shard.in.Put(p) {
		for i := range p.Parts {
			p.Parts[i].Data.Release()
			p.Parts[i].fail(kafka.ErrNotLeaderOrFollower)
		}
		p.Done.ProduceDone(p)
	}
}

func (part *ProducePart) fail(code kafka.ErrorCode) {
	part.answered = true
	part.Code, part.BaseOffset, part.AppendTime, part.LogStart = code, -1, -1, -1
}

// ref names a part that waits for its ack.
type ref struct {
	produce *Produce
	query   *Query
	part    int
}

func (p *Produce) on(s *Shard) {
	p.left = len(p.Parts)
	s.stepping = p
	defer func() { s.stepping = nil }()
	if p.Acks == replica.AcksAll && p.Timeout > 0 {
		p.deadline = s.now.Mono.Add(p.Timeout)
	}
	for i := range p.Parts {
		part := &p.Parts[i]
		h := part.Handle
		if h.closed {
			part.Data.Release()
			part.fail(kafka.ErrNotLeaderOrFollower)
			p.left--
			continue
		}
		token := uint64(0)
		if p.Acks != replica.AcksNone {
			token = s.tokens.add(ref{produce: p, part: i})
		}
		h.machine.Produce(s.now, replica.Produce{
			Batch: part.Batch, Data: part.Data, Acks: p.Acks, Token: token, LeaderEpoch: replica.NoEpoch,
		}, &s.ready)
		part.Data = buffer.Slice{}
		s.carryOut(h)
		if p.Acks == replica.AcksNone && !part.answered {
			part.answered = true
			p.left--
		}
	}
	if p.left == 0 {
		p.Done.ProduceDone(p)
		return
	}
	if p.deadline != 0 {
		p.timed = true
		s.deadlines = append(s.deadlines, p)
	}
}

// ack ends one waiting part.
func (s *Shard) ack(a replica.Ack) {
	if a.Token == 0 {
		return
	}
	w, ok := s.tokens.take(a.Token)
	if !ok {
		return
	}
	if w.query != nil {
		w.query.acked(a)
		return
	}
	p := w.produce
	part := &p.Parts[w.part]
	if part.answered {
		return
	}
	part.answered = true
	part.Code, part.Message = a.Code, a.Message
	part.BaseOffset, part.AppendTime, part.LogStart = a.BaseOffset, a.LogAppendTime, a.LogStart
	if p.left--; p.left == 0 && s.stepping != p {
		p.Done.ProduceDone(p)
	}
}

// expire answers REQUEST_TIMED_OUT for what waited past its deadline.
func (s *Shard) expire() {
	kept := s.deadlines[:0]
	for _, p := range s.deadlines {
		switch {
		case p.left == 0:
		case p.deadline > s.now.Mono:
			kept = append(kept, p)
		default:
			for i := range p.Parts {
				if part := &p.Parts[i]; !part.answered {
					part.fail(kafka.ErrRequestTimedOut)
				}
			}
			p.left = 0
			p.Done.ProduceDone(p)
		}
	}
	clear(s.deadlines[len(kept):])
	s.deadlines = kept
}

// tokenTable gives each waiting part a token and finds it again.
type tokenTable struct {
	refs []ref
	free []uint32
	gen  []uint32
}

// add returns a token, never 0.
func (t *tokenTable) add(w ref) uint64 {
	var i uint32
	if n := len(t.free); n > 0 {
		i, t.free = t.free[n-1], t.free[:n-1]
		t.refs[i] = w
	} else {
		i = uint32(len(t.refs))
		t.refs = append(t.refs, w)
		t.gen = append(t.gen, 0)
	}
	t.gen[i]++
	return uint64(t.gen[i])<<32 | uint64(i)
}

// take removes a token's ref.
func (t *tokenTable) take(token uint64) (ref, bool) {
	i := uint32(token)
	if int(i) >= len(t.refs) || t.gen[i] != uint32(token>>32) || t.refs[i] == (ref{}) {
		return ref{}, false
	}
	w := t.refs[i]
	t.refs[i] = ref{}
	t.free = append(t.free, i)
	return w, true
}
