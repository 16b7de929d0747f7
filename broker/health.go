package broker

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/moldau/moldau/clock"
)

// stuckAfter: a shard that has not gone round for so long will not do so any
// more. It goes round every 100 ms even if there is nothing to do.
const stuckAfter = 30 * time.Second

// lostDirs remembers which log directories are offline, since when and why.
type lostDirs struct {
	mu   sync.Mutex
	list []lostDir
}

type lostDir struct {
	path  string
	since clock.Mono
	err   error
}

// lost remembers a directory and reports it.
func (b *Broker) lost(path string, err error) {
	now := b.cfg.Clock.Mono()
	b.offline.mu.Lock()
	b.offline.list = append(b.offline.list, lostDir{path, now, err})
	slices.SortFunc(b.offline.list, func(x, y lostDir) int { return cmp.Compare(x.path, y.path) })
	b.offline.mu.Unlock()
	b.cfg.Events.Emit(DirectoryOffline{Path: path, Err: err})
}

// running is nil while the node serves.
func (b *Broker) running() error {
	select {
	case <-b.ready:
	default:
		return errors.New("starting")
	}
	select {
	case <-b.stop:
		return errors.New("stopping")
	default:
		return nil
	}
}

// Live says why the process should be ended and started anew, nil if that
// would not help: only a shard that stands still is mended by it. It is nil
// while the node starts or stops, which may take long.
func (b *Broker) Live() error {
	if b.running() != nil {
		return nil
	}
	now := b.cfg.Clock.Mono()
	if shard, at := b.manager.Slowest(); now.Sub(at) > stuckAfter {
		return fmt.Errorf("shard %d stands still since %s", shard, b.since(now, at))
	}
	return nil
}

// Healthy says why the node should get no clients, nil if it should.
func (b *Broker) Healthy() error {
	if err := b.running(); err != nil {
		return err
	}
	if err := b.Live(); err != nil {
		return err
	}
	now := b.cfg.Clock.Mono()
	if contact := b.uplink.Contact(); contact.Fenced {
		return fmt.Errorf("fenced since %s", b.since(now, contact.FencedSince))
	}
	for _, d := range b.dirs {
		if d.Err() == nil {
			return nil
		}
	}
	return fmt.Errorf("all %d log directories are offline", len(b.dirs))
}

// Troubles are what an operator should look at, each with the time since
// when it lasts, whether or not clients are served meanwhile.
func (b *Broker) Troubles() (troubles []string) {
	if b.running() != nil {
		return nil
	}
	now := b.cfg.Clock.Mono()
	tell := func(since clock.Mono, format string, args ...any) {
		troubles = append(troubles, fmt.Sprintf(format, args...)+" since "+b.since(now, since))
	}
	b.offline.mu.Lock()
	for _, d := range b.offline.list {
		tell(d.since, "log directory %s is offline (%v)", d.path, d.err)
	}
	b.offline.mu.Unlock()
	for _, d := range b.dirs {
		if ms := time.Duration(d.Stats().OldestSyncMs) * time.Millisecond; d.Err() == nil && ms > b.cfg.Settings.DiskStall {
			tell(now.Add(-ms), "log directory %s has not finished a sync", d.Path())
		}
	}
	contact := b.uplink.Contact()
	if now.Sub(contact.Answered) > b.cfg.Settings.BrokerSession {
		tell(contact.Answered, "no controller answers")
	}
	if contact.Fenced {
		tell(contact.FencedSince, "fenced")
	}
	if shard, at := b.manager.Slowest(); now.Sub(at) > stuckAfter {
		tell(at, "shard %d stands still", shard)
	}
	return troubles
}

// since is the time of at on the wall's clock.
func (b *Broker) since(now, at clock.Mono) string {
	return time.UnixMilli(b.cfg.Clock.Wall() - now.Sub(at).Milliseconds()).UTC().Format(time.RFC3339)
}
