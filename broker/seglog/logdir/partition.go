package logdir

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/internal/yield"
)

// Partition is one partition's files. Reads may be called from any goroutine.
type Partition struct {
	d     *Dir
	topic string
	id    kafka.TopicPartition

	folder  atomic.Pointer[string] // path of the folder; changes when it is deleted
	segs    atomic.Pointer[[]*segment]
	options atomic.Pointer[Options]
	bound   atomic.Pointer[binding]
	hw      atomic.Int64
	start   atomic.Int64 // durable log start
	cuts    atomic.Int64 // truncations begun
	gone    atomic.Bool  // deleted
	filesMu sync.Mutex   // the small files of the folder, and the names of what has left the log
	// voidFrom: what was handed to the committer from here on was not written.
	voidFrom atomic.Int64

	lane    laneState   // the append lane's
	commit  commitState // the committer's
	pending *item       // what the lane has handed over and no turn has taken; guarded by the committer's lock
}

// binding says who gets the answers.
type binding struct {
	box *outbox
	key uint64
}

// ID is the partition's identity.
func (p *Partition) ID() kafka.TopicPartition { return p.id }

// Topic is the name in its folder's name.
func (p *Partition) Topic() string { return p.topic }

// Dir is the directory that it lies in.
func (p *Partition) Dir() *Dir { return p.d }

// Bind says who gets the answers, under which key. It is called before the
// first order and when the replica moves to another shard, with nothing outstanding.
func (p *Partition) Bind(sink Sink, key uint64) {
	p.bound.Store(&binding{box: p.d.outboxFor(sink), key: key})
}

// SetOptions replaces the options; it takes effect with the next turn.
func (p *Partition) SetOptions(o Options) { p.options.Store(&o) }

// SetHighWatermark keeps hw for the replication-offset-checkpoint, which is
// written lazily. It is a hint after a restart.
func (p *Partition) SetHighWatermark(hw int64) {
	if p.hw.Swap(hw) != hw {
		p.d.hwChanged.Store(true)
	}
}

func (p *Partition) path() string { return *p.folder.Load() }

// segments is the published list, oldest first.
func (p *Partition) segments() []*segment {
	yield.Point()
	return *p.segs.Load()
}

func (p *Partition) publish(segs []*segment) {
	yield.Point()
	p.segs.Store(&segs)
}

// newPartition makes the in-memory side of a partition from its recovered state.
func (d *Dir) newPartition(topic string, id kafka.TopicPartition, o Options, st *seglog.State) *Partition {
	p := &Partition{d: d, topic: topic, id: id}
	path := d.cfg.Path + "/" + seglog.FolderName(topic, id.Partition)
	p.folder.Store(&path)
	p.SetOptions(o)
	p.hw.Store(st.HighWatermark)
	p.start.Store(st.LogStart)
	p.voidFrom.Store(math.MaxInt64)
	segs := make([]*segment, len(st.Segments))
	for i := range st.Segments {
		info := &st.Segments[i]
		s := &segment{p: p, base: info.Base}
		s.size.Store(info.Size)
		s.indexes.offsetsIn, s.indexes.timesIn = info.IndexEntries, info.TimeEntries
		s.entryDurable.Store(info.Size > 0)
		segs[i] = s
	}
	p.publish(segs)
	p.lane = laneState{
		infos:  append([]seglog.Segment(nil), st.Segments...),
		end:    st.End,
		start:  st.LogStart,
		epochs: seglog.NewEpochCache(st.Epochs),
	}
	if len(st.Producers) > 0 {
		p.lane.producers = seglog.NewProducerTable(0, st.Producers)
	}
	p.commit = commitState{durable: st.End, marked: st.End}
	return p
}

// outbox collects the answers for one sink: one list of the append lane's and
// one of the committer's.
type outbox struct {
	sink   Sink
	lane   []Completion
	commit []Completion
}

func (d *Dir) outboxFor(sink Sink) *outbox {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, b := range d.boxes {
		if b.sink == sink {
			return b
		}
	}
	b := &outbox{sink: sink}
	d.boxes = append(d.boxes, b)
	list := slices.Clone(d.boxes)
	d.boxList.Store(&list)
	return b
}
