package group

import "encoding/binary"

// subscribedTopics reads the topics from the members' subscriptions, nil when
// the group is none of consumers or a subscription cannot be read.
func (g *group) subscribedTopics() map[string]struct{} {
	if g.protocolType != consumerProtocolType {
		return nil
	}
	topics := make(map[string]struct{})
	if len(g.members) == 0 {
		return topics
	}
	if g.protocol == nil {
		return nil
	}
	for _, mb := range g.members {
		if !subscriptionTopics(mb.metadata(*g.protocol), topics) {
			return nil
		}
	}
	return topics
}

// subscriptionTopics adds the topics of one subscription of the consumer
// protocol. Every version begins with those fields: version int16, topics as
// an array of strings.
func subscriptionTopics(b []byte, into map[string]struct{}) bool {
	if len(b) < 6 {
		return false
	}
	if version := int16(binary.BigEndian.Uint16(b)); version < 0 {
		return false
	}
	n := int32(binary.BigEndian.Uint32(b[2:]))
	b = b[6:]
	if n < 0 || int(n) > len(b)/2 {
		return false
	}
	for range n {
		if len(b) < 2 {
			return false
		}
		size := int(int16(binary.BigEndian.Uint16(b)))
		if size < 0 || size > len(b)-2 {
			return false
		}
		into[string(b[2:2+size])] = struct{}{}
		b = b[2+size:]
	}
	return true
}
