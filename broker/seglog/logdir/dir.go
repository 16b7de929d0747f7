package logdir

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/internal/inbox"
	"github.com/moldau/moldau/internal/yield"
)

// Dir is one log directory of a broker. Its methods may be called concurrently.
type Dir struct {
	cfg  Config
	lock io.Closer
	// leaveOut is Config.leaveOut.
	leaveOut func(syncPromise) bool

	handles    handles
	lane       *lane
	committer  *committer
	background *background
	counters   counters

	mu         sync.Mutex
	parts      map[kafka.TopicPartition]*Partition // adopted and created ones
	recovered  []Recovered
	byID       map[kafka.TopicPartition]int // of recovered ones not yet adopted
	lost       map[kafka.TopicPartition]bool
	senseless  map[name]bool // folders of which nobody knows whose log they hold
	boxes      []*outbox
	closing    bool
	brokerPrev int64 // broker epoch of the clean stop before, -1

	orderLists    sync.Pool // of *[]Order, between Submit and the append lane
	boxList       atomic.Pointer[[]*outbox]
	err           atomic.Pointer[error]
	offline       chan struct{}
	blockNumber   atomic.Int64  // of the newest journal block's file
	generation    atomic.Uint64 // of the newest use of a block
	sinceMarks    atomic.Int64  // bytes appended since the last marks
	hwChanged     atomic.Bool
	startsChanged atomic.Bool

	forgetLife func()
}

// Recovered is a partition that Open found in the directory.
type Recovered struct {
	Topic string // as the folder is named
	ID    kafka.TopicPartition
	State seglog.State
	// Err is set when the folder could not be made sense of (no readable
	// partition.metadata); such a partition cannot be adopted.
	Err error

	below    []logFile // segments below the log start whose files are to go
	waiting  waitingEntries
	nameless []string   // .log files whose names in the folder may not be durable
	part     *Partition // one that was open before it is adopted
	// incomplete: index entries, leader epochs or the producer snapshot are not in
	// the files yet, as a clean stop leaves them.
	incomplete bool
}

// Errors, tested with errors.Is.
var (
	// ErrOffline: the directory is lost to this process; restart it to try again.
	ErrOffline = errors.New("log directory is offline")
	// ErrNotFound: no such partition in this directory.
	ErrNotFound = errors.New("no such partition in this log directory")
	// ErrLost: records of the partition were synced in this directory, and its
	// folder is gone or names another topic.
	ErrLost = errors.New("the partition's folder is gone or names another topic id")
	// ErrExists: the partition's folder exists.
	ErrExists = errors.New("partition folder exists")
	// ErrOutOfRange: the plan's offset does not lie in the log (it was deleted
	// or cut off since the plan was made).
	ErrOutOfRange = errors.New("offset is not in the log")
	// ErrCorrupt: bytes that were read are no valid batches.
	ErrCorrupt = errors.New("log segment is corrupt")
	// ErrClosed: the directory was closed.
	ErrClosed = errors.New("log directory is closed")
)

// lockFile is Kafka's, which excludes its processes too.
const lockFile = ".lock"

// Open takes the directory (.lock), recovers its partitions and starts its
// workers. meta.properties is the caller's affair. A directory in a format
// that this version does not know is refused with a message.
func Open(cfg Config) (*Dir, error) {
	cfg.EnsureDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg.Path = strings.TrimRight(cfg.Path, "/")
	d := &Dir{
		cfg: cfg, leaveOut: cfg.leaveOut, offline: make(chan struct{}), brokerPrev: -1,
		parts: map[kafka.TopicPartition]*Partition{}, byID: map[kafka.TopicPartition]int{},
		lost: map[kafka.TopicPartition]bool{}, senseless: map[name]bool{},
	}
	d.boxList.Store(&[]*outbox{})
	d.handles.init(cfg.FS, cfg.HandlesMax)
	lock, err := cfg.FS.Lock(cfg.Path + "/" + lockFile)
	if err != nil {
		return nil, fmt.Errorf("lock log directory %s: %w", cfg.Path, err)
	}
	d.lock = lock
	d.committer = newCommitter(d)
	d.background = newBackground(d)
	d.lane = &lane{d: d, in: inbox.New[laneMsg](laneInboxMax), done: make(chan struct{})}
	if err := d.recover(); err != nil {
		return nil, errors.Join(fmt.Errorf("recover log directory %s: %w", cfg.Path, err), d.closeFiles(), lock.Close())
	}
	d.forgetLife = cfg.Life.OnEnd(d.abandon)
	go d.lane.loop()
	go d.committer.loop()
	go d.background.loop()
	return d, nil
}

// abandon ends what waits for the workers, and the workers.
func (d *Dir) abandon() {
	d.lane.in.Close()
	d.background.in.Close()
	d.committer.mu.Lock()
	defer d.committer.mu.Unlock()
	d.committer.closing = true
	d.committer.signal()
	d.committer.space.Broadcast()
	d.committer.landed.Broadcast()
}

func newBackground(d *Dir) *background {
	b := &background{d: d, in: inbox.New[job](backgroundInboxMax), done: make(chan struct{})}
	b.marks.entries = map[kafka.TopicPartition]*tableEntry{}
	now := d.cfg.Clock.Mono()
	b.lastMarks, b.lastSync, b.lastChecks = now, now, now
	b.timer = d.cfg.Clock.NewTimer(tickInterval)
	return b
}

// Recovered lists what Open found, ordered by topic name and partition. States
// are handed over by Adopt; here they are for looking (registration, standing).
func (d *Dir) Recovered() []Recovered {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.recovered)
}

