package api

import (
	"sync"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/shard"
)

// followers knows by which connection each broker fetches as a follower. A broker
// has one connection at a time, so a second one means that the first has broken,
// perhaps without this node having heard of it. What still comes by the first was
// sent before: it would take back what the follower said since, and have the shards
// tell a connection that nobody reads of what moves.
//
// Requests of a connection that broke may arrive after those of its successor, too.
// The later arrival wins nevertheless: the connection that it ends is one that the
// follower makes anew at once, and then nothing of the older one can be left.
type followers struct {
	mu       sync.Mutex
	byBroker map[int32]followed
}

// followed is a broker's connection, and the incarnation that it fetches for.
type followed struct {
	conn  *followerConn
	epoch int64
}

func newFollowers() *followers { return &followers{byBroker: make(map[int32]followed)} }

// claim makes c the connection of a broker in an incarnation, and begins its fetch
// session anew. The connection of before ends, and the shards heed nothing of it any
// more. INVALID_REQUEST: c is another broker's; STALE_BROKER_EPOCH: a later
// incarnation of the broker fetches by another connection.
func (f *followers) claim(c *followerConn, broker int32, epoch int64) kafka.ErrorCode {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.claimed && c.broker != broker {
		return kafka.ErrInvalidRequest
	}
	if old, ok := f.byBroker[broker]; ok && old.conn != c {
		if old.epoch > epoch {
			return kafka.ErrStaleBrokerEpoch
		}
		old.conn.session.wait.Load().End()
		old.conn.conn.Close()
	}
	c.session.wait.Load().End()
	c.session.wait.Store(shard.NewFollowerSession())
	c.claimed, c.broker = true, broker
	f.byBroker[broker] = followed{conn: c, epoch: epoch}
	return kafka.ErrNone
}

// leave forgets a connection that has ended.
func (f *followers) leave(c *followerConn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.claimed && f.byBroker[c.broker].conn == c {
		delete(f.byBroker, c.broker)
	}
}
