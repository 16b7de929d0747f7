package group

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/coord"
	"github.com/moldau/moldau/broker/kafka"
)

// Replay applies one record of the log. Records of the newer group protocols
// (types from 3 on) are counted and skipped. A record that cannot be read is
// counted, and an error; the state is as before it.
func (m *Machine) Replay(rec coord.Record, offset int64) error {
	known, err := m.replay(rec)
	if err != nil {
		m.unreadable++
		return fmt.Errorf("group coordinator record at offset %d: %w", offset, err)
	}
	if !known {
		m.unknown++
	}
	return nil
}

func (m *Machine) replay(rec coord.Record) (known bool, err error) {
	if len(rec.Key) < 2 {
		return false, fmt.Errorf("key: %w", kafka.ErrShort)
	}
	switch key := rec.Key[2:]; int16(binary.BigEndian.Uint16(rec.Key)) {
	case keyOffsetV0, keyOffset:
		return true, m.replayOffset(key, rec.Value)
	case keyGroup:
		return true, m.replayGroup(key, rec.Value)
	}
	return false, nil
}

func (m *Machine) replayOffset(key, value []byte) error {
	k, err := decodeOffsetKey(key)
	if err != nil {
		return err
	}
	g := m.groups[string(k.group)]
	topic, used := m.names.find(k.topic)
	if value == nil {
		if g != nil && used {
			m.removeOffset(g, topic, k.partition)
		}
		return nil
	}
	c, err := decodeOffsetValue(value)
	if err != nil {
		return err
	}
	if g == nil {
		g = m.create(string(k.group), -1)
	}
	if !used {
		topic = string(k.topic)
	}
	m.setOffset(g, topic, k.partition, c)
	return nil
}

func (m *Machine) replayGroup(key, value []byte) error {
	id, err := decodeGroupKey(key)
	if err != nil {
		return err
	}
	if value == nil {
		m.replayGroupTombstone(m.groups[string(id)])
		return nil
	}
	v, err := decodeGroupValue(value)
	if err != nil {
		return err
	}
	if dup := duplicateMember(v.Members); dup != "" {
		return fmt.Errorf("group %q has member or instance %q twice", id, dup)
	}
	old := m.groups[string(id)]
	g := m.create(string(id), v.CurrentStateTimestamp)
	if old != nil {
		m.groupsIn[old.state]--
		g.offsets = old.offsets
	}
	m.loadGroup(g, v)
	return nil
}

// replayGroupTombstone forgets a group. Offsets that are still there keep it
// as the mere holder of them.
func (m *Machine) replayGroupTombstone(g *group) {
	if g == nil {
		return
	}
	offsets := g.offsets
	g.offsets = nil
	m.kill(g)
	if len(offsets) > 0 {
		m.create(g.id, -1).offsets = offsets
	}
}

// loadGroup fills a group that was just made with what its record says.
func (m *Machine) loadGroup(g *group, v *kmsg.GroupMetadataValue) {
	g.generation, g.protocolType, g.protocol = v.Generation, v.ProtocolType, v.Protocol
	if v.Leader != nil {
		g.leader = *v.Leader
	}
	for i := range v.Members {
		from := &v.Members[i]
		mb := &member{
			id: from.MemberID, clientID: from.ClientID, clientHost: from.ClientHost,
			instanceID:     from.InstanceID,
			sessionTimeout: from.SessionTimeoutMillis, rebalanceTimeout: from.RebalanceTimeoutMillis,
			protocols:  []protocol{{*v.Protocol, bytes.Clone(from.Subscription)}},
			assignment: bytes.Clone(from.Assignment),
		}
		if mb.rebalanceTimeout < 0 {
			mb.rebalanceTimeout = mb.sessionTimeout
		}
		mb.session = timer{kind: timerSession, group: g, member: mb.id}
		g.add(mb, v.ProtocolType)
	}
	if g.byID[g.leader] == nil {
		g.leader = ""
		if len(g.members) > 0 {
			g.leader = g.members[0].id
		}
	}
	if len(g.members) > 0 {
		m.groupsIn[Empty]--
		m.groupsIn[Stable]++
		g.state = Stable
	}
	g.subscribed = g.subscribedTopics()
}

// duplicateMember names a member or instance id that comes twice.
func duplicateMember(members []kmsg.GroupMetadataValueMember) string {
	ids, instances := make(map[string]struct{}, len(members)), make(map[string]struct{})
	for i := range members {
		if _, dup := ids[members[i].MemberID]; dup {
			return members[i].MemberID
		}
		ids[members[i].MemberID] = struct{}{}
		if instance := members[i].InstanceID; instance != nil {
			if _, dup := instances[*instance]; dup {
				return *instance
			}
			instances[*instance] = struct{}{}
		}
	}
	return ""
}
