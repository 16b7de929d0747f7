package quorum

import (
	"bytes"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/controller"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/broker/raftmeta"
	"github.com/moldau/moldau/internal/invariant"
)

type record = metarecord.Record

// office is the time in which this node is the active controller.
type office struct {
	term  uint64
	epoch int32
	// proposals are in flight, in the order of their offsets, without gap.
	proposals []proposal
	// waiting are replies, in the order of the offsets that they wait for.
	waiting []waiting
	next    int64 // offset of the next record
}

type proposal struct {
	base  int64
	batch []byte
	// unclean are told of once the decision that ends with this batch is committed.
	unclean []controller.UncleanElection
}

type waiting struct {
	after int64 // offset that must be committed
	req   kmsg.Request
	resp  kmsg.Response
	reply func(kmsg.Response)
}

// room reports whether another decision may be put in flight.
func (l *loop) room() bool { return l.office == nil || len(l.office.proposals) < proposalsMax }

// officeChanged takes up or ends an office, as raft says.
func (l *loop) officeChanged(leading bool) {
	if l.office != nil {
		l.lose()
	}
	l.electing = leading
	l.maybeWin()
}

// maybeWin begins the office once the image contains every entry of raft's log
// that earlier leaders left. (That is what a barrier is for; asking the store
// costs no entry of its own.)
func (l *loop) maybeWin() {
	if !l.electing || l.stalled && l.inst.Load().voters() > 1 || l.cfg.Store.Log.LastCommand() > l.handled {
		return
	}
	l.electing = false
	term := l.raft().CurrentTerm()
	img := l.cfg.Holder.Load()
	l.office = &office{term: term, epoch: int32(term), next: img.Offset() + 1}
	t := l.times()
	records := l.machine.Activate(img, img.Offset()+1, int32(term), t)
	l.cfg.Events.Emit(OfficeWon{Node: l.cfg.Machine.NodeID, Epoch: int32(term), Offset: l.office.next})
	l.propose(records, metaimage.New(l.cfg.Machine.ClusterID), t.Wall)
	l.handle(request{req: l.Registration(), reply: func(kmsg.Response) {}})
	l.answerParked(func(parkedFetch) bool { return true }) // who waited did not learn the high watermark
}

// Registration is this controller's own registration. The active controller takes
// its own by itself; another one must send it.
func (q *Quorum) Registration() *kmsg.ControllerRegistrationRequest {
	req := kmsg.NewPtrControllerRegistrationRequest()
	req.ControllerID, req.IncarnationID = q.cfg.Machine.NodeID, q.cfg.Incarnation
	for _, e := range q.cfg.Endpoints {
		rl := kmsg.NewControllerRegistrationRequestListener()
		rl.Name, rl.Host, rl.Port, rl.SecurityProtocol = e.Name, e.Host, e.Port, e.SecurityProtocol
		req.Listeners = append(req.Listeners, rl)
	}
	for _, f := range q.cfg.Machine.Supported {
		rf := kmsg.NewControllerRegistrationRequestFeature()
		rf.Name, rf.MinSupportedVersion, rf.MaxSupportedVersion = f.Name, f.Min, f.Max
		req.Features = append(req.Features, rf)
	}
	return req
}

// lose ends the office: the speculative image is dropped, and what waits is
// answered NOT_CONTROLLER, whether it will be committed or not.
func (l *loop) lose() {
	o := l.office
	l.office = nil
	l.machine.Resign()
	for _, w := range o.waiting {
		w.reply(controller.NotController(w.req))
	}
	l.cfg.Events.Emit(OfficeLost{Node: l.cfg.Machine.NodeID, Epoch: o.epoch, Waiting: len(o.waiting)})
}

