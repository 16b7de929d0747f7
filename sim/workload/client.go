package workload

import (
	"fmt"
	"time"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/clock"
)

const (
	dialLimit    = 3 * time.Second        // of one attempt to connect
	backoffFirst = 30 * time.Millisecond  // after a failure; doubled each time
	backoffMax   = 800 * time.Millisecond // between attempts
	refreshEvery = 100 * time.Millisecond // at most, while leaders are missing
	nobody       = int32(-1)              // no broker in particular
)

// client knows the cluster as one actor does. It is for one goroutine.
type client struct {
	env      *Env
	limit    time.Duration // of a call
	links    []*link       // at most one per node
	brokers  []kafkaBroker
	leaders  map[part]leader
	stale    bool       // what is known of leaders is to be asked for again
	asked    clock.Mono // when it was last asked for; 0 never
	failures int        // since the last call that was answered
	hasty    bool       // it waits for the least time after each failure
	versions versions
}

// kafkaBroker is a broker's address.
type kafkaBroker struct {
	node int32
	addr string
}

// part names a partition.
type part struct {
	topic  [16]byte
	number int32
}

// leader is who leads a partition, in which epoch.
type leader struct {
	node  int32
	epoch int32
}

// versions are those of requests that a client sends, drawn for each: all that
// brokers serve are used in a run.
type versions struct {
	produce, fetch, listOffsets, commit, offsetFetch int16
}

// The ranges that are drawn from: with leader epochs, and with what the actors
// need in the answers. From the versions with ids on topics go by ids.
const (
	produceMin, produceMax         = 8, 13
	fetchMin, fetchMax             = 11, 17
	listOffsetsMin, listOffsetsMax = 7, 10
	commitMin, commitMax           = 7, 10
	offsetFetchMin, offsetFetchMax = 8, 10
	produceByID, fetchByID         = 13, 13
	commitByID, offsetFetchByID    = 10, 10
)

func newClient(env *Env, limit time.Duration) *client {
	draw := func(low, high int) int16 { return int16(low + env.Rand.IntN(high-low+1)) }
	return &client{
		env: env, limit: limit, leaders: map[part]leader{}, stale: true,
		versions: versions{
			produce: draw(produceMin, produceMax), fetch: draw(fetchMin, fetchMax), listOffsets: draw(listOffsetsMin, listOffsetsMax),
			commit: draw(commitMin, commitMax), offsetFetch: draw(offsetFetchMin, offsetFetchMax),
		},
	}
}

// close ends all connections.
func (c *client) close() {
	for _, l := range c.links {
		l.close(errGivenUp)
	}
	c.links = nil
}

// link returns the connection to a node, nobody for any that is known. It makes
// it if there is none, once: after a failure it waits a little, so that callers
// may just try again, and returns nil.
func (c *client) link(node int32) *link {
	asked := node
	for i, l := range c.links {
		if l.node != node && node != nobody {
			continue
		}
		if !l.isDead() {
			return l
		}
		l.close(errGivenUp)
		c.links = append(c.links[:i], c.links[i+1:]...)
		c.stale = true
		break
	}
	node, addr := c.address(node)
	if asked != node {
		c.stale = true // it may be named again
		return c.link(nobody)
	}
	conn, err := c.env.Network.Dial(addr, min(dialLimit, c.limit), c.env.Stop)
	if err != nil {
		c.failed(fmt.Errorf("connect to %s: %w", addr, err))
		return nil
	}
	l := newLink(c.env, node, addr, conn)
	c.links = append(c.links, l)
	return l
}

// address is where to connect for a node: itself where it is known, else
// somewhere that can tell.
func (c *client) address(node int32) (int32, string) {
	for _, b := range c.brokers {
		if b.node == node {
			return node, b.addr
		}
	}
	return nobody, c.env.Bootstrap[c.env.Rand.IntN(len(c.env.Bootstrap))]
}

// failed waits after a failure, longer each time.
func (c *client) failed(err error) {
	wait := min(backoffMax, backoffFirst<<min(c.failures, 8))
	if c.hasty {
		wait = backoffFirst
	}
	if c.failures == 0 {
		c.env.trace(err.Error())
	}
	c.failures++
	c.stale = true
	c.pause(wait/2 + time.Duration(c.env.Rand.Int64N(int64(wait))))
}

// answered notes that the cluster is there.
func (c *client) answered() { c.failures = 0 }

// pause waits, not beyond the stop.
func (c *client) pause(d time.Duration) { c.env.Clock.Sleep(d, c.env.Stop) }

// moved reports whether a code means that leaders, or what a client knows of
// them, have changed, and has them asked for again.
func (c *client) moved(code int16) bool {
	switch kafka.ErrorCode(code) {
	case kafka.ErrUnknownTopicOrPartition, kafka.ErrLeaderNotAvailable, kafka.ErrNotLeaderOrFollower,
		kafka.ErrFencedLeaderEpoch, kafka.ErrUnknownLeaderEpoch, kafka.ErrUnknownTopicID,
		kafka.ErrInconsistentTopicID, kafka.ErrKafkaStorageError, kafka.ErrReplicaNotAvailable:
		c.stale = true
		return true
	}
	return false
}