// Adopt hands a recovered partition over, once.
func (d *Dir) Adopt(id kafka.TopicPartition, o Options) (*Partition, seglog.State, error) {
	d.mu.Lock()
	i, ok := d.byID[id]
	if !ok {
		d.mu.Unlock()
		return nil, seglog.State{}, fmt.Errorf("adopt %s: %w", id, ErrNotFound)
	}
	delete(d.byID, id)
	r := d.recovered[i]
	d.mu.Unlock()
	p := r.part
	if p == nil {
		p = d.open(&r)
	}
	p.SetOptions(o)
	return p, r.State, nil
}

// open makes the partition that recovery found.
func (d *Dir) open(r *Recovered) *Partition {
	p := d.newPartition(r.Topic, r.ID, Options{}, &r.State)
	p.lane.used = r.incomplete
	segs := p.segments()
	for _, s := range segs {
		if slices.Contains(r.nameless, seglog.FileName(s.base, seglog.LogSuffix)) {
			s.entryDurable.Store(false)
		}
	}
	x := &segs[len(segs)-1].indexes
	x.offsets, x.times = r.waiting.offsets, r.waiting.times
	x.offsetsIn -= len(x.offsets)
	x.timesIn -= len(x.times)
	for i, f := range r.below {
		s := d.newSegment(p, f.base)
		s.entryDurable.Store(true)
		if s.end = segs[0].base; i+1 < len(r.below) {
			s.end = r.below[i+1].base
		}
		p.lane.doomed = append(p.lane.doomed, s)
	}
	d.mu.Lock()
	d.parts[r.ID] = p
	d.mu.Unlock()
	for _, s := range p.lane.doomed {
		d.background.put(job{kind: jobDoomSegment, segment: s})
	}
	return p
}

// EmptyState is the state of a partition that was just created, at the wall
// time nowWall (ms).
func EmptyState(nowWall int64) seglog.State {
	return seglog.State{
		Segments: []seglog.Segment{emptyInfo(0, nowWall)},
		Evidence: seglog.Evidence{Clean: true, LastEpoch: -1},
	}
}

// Submit hands the orders of one shard's turn to the append lane; it copies
// the slice. It never waits for the disk: the number of orders is not bounded
// here, the bytes that they carry are bounded by the request memory budget that
// their buffers are charged to. Orders of one partition come from one goroutine
// at a time. After Offline or Close every order is answered Failed.
func (d *Dir) Submit(orders []Order) {
	yield.Point()
	if len(orders) == 0 {
		return
	}
	list, _ := d.orderLists.Get().(*[]Order)
	if list == nil {
		list = new([]Order)
	}
	*list = append((*list)[:0], orders...)
	if d.lane.in.Offer(laneMsg{orders: list}) {
		return
	}
	for i := range orders {
		o := &orders[i]
		o.Op.Append.Data.Release()
		if b := o.P.bound.Load(); b != nil {
			b.box.sink.DiskDone([]Completion{{Key: b.key, Done: seglog.Done{
				Kind: seglog.Failed, UpTo: o.Op.Append.FirstOffset, Class: seglog.ClassOffline, Err: ErrClosed,
			}}})
		}
	}
}

// fail takes the directory offline. A failed sync is never retried: what the
// system could not write may be gone from its cache (K2).
func (d *Dir) fail(err error) {
	wrapped := fmt.Errorf("%w: %w", ErrOffline, err)
	if !d.err.CompareAndSwap(nil, &wrapped) {
		return
	}
	close(d.offline)
	d.cfg.Events.Emit(DirectoryOffline{Dir: d.cfg.Path, Err: err})
	if d.cfg.OnOffline != nil {
		d.cfg.OnOffline(wrapped)
	}
	d.committer.signal()
	d.lane.in.Offer(laneMsg{call: (*lane).loseAll})
}

// loseAll tells every replica that the directory is lost.
func (l *lane) loseAll() {
	for _, p := range l.d.partitions() {
		l.lose(p, &seglog.Op{})
	}
	l.answer()
}

func (d *Dir) failed() bool { return d.err.Load() != nil }

// Offline is closed when the directory is lost to this process; Err says why.
func (d *Dir) Offline() <-chan struct{} { return d.offline }

// Err is why the directory is offline, nil while it is not.
func (d *Dir) Err() error {
	if err := d.err.Load(); err != nil {
		return *err
	}
	return nil
}

// partitions lists the adopted and created ones, in order.
func (d *Dir) partitions() []*Partition {
	d.mu.Lock()
	list := make([]*Partition, 0, len(d.parts))
	for _, p := range d.parts { //det:ok sorted below
		list = append(list, p)
	}
	d.mu.Unlock()
	slices.SortFunc(list, func(a, b *Partition) int {
		if c := strings.Compare(a.topic, b.topic); c != 0 {
			return c
		}
		return compareIDs(a.id, b.id)
	})
	return list
}

// PreviousBrokerEpoch is what .kafka_cleanshutdown said at Open, -1 when the
// last stop was not clean.
func (d *Dir) PreviousBrokerEpoch() int64 { return d.brokerPrev }

// Path is the directory's path.
func (d *Dir) Path() string { return d.cfg.Path }

// Usage is the size of the file system in bytes.
func (d *Dir) Usage() (total, free int64, err error) {
	u, err := d.cfg.FS.Usage(d.cfg.Path)
	return u.Total, u.Free, err
}

// outboxes lists the boxes; the list only grows.
func (d *Dir) outboxes() []*outbox { return *d.boxList.Load() }