// handle lets the machine decide and has the reply wait for the commit.
func (l *loop) handle(r request) {
	if l.office == nil {
		if beat, ok := r.req.(*kmsg.BrokerHeartbeatRequest); ok {
			l.machine.Heard(l.times(), l.cfg.Holder.Load(), beat)
		}
		r.reply(controller.NotController(r.req))
		return
	}
	before := l.machine.Image()
	t := l.times()
	d := l.machine.Handle(t, r.req)
	if d.Reply == nil {
		r.reply(controller.ErrorReply(r.req, kafka.ErrUnsupportedVersion, ""))
		return
	}
	if !l.propose(d.Records, before, t.Wall) {
		r.reply(controller.NotController(r.req))
		return
	}
	if d.After < l.feed.next {
		r.reply(d.Reply)
		return
	}
	l.office.waiting = append(l.office.waiting, waiting{after: d.After, req: r.req, resp: d.Reply, reply: r.reply})
}

// propose puts what was decided upon an image in flight, in the versions of
// its metadata.version. It reports false when that ended the office.
func (l *loop) propose(records []record, before *metaimage.Image, wall int64) bool {
	if len(records) == 0 {
		return true
	}
	level := before.MetadataVersion()
	unclean := controller.UncleanElections(before, records)
	for len(records) > 0 {
		n := cut(records)
		if !l.proposeBatch(records[:n], level, wall) {
			return false
		}
		records = records[n:]
	}
	l.office.proposals[len(l.office.proposals)-1].unclean = unclean
	return true
}

// cut is how many of the records go into the next batch: all, unless they are
// bracketed by a metadata transaction and too many for one.
func cut(records []record) int {
	size := 0
	for i, r := range records {
		if size += metarecord.SizeOf(r); i > 0 && (size > metarecord.BatchBytesMax || i >= metarecord.BatchRecordsMax) {
			return i
		}
	}
	return len(records)
}

func (l *loop) proposeBatch(records []record, level int16, wall int64) bool {
	o := l.office
	batch, err := metarecord.EncodeBatch(metarecord.Batch{
		BaseOffset: o.next, Epoch: o.epoch, Timestamp: wall, Records: records,
	}, level)
	if err != nil {
		l.cfg.OnFailure(fmt.Errorf("encode metadata records at offset %d: %w", o.next, err))
		l.lose()
		return false
	}
	o.proposals = append(o.proposals, proposal{base: o.next, batch: batch})
	// What becomes of the entry is told by the state machine, or by the loss
	// of the office; the future says nothing more.
	_ = l.raft().Apply(append(raftmeta.AppendEntry(make([]byte, 0, len(batch)+32), o.term, o.next), batch...), 0)
	o.next += int64(len(records))
	return true
}

// committed takes entries that are committed and in the published image.
func (l *loop) committed(a applied) {
	l.handled = max(l.handled, a.handled)
	l.noteReplay()
	for _, e := range a.entries {
		invariant.Check(e.BaseOffset == l.feed.next, "committed entry at offset %d where %d is next", e.BaseOffset, l.feed.next)
		l.feed.append(e)
		if l.office != nil && !l.own(e) {
			// Another leader's entry, or one that this node proposed in a
			// moment that it did not know to be its office: decide anew.
			l.lose()
			l.electing = true
		}
	}
	l.release()
	l.wakeFetches()
	l.maybeWin()
}

// own takes the committed entry off those in flight; false if it is another.
func (l *loop) own(e raftmeta.Applied) bool {
	o := l.office
	if len(o.proposals) == 0 || o.proposals[0].base != e.BaseOffset || !bytes.Equal(o.proposals[0].batch, e.Batch) {
		return false
	}
	for _, u := range o.proposals[0].unclean {
		l.unclean.Add(1)
		l.cfg.Events.Emit(LeaderElectedUnclean(u))
	}
	o.proposals[0] = proposal{}
	o.proposals = o.proposals[1:]
	return true
}

// release gives the replies whose records are committed.
func (l *loop) release() {
	if l.office == nil {
		return
	}
	o, n := l.office, 0
	for n < len(o.waiting) && o.waiting[n].after < l.feed.next {
		o.waiting[n].reply(o.waiting[n].resp)
		n++
	}
	clear(o.waiting[:n])
	o.waiting = o.waiting[n:]
}
