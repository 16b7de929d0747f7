package fetcher

import (
	"encoding/binary"
	"time"

	"github.com/moldau/moldau/broker/kafka"
)

// fetchVersion is the version of Fetch that followers send.
const fetchVersion = 17

// fetch sends the next request if it is time for it, and says after which time
// to look again.
func (p *peer) fetch() time.Duration {
	const never = time.Hour // until something comes
	l := p.link
	switch {
	case l.outstanding >= fetchesMax, l.outstanding > 0 && (l.session == 0 || len(p.due) == 0):
		return never
	case p.pool.pinned() > pinnedBytesMax:
		return never
	case l.outstanding == 0 && p.awaiting > 0 && p.now < p.hold:
		return p.hold.Sub(p.now)
	}
	epoch := p.f.cfg.BrokerEpoch()
	if epoch < 0 {
		return backoffMin
	}
	full := l.session == 0
	if full && len(p.due) == 0 {
		return never
	}
	asks := make([]asked, 0, len(p.due))
	for _, x := range p.due {
		x.queued = false
		if x.gone || x.armed || x.awaits || x.rests || !x.ready {
			continue
		}
		x.armed = true
		asks = append(asks, asked{h: x.h, ask: x.ask})
		x.reporting = false // the fetch says it
	}
	clear(p.due)
	p.due = p.due[:0]
	if full {
		p.forgets = nil
	}
	p.send(l, p.appendFetch(l, epoch, asks), request{asks: asks, forgets: p.forgets})
	p.forgets = nil
	return never
}

// sendReports tells the leader of durable ends, in one report.
func (p *peer) sendReports() {
	l := p.link
	if len(p.reports) == 0 || l == nil || l.session == 0 {
		return
	}
	report := kafka.DurableReport{Broker: p.f.cfg.NodeID, BrokerEpoch: p.f.cfg.BrokerEpoch()}
	if report.BrokerEpoch < 0 {
		return
	}
	for _, x := range p.reports {
		if x.gone || !x.reporting {
			continue
		}
		x.reporting = false
		r := &x.report
		report.Positions = append(report.Positions, kafka.ReportedPosition{
			ID: x.h.ID, LeaderEpoch: r.LeaderEpoch, LEO: r.LEO, LastEpoch: r.LastEpoch,
			Durable: r.Durable, DurableEpoch: r.DurableEpoch, LogStart: r.LogStart,
		})
	}
	clear(p.reports)
	p.reports = p.reports[:0]
	if len(report.Positions) > 0 {
		p.body = report.AppendTo(appendHeader(p.body[:0], kafka.KeyDurableReport, 0, l.correlation, false))
		l.write(p.body)
	}
}

const keyFetch = 1

// appendHeader begins a frame; its length is put in front by write.
func appendHeader(dst []byte, key, version int16, correlation int32, flexible bool) []byte {
	dst = append(dst, 0, 0, 0, 0)
	dst = binary.BigEndian.AppendUint16(dst, uint16(key))
	dst = binary.BigEndian.AppendUint16(dst, uint16(version))
	dst = binary.BigEndian.AppendUint32(dst, uint32(correlation))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(clientID)))
	dst = append(dst, clientID...)
	if flexible {
		dst = append(dst, 0)
	}
	return dst
}

// appendFetch encodes a Fetch: all of asks for a new session, else what changed.
func (p *peer) appendFetch(l *link, brokerEpoch int64, asks []asked) []byte {
	be := binary.BigEndian
	b := appendHeader(p.body[:0], keyFetch, fetchVersion, l.correlation+1, true)
	b = be.AppendUint32(b, uint32(p.f.cfg.WaitMax.Milliseconds()))
	b = be.AppendUint32(b, uint32(p.f.cfg.MinBytes))
	b = be.AppendUint32(b, uint32(p.f.cfg.AnswerBytes))
	b = append(b, 0) // isolation level
	b = be.AppendUint32(b, uint32(l.session))
	b = be.AppendUint32(b, uint32(l.epoch))
	topics := func(n int, id func(i int) kafka.TopicPartition, part func(i int)) {
		runs := 0
		for i := range n {
			if i == 0 || id(i).Topic != id(i-1).Topic {
				runs++
			}
		}
		b = binary.AppendUvarint(b, uint64(runs)+1)
		for from := 0; from < n; {
			to := from + 1
			for to < n && id(to).Topic == id(from).Topic {
				to++
			}
			topic := id(from).Topic
			b = append(b, topic[:]...)
			b = binary.AppendUvarint(b, uint64(to-from)+1)
			for ; from < to; from++ {
				part(from)
			}
			b = append(b, 0)
		}
	}
	topics(len(asks), func(i int) kafka.TopicPartition { return asks[i].h.ID }, func(i int) {
		a := &asks[i].ask
		b = be.AppendUint32(b, uint32(asks[i].h.ID.Partition))
		b = be.AppendUint32(b, uint32(a.LeaderEpoch))
		b = be.AppendUint64(b, uint64(a.Offset))
		b = be.AppendUint32(b, uint32(a.LastEpoch))
		b = be.AppendUint64(b, uint64(a.LogStart))
		b = be.AppendUint32(b, uint32(p.f.cfg.PartitionBytes))
		b = append(b, 1)
		b = binary.AppendUvarint(b, kafka.TagDurable)
		b = append(b, kafka.TagDurableBytes)
		b = kafka.AppendDurable(b, a.Durable, a.DurableEpoch)
	})
	topics(len(p.forgets), func(i int) kafka.TopicPartition { return p.forgets[i] }, func(i int) {
		b = be.AppendUint32(b, uint32(p.forgets[i].Partition))
	})
	b = append(b, 1)        // no rack
	b = append(b, 1, 1, 13) // one tagged field: 1, of 13 bytes: the replica
	b = be.AppendUint32(b, uint32(p.f.cfg.NodeID))
	b = be.AppendUint64(b, uint64(brokerEpoch))
	b = append(b, 0)
	return b
}

// send writes a request that is answered.
func (p *peer) send(l *link, frame []byte, r request) {
	p.body = frame
	l.correlation++
	r.correlation = l.correlation
	l.outstanding++
	if l.epoch++; l.epoch <= 0 { // after the greatest int32 comes 1
		l.epoch = 1
	}
	l.push(r)
	l.write(frame)
}
