package workload

import (
	"fmt"
	"time"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/linearizability/history"
)

const (
	latecomerBatches = 3 // before the one whose answer is lost
	latecomerTries   = 400
	latecomerPushes  = 8 // batches at most that push
)

// Latecomer is an idempotent producer whose last answer is lost, and that sends
// the batch again after all records of the partition were deleted and Between was
// done. Whoever knew the producer by its records alone has forgotten it then.
// The batch must not be appended once more, and the next one must be taken.
// What others wrote behind it may push it out of the newest segment before.
type Latecomer struct {
	Topic   *Topic // alone on partition 0
	Every   time.Duration
	Timeout time.Duration
	Push    int    // bytes of batches without a producer id that follow the one whose answer is lost
	Between func() // starts the node anew, say; nil does nothing
}

// Run is Actor's.
func (a Latecomer) Run(env *Env) {
	p := &producer{
		Producer: Producer{
			Topics: []*Topic{a.Topic}, Acks: -1, Idempotent: true, KeepsID: true, RecordsMax: 4, ValueBytes: 100, PartsMax: 1, InFlight: 1,
			Every: a.Every, Timeout: a.Timeout,
		},
		env: env, client: newClient(env, a.Timeout), maker: newBatchMaker(env), id: history.Unknown, timer: env.Clock.NewTimer(0),
	}
	defer p.client.close()
	defer p.timer.Stop()
	q := &producer{
		Producer: Producer{Topics: p.Topics, Acks: -1, RecordsMax: 1, ValueBytes: a.Push, PartsMax: 1, InFlight: 1, Every: a.Every, Timeout: a.Timeout},
		env:      env, client: p.client, maker: p.maker, id: history.Unknown,
		timer: env.Clock.NewTimer(0),
	}
	defer q.timer.Stop()
	l := &latecomer{Latecomer: a, p: p, pusher: q, fetcher: &fetcher{p.client, newBatchReader()}, at: &spot{topic: a.Topic}}
	for !env.stopping() {
		l.round()
		p.client.pause(a.Every)
	}
}

// latecomer is a Latecomer at work.
type latecomer struct {
	Latecomer
	p       *producer
	pusher  *producer
	fetcher *fetcher
	at      *spot
}

// round appends, loses an answer, deletes, and sends again.
func (l *latecomer) round() {
	for range latecomerBatches {
		if !l.through() {
			return
		}
	}
	if !l.lose() {
		return
	}
	if l.p.env.calm() {
		l.through()
		return
	}
	l.push()
	l.read()
	if !l.until(func() bool { _, ok := l.fetcher.deleteRecords(l.at, history.Latest); return ok }) {
		return
	}
	if l.Between != nil {
		l.Between()
	}
	l.through()
	l.through()
}

// until tries until something comes about.
func (l *latecomer) until(what func() bool) bool {
	for range latecomerTries {
		if l.p.env.stopping() {
			return false
		}
		if l.p.client.refresh(l.p.Topics) && what() {
			return true
		}
		l.p.client.pause(retryLater)
	}
	l.p.env.trace("gives up")
	return false
}

// through gets the next batch, or the one that waits, into the log.
func (l *latecomer) through() bool {
	sent := false
	return l.until(func() bool {
		if l.p.id < 0 {
			l.p.takeID()
			return false
		}
		lane := l.p.lane(l.Topic, 0)
		if !sent || len(lane.unacked) > 0 {
			sent = l.once() || sent
		}
		return sent && len(lane.unacked) == 0
	})
}

// push appends what others wrote.
func (l *latecomer) push() {
	for n, bytes := 0, 0; bytes < l.Push && n < latecomerPushes && !l.p.env.stopping(); n++ {
		if b := l.pusher.once(l.Topic); b != nil {
			bytes += len(b.raw)
		}
	}
}

// once sends one batch and waits for what comes of it. It reports whether it was
// sent.
func (l *latecomer) once() bool { return l.p.once(l.Topic) != nil }

// once sends one batch to partition 0, and waits for what comes of it; nil if
// none was sent.
func (p *producer) once(topic *Topic) *outBatch {
	to, link := p.client.lead(topic, 0)
	if link == nil {
		return nil
	}
	b := p.nextBatch(p.lane(topic, 0))
	if b == nil {
		return nil
	}
	p.request(to.node, []*outBatch{b})
	for len(p.flights) > 0 {
		p.await(p.flights[0].deadline, nil)
		p.reap()
	}
	return b
}

// lose sends a batch whose answer comes, and is not heard. It reports whether the
// broker took it.
func (l *latecomer) lose() (took bool) {
	return l.until(func() bool {
		to, link := l.p.client.lead(l.Topic, 0)
		if link == nil || l.p.id < 0 {
			return false
		}
		b := l.p.nextBatch(l.p.lane(l.Topic, 0))
		if b == nil {
			return false
		}
		l.p.request(to.node, []*outBatch{b})
		if len(l.p.flights) == 0 {
			return false
		}
		f := l.p.flights[0]
		l.p.flights = nil
		timer := l.p.env.Clock.NewTimer(l.Timeout)
		defer timer.Stop()
		select {
		case <-f.call.done:
		case <-timer.C():
			f.link.close(errTimeout)
			<-f.call.done
		}
		l.p.env.Recorder.End(f.ops[0], history.OutcomeMaybe, 0, f.call.at)
		l.p.again(b)
		return f.call.err == nil
	})
}

// read reads what is there, so that everybody knows where it stood.
func (l *latecomer) read() {
	l.until(func() bool {
		offset, ok := l.fetcher.listOffset(l.at, history.Earliest)
		if !ok {
			return false
		}
		l.at.position = offset
		_, link := l.fetcher.lead(l.Topic, 0)
		if link == nil {
			return false
		}
		answers, ok := l.fetcher.fetch(link, []*spot{l.at}, fetchLimits{maxBytes: memberFetchBytes, partBytes: memberFetchBytes}, nil)
		return ok && len(answers) == 1 && answers[0].code == int16(kafka.ErrNone)
	})
	l.p.env.trace(fmt.Sprintf("batch of sequence %d waits", l.p.lane(l.Topic, 0).sequence))
}
