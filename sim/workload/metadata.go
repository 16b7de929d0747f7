package workload

import (
	"net/netip"
	"strconv"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/linearizability/history"
)

const metadataVersion = 12 // topics by id

// refresh asks for the leaders of topics if what is known of them is stale, and
// it was not asked for just now. It reports whether some answer has ever come.
func (c *client) refresh(topics []*Topic) bool {
	now := c.env.Clock.Mono()
	if !c.stale || (c.asked != 0 && now.Sub(c.asked) < refreshEvery) {
		return len(c.brokers) > 0
	}
	l := c.link(nobody)
	if l == nil {
		return false
	}
	req := kmsg.NewPtrMetadataRequest()
	req.Version = metadataVersion
	for _, t := range topics {
		one := kmsg.NewMetadataRequestTopic()
		one.TopicID = t.ID
		req.Topics = append(req.Topics, one)
	}
	c.asked = max(now, 1)
	call := l.ask(req, c.limit) // of no history: it would pass for progress
	if call.err != nil {
		c.failed(call.err)
		return false
	}
	c.answered()
	c.learn(call.resp.(*kmsg.MetadataResponse), topics)
	return len(c.brokers) > 0
}

// learn takes what a metadata answer says.
func (c *client) learn(resp *kmsg.MetadataResponse, topics []*Topic) {
	c.stale = len(resp.Brokers) == 0
	c.brokers = c.brokers[:0]
	for i := range resp.Brokers {
		b := &resp.Brokers[i]
		c.brokers = append(c.brokers, kafkaBroker{b.NodeID, address(b.Host, b.Port)})
	}
	for _, l := range c.links {
		if l.node == nobody {
			l.node = c.nodeAt(l.addr)
		}
	}
	for i := range resp.Topics {
		answer := &resp.Topics[i]
		topic := find(topics, answer.TopicID)
		if topic == nil || answer.ErrorCode != 0 {
			c.stale = c.stale || (topic != nil && !topic.Gone())
			continue
		}
		for j := range answer.Partitions {
			p := &answer.Partitions[j]
			key := part{topic.ID, p.Partition}
			if p.Leader < 0 {
				delete(c.leaders, key)
				c.stale = true
				continue
			}
			c.leaders[key] = leader{p.Leader, p.LeaderEpoch}
		}
		topic.learn(int32(len(answer.Partitions)))
	}
}

// nodeAt is the broker with an address, nobody if none is known.
func (c *client) nodeAt(addr string) int32 {
	for _, b := range c.brokers {
		if b.addr == addr {
			return b.node
		}
	}
	return nobody
}

func find(topics []*Topic, id [16]byte) *Topic {
	for _, t := range topics {
		if t.ID == id {
			return t
		}
	}
	return nil
}

// address joins host and port as the seam of the network wants it.
func address(host string, port int32) string {
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		host = "[" + host + "]"
	}
	return host + ":" + strconv.Itoa(int(port))
}

// lead returns the leader of a partition and a connection to it, nil if either
// is not there at the moment.
func (c *client) lead(topic *Topic, partition int32) (leader, *link) {
	known, ok := c.leaders[part{topic.ID, partition}]
	if !ok {
		c.stale = true
		return leader{nobody, history.Unknown}, nil
	}
	return known, c.link(known.node)
}
