package broker

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/moldau/moldau/broker/uplink"
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

// signs are what the node's health is judged by, at a moment.
type signs struct {
	running error // nil while the node serves
	// bare: the node is a controller alone, of which none of the rest is told.
	bare bool
	now  clock.Mono
	wall int64 // ms
	// shard is the one whose loop went round longest ago, at round.
	shard int
	round clock.Mono
	// contact with the controllers, and the session that they grant.
	contact uplink.Contact
	session time.Duration
	dirs    []dirSigns
	stall   time.Duration // moldau.disk.stall.ms
	lost    []lostDir
}

// dirSigns are those of an open log directory.
type dirSigns struct {
	path string
	err  error         // nil: online
	sync time.Duration // how long its oldest sync takes already
}

// shardSigns looks at the shards alone, and takes no lock: whatever hangs, it answers.
func (b *Broker) shardSigns() signs {
	s := signs{running: b.running(), bare: !b.cfg.Settings.IsBroker, now: b.cfg.Clock.Mono(), wall: b.cfg.Clock.Wall()}
	if s.running == nil && !s.bare {
		s.shard, s.round = b.manager.Slowest()
	}
	return s
}

// signs looks at the node.
func (b *Broker) signs() signs {
	s := b.shardSigns()
	if s.running != nil || s.bare {
		return s
	}
	s.contact, s.session, s.stall = b.uplink.Contact(), b.cfg.Settings.BrokerSession, b.cfg.Settings.DiskStall
	for _, d := range b.dirs {
		s.dirs = append(s.dirs, dirSigns{d.Path(), d.Err(), time.Duration(d.Stats().OldestSyncMs) * time.Millisecond})
	}
	b.offline.mu.Lock()
	s.lost = slices.Clone(b.offline.list)
	b.offline.mu.Unlock()
	return s
}

// Live says why the process should be ended and started anew, nil if that
// would not help: only a shard that stands still is mended by it. It is nil
// while the node starts or stops, which may take long.
func (b *Broker) Live() error { return b.shardSigns().live() }

func (s signs) live() error {
	if s.running == nil && !s.bare && s.now.Sub(s.round) > stuckAfter {
		return fmt.Errorf("shard %d stands still since %s", s.shard, s.since(s.round))
	}
	return nil
}

// Healthy says why the node should get no clients, nil if it should.
func (b *Broker) Healthy() error { return b.signs().healthy() }

func (s signs) healthy() error {
	if s.running != nil || s.bare {
		return s.running
	}
	if err := s.live(); err != nil {
		return err
	}
	if s.contact.Fenced {
		return fmt.Errorf("fenced since %s", s.since(s.contact.FencedSince))
	}
	if !slices.ContainsFunc(s.dirs, func(d dirSigns) bool { return d.err == nil }) {
		return fmt.Errorf("all %d log directories are offline", len(s.dirs))
	}
	return nil
}

// Troubles are what an operator should look at, each with the time since
// when it lasts, whether or not clients are served meanwhile.
func (b *Broker) Troubles() []string { return b.signs().troubles() }

func (s signs) troubles() (troubles []string) {
	if s.running != nil || s.bare {
		return nil
	}
	tell := func(since clock.Mono, format string, args ...any) {
		troubles = append(troubles, fmt.Sprintf(format, args...)+" since "+s.since(since))
	}
	for _, d := range s.lost {
		tell(d.since, "log directory %s is offline (%v)", d.path, d.err)
	}
	for _, d := range s.dirs {
		if d.err == nil && d.sync > s.stall {
			tell(s.now.Add(-d.sync), "log directory %s has not finished a sync", d.path)
		}
	}
	if s.now.Sub(s.contact.Answered) > s.session {
		tell(s.contact.Answered, "no controller answers")
	}
	if s.contact.Fenced {
		tell(s.contact.FencedSince, "fenced")
	}
	if s.now.Sub(s.round) > stuckAfter {
		tell(s.round, "shard %d stands still", s.shard)
	}
	return troubles
}

// since is the time of at on the wall's clock.
func (s signs) since(at clock.Mono) string {
	return time.UnixMilli(s.wall - s.now.Sub(at).Milliseconds()).UTC().Format(time.RFC3339)
}
