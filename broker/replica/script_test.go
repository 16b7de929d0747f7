package replica

import (
	"fmt"
	"slices"
	"strings"

	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
)

// ids reads a list like 1/2/3.
func (s *script) ids(name string) (list []int32) {
	for id := range strings.SplitSeq(s.word(name), "/") {
		var n int32
		if _, err := fmt.Sscan(id, &n); err == nil {
			list = append(list, n)
		}
	}
	return list
}

// members fills in what a role says of brokers. Those of replicas have the
// epochs 10, 20, ... but for what epoch-N says; -1 is not registered.
func (s *script) members(role *Role) {
	role.ISR, role.ELR, role.Replicas, role.Doubted = s.ids("isr"), s.ids("elr"), s.ids("replicas"), s.ids("doubted")
	role.Recovering, role.BrokerEpoch = s.d.HasArg("recovering"), s.arg("own", 0)
	stopping := s.ids("stopping")
	for _, b := range role.Replicas {
		epoch := s.arg(fmt.Sprintf("epoch-%d", b), int64(b)*10)
		role.BrokerEpochs = append(role.BrokerEpochs, epoch)
		role.Addable = append(role.Addable, epoch >= 0 && !slices.Contains(stopping, b))
	}
}

// between runs the commands that other brokers and the controller have a part in.
func (s *script) between() string {
	text := ""
	switch s.d.Cmd {
	case "follower-fetch":
		p := s.position()
		a := s.r.FollowerFetch(s.now, p, Fetch{Offset: p.LEO, LastFetchedEpoch: p.LastEpoch, CurrentLeaderEpoch: p.LeaderEpoch, MaxBytes: 1 << 20, AtLeastOne: true}, &s.ready)
		text = formatAnswer(&a) + "\n"
	case "report":
		s.r.DurableReport(s.now, s.position(), &s.ready)
	case "proposal-done":
		d := ProposalResult{
			Attempt: uint64(s.arg("attempt", 1)), Unanswered: s.d.HasArg("unanswered"), PartitionEpoch: int32(s.arg("pepoch", 0)),
		}
		if s.d.HasArg("refused") {
			d.Code = kafka.ErrInvalidUpdateVersion
		}
		s.r.ProposalDone(s.now, d, &s.ready)
	case "ask":
		ask, ok := s.r.NextAsk()
		p, tells := s.r.Report()
		if !ok {
			text = fmt.Sprintf("nothing to ask for; tells %t\n", tells)
			break
		}
		text = fmt.Sprintf("ask %d epoch %d: offset %d last epoch %d durable %d of epoch %d log start %d hw %d\n",
			ask.Leader, ask.LeaderEpoch, ask.Offset, ask.LastEpoch, p.Durable, p.DurableEpoch, ask.LogStart, ask.HighWatermark)
	case "fetched":
		s.fetched()
	case "truncated":
		s.truncated()
	case "followers":
		for _, f := range s.r.Followers() {
			text += fmt.Sprintf("%d: leo %d durable %d log start %d in isr %t\n", f.Broker, f.LEO, f.Durable, f.LogStart, f.InISR)
		}
	}
	return text + s.take()
}

// position is what a follower says of itself: leo in epoch last, all of it
// durable unless durable says less.
func (s *script) position() Position {
	from := int32(s.arg("from", 2))
	leo, last := s.arg("leo", 0), int32(s.arg("last", 1))
	return Position{
		Broker: from, BrokerEpoch: s.arg("broker-epoch", int64(from)*10), LeaderEpoch: int32(s.arg("epoch", 2)), LEO: leo, LastEpoch: last,
		Durable: s.arg("durable", leo), DurableEpoch: int32(s.arg("durable-epoch", int64(last))), LogStart: s.arg("log-start", 0),
	}
}

// fetched answers what the replica asks for, unless leo, epoch or life say
// that it was asked for at another time.
func (s *script) fetched() {
	ask, _ := s.r.NextAsk()
	ask.Leader, ask.LeaderEpoch = int32(s.arg("leader", int64(ask.Leader))), int32(s.arg("epoch", int64(ask.LeaderEpoch)))
	ask.Offset, ask.LastEpoch = s.arg("leo", ask.Offset), int32(s.arg("last", int64(ask.LastEpoch)))
	ask.Incarnation = uint64(s.arg("life", int64(ask.Incarnation)))
	a := Answer{Ask: ask, HighWatermark: s.arg("hw", 0), LogStart: s.arg("log-start", 0), Diverging: EpochEnd{Epoch: NoEpoch, Offset: -1}}
	if s.d.HasArg("diverging") {
		a.Diverging.Epoch, a.Diverging.Offset = int32(s.arg("diverging", 0)), s.arg("end", 0)
	}
	if s.d.HasArg("out-of-range") {
		a.Code = kafka.ErrOffsetOutOfRange
	}
	if s.d.HasArg("fenced") {
		a.Code = kafka.ErrFencedLeaderEpoch
	}
	n, epochs := s.arg("n", 0), s.ids("epochs")
	for i := range n {
		b := seglog.Batch{BaseOffset: s.arg("base", ask.Offset) + i, LeaderEpoch: ask.LeaderEpoch, Size: 100, ProducerID: -1, BaseSequence: -1}
		if int(i) < len(epochs) {
			b.LeaderEpoch = epochs[i]
		}
		a.Batches = append(a.Batches, b)
	}
	a.Data = buffer.Own(make([]byte, 100*n))
	s.r.Fetched(s.now, a, &s.ready)
}

// truncated answers a truncation, or with anew a beginning anew.
func (s *script) truncated() {
	d := seglog.Done{Kind: seglog.Truncated, UpTo: s.arg("to", 0)}
	if !s.d.HasArg("anew") {
		last := s.r.log.Segments()[len(s.r.log.Segments())-1]
		last.Size = (d.UpTo - last.Base) * 100
		d.Last = &last
	}
	s.r.Done(s.now, d, &s.ready)
}

func formatAnswer(a *FetchAnswer) string {
	if a.Code != kafka.ErrNone {
		return fmt.Sprintf("%s log start %d", a.Code.Name(), a.LogStart)
	}
	text := fmt.Sprintf("hw %d log start %d", a.HighWatermark, a.LogStart)
	if a.Diverging.Epoch >= 0 {
		text += fmt.Sprintf(" diverging: epoch %d ends at %d", a.Diverging.Epoch, a.Diverging.Offset)
	}
	if a.Available > 0 {
		text += fmt.Sprintf(" read %d to %d", a.Plan.From, a.Plan.UpTo)
	}
	return text
}
