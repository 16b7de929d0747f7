package world

import (
	"sync/atomic"

	"github.com/moldau/moldau/disk/simfs"
	"github.com/moldau/moldau/internal/guard"
	"github.com/moldau/moldau/internal/invariant"
	"github.com/moldau/moldau/internal/simcore"
	"github.com/moldau/moldau/linearizability/history"
	"github.com/moldau/moldau/net/simnet"
)

// Config says what a World is made from.
type Config struct {
	Timebase simcore.Timebase
	// Streams are the world's: each machine's parts have streams of their own.
	Streams simcore.Streams
	// Trace takes what happens, by lane ("n1", "net", "disk", "inject"). It may
	// be called from any goroutine and must not wait.
	Trace func(lane, what string)
	// Event takes what the checkers are told of nodes; At is filled in.
	Event func(history.Event)
	// CopiesLostMax is how many nodes may lose their copy of one thing at once.
	CopiesLostMax int
	// Out are rules of the replication contract that all nodes do without.
	Out guard.Set
	// DiskStruck hears of every fault that fails a read or that no process is told
	// of, with the file that it hit. Like the next two it must not wait, nor do
	// anything to a machine; each may be nil.
	DiskStruck func(n *Node, kind simfs.Kind, path string)
	// DirectoryGone hears of a log directory that a process gave up, or, replaced,
	// that is about to come back empty.
	DirectoryGone func(n *Node, dir string, replaced bool)
	// Elected hears of every unclean election that a controller decided.
	Elected func(topic string, partition int32)
	// Unsound hears of every follower that a leader sent records that are not sound.
	Unsound func(leader int32, topic string, partition int32)
	// Controls hears of every node that becomes the active controller.
	Controls func(n *Node)
	// Leads hears of every node that begins to lead a partition under a leader
	// epoch, or, with leads false, leads it no more: the epoch is the next one then.
	Leads func(n *Node, topic string, partition, epoch int32, leads bool)
}

// World is all machines of a run. Make it with New.
type World struct {
	Marks  *simcore.Marks
	Fabric *simnet.Fabric
	Atlas  *simfs.Atlas

	cfg    Config
	nodes  []*Node
	struck atomic.Int64
	graves graves
}

// New returns a world without nodes.
func New(cfg Config) *World {
	invariant.Check(cfg.Timebase != nil && cfg.Trace != nil && cfg.Event != nil, "world without timebase, trace or events")
	w := &World{cfg: cfg, Atlas: simfs.NewAtlas(cfg.CopiesLostMax)}
	w.Marks = simcore.NewMarks(w.strike)
	w.Fabric = simnet.New(simnet.Config{Timebase: cfg.Timebase, Streams: cfg.Streams.Sub("net"), Marks: w.Marks})
	return w
}

// Timebase is the true time.
func (w *World) Timebase() simcore.Timebase { return w.cfg.Timebase }

// Streams are what the world was made with.
func (w *World) Streams() simcore.Streams { return w.cfg.Streams }

// Trace writes a line of the trace.
func (w *World) Trace(lane, what string) { w.cfg.Trace(lane, what) }

// Event tells the checkers something; At is filled in.
func (w *World) Event(e history.Event) { w.cfg.Event(e) }

// Nodes are all nodes, in the order in which they were added.
func (w *World) Nodes() []*Node { return w.nodes }

// Node is the one of an id, nil if there is none.
func (w *World) Node(id int32) *Node {
	for _, n := range w.nodes {
		if n.ID == id {
			return n
		}
	}
	return nil
}

// Struck is how many faults hit something so far, those aside that hit all the
// time.
func (w *World) Struck() int64 { return w.struck.Load() }

// strike is told of every fault that hit something.
func (w *World) strike(name, detail string) {
	w.struck.Add(1)
	if detail == "" {
		w.cfg.Trace("fault", name)
	} else {
		w.cfg.Trace("fault", name+" "+detail)
	}
	w.noteDisk(name, detail)
}
