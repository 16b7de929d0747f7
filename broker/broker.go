package broker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/moldau/moldau/broker/api"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/fetcher"
	"github.com/moldau/moldau/broker/identity"
	"github.com/moldau/moldau/broker/metaimage/published"
	"github.com/moldau/moldau/broker/quorum"
	"github.com/moldau/moldau/broker/seglog/logdir"
	"github.com/moldau/moldau/broker/server"
	"github.com/moldau/moldau/broker/shard"
	"github.com/moldau/moldau/broker/uplink"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/internal/life"
	"github.com/moldau/moldau/net/memnet"
	"github.com/moldau/moldau/net/transport"
)

// Config is what a Broker is made from. All fields are required but Tuning and OpenFiles.
type Config struct {
	Settings *config.Broker
	FS       vfs.FS
	Network  transport.Network
	Clock    clock.Clock
	Entropy  clock.Entropy
	Events   event.Sink
	// OpenFiles is how many files the process may have open, connections among
	// them; 0 if it is not known.
	OpenFiles int
	// Shards is the number of loops where moldau.shards does not say it, at
	// least 1: the number of processors in production.
	Shards int
	// Tuning may be zero.
	Tuning Tuning
}

// Broker is one node. Make it with New, run it with Run.
type Broker struct {
	cfg      Config
	identity identity.Identity
	internal *memnet.Network // between this node's own broker and controller
	budget   *server.Budget

	offline    lostDirs
	lock       []interface{ Close() error }
	dirs       []*logdir.Dir
	holder     *published.Holder
	quorum     *quorum.Quorum
	controller *server.Server
	door       *door // of the controller listener
	uplink     *uplink.Uplink
	fetcher    *fetcher.Fetcher
	manager    *shard.Manager
	handler    *api.Handler
	server     *server.Server

	clientListens     []boundListener
	controllerListens []boundListener

	isrShrinks, isrExpands atomic.Uint64 // of partitions led here

	placements *placements // new replicas' directories on their way to the controller

	applied broadcast // wakes who waits for the manager to follow

	ready    chan struct{}
	failed   chan error
	stop     chan struct{}
	stopOnce sync.Once
	life     *life.Life
	wg       sync.WaitGroup

	mu     sync.Mutex
	giveUp context.CancelFunc // of the start's waits
}

type boundListener struct {
	config.Listener
	ln transport.Listener
}

// New checks cfg and returns a Broker that holds nothing yet.
func New(cfg Config) (*Broker, error) {
	switch {
	case cfg.Settings == nil, cfg.FS == nil, cfg.Network == nil, cfg.Clock == nil, cfg.Entropy == nil, cfg.Events == nil:
		return nil, errors.New("broker config: settings, file system, network, clock, entropy and events are required")
	case cfg.Settings.Shards == 0 && cfg.Shards < 1:
		return nil, errors.New("broker config: no number of shards")
	}
	switch class := cfg.Settings.ReplicaSelector; class {
	case "", config.RackAwareSelector, config.LeaderSelector:
	default:
		return nil, fmt.Errorf("replica.selector.class %s is not served: want %s or %s", class, config.RackAwareSelector, config.LeaderSelector)
	}
	l := life.New()
	b := &Broker{
		cfg: cfg, internal: memnet.NewUntil(cfg.Clock, l.Over()), life: l,
		door: &door{events: cfg.Events}, ready: make(chan struct{}), failed: make(chan error, 1), stop: make(chan struct{}),
	}
	b.life.OnEnd(b.endStop)
	return b, nil
}

// ErrAbandoned: the node was abandoned.
var ErrAbandoned = errors.New("the node was abandoned")

// Abandon lets go of a node whose process counts as gone: its clock, network
// and disk end every goroutine that calls them (a simulated crash). What waits
// within the node for others ends too; nothing is stopped, saved or answered.
// It does not wait, and calls nothing of the node's surroundings. Run, if it
// returns at all, returns ErrAbandoned.
func (b *Broker) Abandon() { b.life.End() }

// endStop closes stop, once.
func (b *Broker) endStop() { b.stopOnce.Do(func() { close(b.stop) }) }

// Run starts the node and serves until ctx ends, then stops it cleanly. The
// error says why it could not start, could not go on, or did not stop cleanly.
func (b *Broker) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer b.life.OnEnd(cancel)()
	defer cancel()
	started, giveUp := context.WithCancel(ctx) // ends, too, what waits in a start that has failed
	defer giveUp()
	b.setGiveUp(giveUp)
	if err := b.start(started); err != nil {
		err = b.startFailure(err)
		if b.life.Ended() {
			return ErrAbandoned
		}
		if ctx.Err() != nil { // asked to stop before it served: no failure
			err = nil
		}
		return errors.Join(err, b.close(false))
	}
	close(b.ready)
	select {
	case <-b.life.Over():
		return ErrAbandoned
	case <-ctx.Done():
		return b.close(true)
	case err := <-b.failed:
		return errors.Join(err, b.close(false))
	}
}

// startFailure is why a start failed: what fail was told, if it was told anything.
func (b *Broker) startFailure(err error) error {
	select {
	case cause := <-b.failed:
		return errors.Join(cause, err)
	default:
		return err
	}
}

func (b *Broker) setGiveUp(giveUp context.CancelFunc) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.giveUp = giveUp
}

// Ready is closed when the node serves.
func (b *Broker) Ready() <-chan struct{} { return b.ready }

// Addr is the address of the first clients' listener, with the real port;
// empty for a node that is no broker. It is known once Ready is closed.
func (b *Broker) Addr() string {
	if len(b.clientListens) == 0 {
		return ""
	}
	return b.clientListens[0].ln.Addr()
}

// Addrs are the addresses of all listeners by name, once Ready is closed.
func (b *Broker) Addrs() map[string]string {
	out := make(map[string]string)
	for _, l := range append(b.clientListens[:len(b.clientListens):len(b.clientListens)], b.controllerListens...) {
		out[l.Name] = l.ln.Addr()
	}
	return out
}

// ControllerAddr is the address of the controller listener; empty for a node
// that is no controller.
func (b *Broker) ControllerAddr() string {
	if len(b.controllerListens) == 0 {
		return ""
	}
	return b.controllerListens[0].ln.Addr()
}

// Identity is who the node is, once Ready is closed.
func (b *Broker) Identity() identity.Identity { return b.identity }

// fail ends Run with err; the first one counts. It never waits.
func (b *Broker) fail(err error) {
	select {
	case b.failed <- err:
	default:
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.giveUp != nil {
		b.giveUp()
	}
}
