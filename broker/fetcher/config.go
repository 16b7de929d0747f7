package fetcher

import (
	"errors"
	"time"

	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/internal/life"
	"github.com/moldau/moldau/net/transport"
)

// Bounds, and times without a name in Kafka.
const (
	// stragglerWait is how long the next fetch waits for replicas whose answer
	// is not written yet, once others are ready.
	stragglerWait = 2 * time.Millisecond
	// fetchesMax are the requests of a peer that are not answered: one that is
	// parked, and one that it gives way to.
	fetchesMax = 2
	// backoffMin is the first pause after a failure; it doubles.
	backoffMin = 5 * time.Millisecond
	// dialTimeout bounds the opening of a connection.
	dialTimeout = time.Second
	// answerSlackBytes is what an answer may hold beyond the bytes asked for: one
	// batch that exceeds them, and what is not records.
	answerSlackBytes = 128 << 20
	// pinnedBytesMax bounds the memory of a peer's answers that are not written
	// yet; beyond it nothing more is fetched.
	pinnedBytesMax = 64 << 20
	// pooledBytesMin is the least size of an answer whose memory is used again,
	// pooledMax how much of that is kept.
	pooledBytesMin = 64 << 10
	pooledMax      = 2
	// readChunkBytes are read before the time limit begins anew.
	readChunkBytes = 256 << 10
	// batchesMax bounds the batches of one answer for one replica.
	batchesMax = 4096
	clientID   = "moldau-follower"
)

// Config of a Fetcher; all fields must be set but Life.
type Config struct {
	NodeID  int32
	Clock   clock.Clock
	Network transport.Network
	Entropy clock.Entropy // for jitter
	Events  event.Sink
	// Listener is the name of the listener between brokers.
	Listener string
	// BrokerEpoch is the epoch under which this broker is registered, -1 for none.
	BrokerEpoch func() int64
	// WaitMax is replica.fetch.wait.max.ms.
	WaitMax time.Duration
	// MinBytes is replica.fetch.min.bytes.
	MinBytes int32
	// PartitionBytes is replica.fetch.max.bytes, AnswerBytes replica.fetch.response.max.bytes.
	PartitionBytes, AnswerBytes int32
	// BackoffMax is replica.fetch.backoff.ms.
	BackoffMax time.Duration
	// Timeout is replica.socket.timeout.ms.
	Timeout time.Duration
	// Life ends what waits when the node is gone; nil never ends.
	Life *life.Life
}

func (c *Config) validate() error {
	switch {
	case c.Clock == nil, c.Network == nil, c.Entropy == nil, c.Events == nil, c.BrokerEpoch == nil:
		return errors.New("fetcher config: clock, network, entropy, events and broker epoch are required")
	case c.Listener == "" || c.Timeout <= 0:
		return errors.New("fetcher config: the listener between brokers and a time limit are required")
	}
	return nil
}
