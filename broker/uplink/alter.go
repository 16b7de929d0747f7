package uplink

import (
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
	"github.com/moldau/moldau/broker/replica"
)

const (
	alterVersion = 3
	// alterationsLen is where the inbox would begin to wait; proposals are
	// offered past it, one at a time for each replica.
	alterationsLen = 1 << 10
	// alterPartitionsMax bounds the partitions of one request.
	alterPartitionsMax = 10_000
)

// Alteration is a proposal of a partition's leader, and whom to tell what came
// of it, once. ProposalDone must not wait.
type Alteration struct {
	replica.Proposal
	Done interface {
		ProposalDone(replica.ProposalResult)
	}
}

// Alter sends proposals to the active controller. It does not wait. One that
// is not answered in time, or whose connection broke, is told as Unanswered;
// the replica decides what follows.
func (u *Uplink) Alter(list []Alteration) {
	for i := range list {
		u.alterations.Offer(list[i])
	}
}

// alter sends what is proposed: everything that waits, in one request.
func (u *Uplink) alter() {
	var l *link
	defer func() { u.hangUp(l) }()
	var turn []Alteration
	for {
		list, open := u.alterations.Take(turn)
		turn = list
		switch {
		case !open:
			return
		case len(list) == 0:
			select {
			case <-u.alterations.Wake():
			case <-u.stop:
				return
			}
			continue
		}
		for len(list) > 0 {
			n := together(list)
			u.alterSome(&l, list[:n])
			list = list[n:]
		}
	}
}

// together is how many of the first proposals may go in one request, which must
// name no partition twice.
func together(list []Alteration) int {
	seen := make(map[kafka.TopicPartition]bool, len(list))
	for i := range list {
		if seen[list[i].ID] || i == alterPartitionsMax {
			return i
		}
		seen[list[i].ID] = true
	}
	return len(list)
}

// alterSome sends one request and tells its results.
func (u *Uplink) alterSome(l **link, list []Alteration) {
	epoch := u.BrokerEpoch()
	if epoch < 0 {
		u.tellAll(list, replica.ProposalResult{Code: kafka.ErrStaleBrokerEpoch})
		return
	}
	next, resp, err := u.ask(*l, alterRequest(u.cfg.NodeID, epoch, list), requestTimeout)
	*l = next
	r, ok := resp.(*kmsg.AlterPartitionResponse)
	if err == nil && !ok {
		err = fmt.Errorf("alter partitions: answer of type %T", resp)
	}
	switch {
	case errors.Is(err, errNotController), errors.Is(err, errNotSent):
		u.tellAll(list, replica.ProposalResult{Code: kafka.ErrNotController})
	case err != nil:
		u.cfg.Events.Emit(Retrying{Request: "AlterPartition", Reason: err.Error()})
		u.tellAll(list, replica.ProposalResult{Unanswered: true})
	case r.ErrorCode != 0:
		u.tellAll(list, replica.ProposalResult{Code: kafka.ErrorCode(r.ErrorCode)})
	default:
		u.tellEach(list, r)
	}
}

// RefusedAlterations are the proposals that were refused or not answered.
func (u *Uplink) RefusedAlterations() uint64 { return u.refused.Load() }

// tell gives one proposal its result.
func (u *Uplink) tell(a *Alteration, d replica.ProposalResult) {
	if d.Unanswered || d.Code != kafka.ErrNone {
		u.refused.Add(1)
	}
	d.Attempt = a.Attempt
	a.Done.ProposalDone(d)
}

// tellAll gives the same result to all proposals.
func (u *Uplink) tellAll(list []Alteration, d replica.ProposalResult) {
	for i := range list {
		u.tell(&list[i], d)
	}
}

// tellEach gives each proposal its own result. One that the answer leaves out
// was not answered.
func (u *Uplink) tellEach(list []Alteration, r *kmsg.AlterPartitionResponse) {
	found := make(map[kafka.TopicPartition]replica.ProposalResult, len(list))
	for i := range r.Topics {
		for j := range r.Topics[i].Partitions {
			p := &r.Topics[i].Partitions[j]
			found[kafka.TopicPartition{Topic: r.Topics[i].TopidID, Partition: p.Partition}] = replica.ProposalResult{
				Code: kafka.ErrorCode(p.ErrorCode), PartitionEpoch: p.PartitionEpoch,
			}
		}
	}
	for i := range list {
		d, answered := found[list[i].ID]
		d.Unanswered = !answered
		u.tell(&list[i], d)
	}
}

// alterRequest encodes the proposals, of which each partition has one at most.
func alterRequest(node int32, epoch int64, list []Alteration) *kmsg.AlterPartitionRequest {
	req := kmsg.NewPtrAlterPartitionRequest()
	req.SetVersion(alterVersion)
	req.BrokerID, req.BrokerEpoch = node, epoch
	topics := make(map[kafka.UUID]int)
	for i := range list {
		a := &list[i]
		at, known := topics[a.ID.Topic]
		if !known {
			at = len(req.Topics)
			topics[a.ID.Topic] = at
			t := kmsg.NewAlterPartitionRequestTopic()
			t.TopicID = a.ID.Topic
			req.Topics = append(req.Topics, t)
		}
		p := kmsg.NewAlterPartitionRequestTopicPartition()
		p.Partition, p.LeaderEpoch, p.PartitionEpoch = a.ID.Partition, a.LeaderEpoch, a.PartitionEpoch
		p.LeaderRecoveryState = metaimage.Recovering
		if a.Recovered {
			p.LeaderRecoveryState = metaimage.Recovered
		}
		for _, m := range a.ISR {
			member := kmsg.NewAlterPartitionRequestTopicPartitionNewEpochISR()
			member.BrokerID, member.BrokerEpoch = m.Broker, m.Epoch
			for _, whole := range a.Whole {
				if whole == m.Broker {
					metarecord.SetUndoubt(&member)
				}
			}
			p.NewEpochISR = append(p.NewEpochISR, member)
		}
		req.Topics[at].Partitions = append(req.Topics[at].Partitions, p)
	}
	return req
}
