package workload

import (
	"cmp"
	"slices"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/linearizability/history"
)

const (
	protocolType = "consumer"
	protocolName = "roundrobin"
)

// subscription is what a member says when it joins.
func subscription(topics []*Topic) []byte {
	var m kmsg.ConsumerMemberMetadata
	for _, t := range topics {
		m.Topics = append(m.Topics, t.Spec.Name)
	}
	slices.Sort(m.Topics)
	return m.AppendTo(nil)
}

// plan deals the partitions of the members' topics out, one after another, and
// returns the assignment of each member.
func plan(members []kmsg.JoinGroupResponseMember, topics []*Topic) ([]kmsg.SyncGroupRequestGroupAssignment, error) {
	type candidate struct {
		id     string
		topics []string
		given  kmsg.ConsumerMemberAssignment
	}
	all := make([]candidate, 0, len(members))
	for i := range members {
		var m kmsg.ConsumerMemberMetadata
		if err := m.ReadFrom(members[i].ProtocolMetadata); err != nil {
			return nil, err
		}
		all = append(all, candidate{id: members[i].MemberID, topics: m.Topics})
	}
	slices.SortFunc(all, func(a, b candidate) int { return cmp.Compare(a.id, b.id) })
	turn := 0
	for _, t := range topics {
		for number := range t.Partitions() {
			for range all {
				to := &all[turn%len(all)]
				turn++
				if slices.Contains(to.topics, t.Spec.Name) {
					give(&to.given, t.Spec.Name, number)
					break
				}
			}
		}
	}
	out := make([]kmsg.SyncGroupRequestGroupAssignment, 0, len(all))
	for i := range all {
		one := kmsg.NewSyncGroupRequestGroupAssignment()
		one.MemberID, one.MemberAssignment = all[i].id, all[i].given.AppendTo(nil)
		out = append(out, one)
	}
	return out, nil
}

func give(to *kmsg.ConsumerMemberAssignment, topic string, number int32) {
	if n := len(to.Topics); n > 0 && to.Topics[n-1].Topic == topic {
		to.Topics[n-1].Partitions = append(to.Topics[n-1].Partitions, number)
		return
	}
	to.Topics = append(to.Topics, kmsg.ConsumerMemberAssignmentTopic{Topic: topic, Partitions: []int32{number}})
}

// assigned reads an assignment.
func assigned(raw []byte, topics []*Topic) (spots []*spot, err error) {
	if len(raw) == 0 {
		return nil, nil
	}
	var a kmsg.ConsumerMemberAssignment
	if err := a.ReadFrom(raw); err != nil {
		return nil, err
	}
	for _, t := range topics {
		for i := range a.Topics {
			if a.Topics[i].Topic != t.Spec.Name {
				continue
			}
			for _, number := range a.Topics[i].Partitions {
				t.learn(number + 1)
				spots = append(spots, &spot{topic: t, number: number, position: history.Unknown})
			}
		}
	}
	return spots, nil
}
