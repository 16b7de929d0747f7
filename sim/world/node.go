package world

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/moldau/moldau/broker"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/clock/simclock"
	"github.com/moldau/moldau/disk/simfs"
	"github.com/moldau/moldau/internal/simcore"
	"github.com/moldau/moldau/linearizability/history"
)

// Ports of every node.
const (
	ClientPort     = 9092
	ControllerPort = 9093
)

// NodeConfig describes a machine.
type NodeConfig struct {
	ID int32
	// LogDirs are its log directories; nil is one, "data".
	LogDirs []string
	Settings
	// Roles is what the node is, a broker and a controller if it is empty.
	Roles Roles
	// Own are properties that stay when the settings are replaced: what makes the
	// node a part of its cluster.
	Own []config.Property
	// CapacityBytes of its disk; zero is 1 TiB.
	CapacityBytes int64
	// SyncLatency is what a sync takes when nothing is wrong.
	SyncLatency time.Duration
}

// Roles is what a node is, as process.roles says it.
type Roles string

// The roles of a node that is not both.
const (
	BrokerOnly     Roles = "broker"
	ControllerOnly Roles = "controller" // clients do not know it
)

// Node is a machine and the process on it. World.AddNode makes it. All methods
// may be called concurrently, from outside the node.
type Node struct {
	ID    int32
	Host  string // "n1"
	Clock *simclock.Machine
	Disk  *simfs.Disk

	world   *World
	streams simcore.Streams
	dirs    []string

	mu      sync.Mutex
	cfg     NodeConfig
	started int // processes so far
	current *process
}

// AddNode adds a machine, which is off.
func (w *World) AddNode(cfg NodeConfig) *Node {
	host := "n" + strconv.Itoa(int(cfg.ID))
	if len(cfg.LogDirs) == 0 {
		cfg.LogDirs = []string{"data"}
	}
	n := &Node{
		ID: cfg.ID, Host: host, world: w, streams: w.cfg.Streams.Sub(host), dirs: slices.Clone(cfg.LogDirs), cfg: cfg,
		Clock: simclock.New(w.cfg.Timebase, w.Marks),
	}
	n.Disk = simfs.New(simfs.Config{
		Node: host, Timebase: w.cfg.Timebase, Streams: n.streams.Sub("disk"), Marks: w.Marks, Atlas: w.Atlas,
		Clock: n.Clock.Boot(nil), CapacityBytes: cfg.CapacityBytes,
		SyncLatency: cfg.SyncLatency,
	})
	w.nodes = append(w.nodes, n)
	return n
}

// Address is where clients reach the node.
func (n *Node) Address() string { return n.Host + ":" + strconv.Itoa(ClientPort) }

// Broker reports whether clients may use the node.
func (n *Node) Broker() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cfg.Roles != ControllerOnly
}

// LogDirs are the node's log directories; the first holds the metadata.
func (n *Node) LogDirs() []string { return n.dirs }

// SetSettings replaces the settings from the next start on.
func (n *Node) SetSettings(set Settings) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cfg.Settings = set
}

// settings are the properties of the next process.
func (n *Node) settings() (*config.Broker, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	own := []config.Property{
		{Name: "node.id", Value: strconv.Itoa(int(n.ID))},
		{Name: "log.dirs", Value: strings.Join(n.dirs, ",")},
	}
	if n.cfg.Roles != "" {
		own = append(own, config.Property{Name: "process.roles", Value: string(n.cfg.Roles)})
	}
	var listeners []string
	if n.cfg.Roles != ControllerOnly {
		listeners = append(listeners, fmt.Sprintf("PLAINTEXT://%s:%d", n.Host, ClientPort))
	}
	if n.cfg.Roles != BrokerOnly {
		listeners = append(listeners, fmt.Sprintf("CONTROLLER://%s:%d", n.Host, ControllerPort))
	}
	own = append(own, config.Property{Name: "listeners", Value: strings.Join(listeners, ",")})
	set, _, err := config.Load(slices.Concat(own, n.cfg.Own, n.cfg.Properties))
	return set, err
}

// process is one incarnation of a node. It outlives its broker, which nothing
// of the world refers to once the process has ended.
type process struct {
	number int
	name   string // "n1/3": its third
	fence  *simcore.Fence
	stop   context.CancelFunc
	ready  <-chan struct{} // closed once it serves
	ended  chan struct{}   // closed when the process is gone
	lacks  chan struct{}   // closed when it has lost a log directory

	mu    sync.Mutex
	err   error // why it ended by itself
	clean bool  // it stopped by itself without an error
	lost  bool  // lacks is closed
}

// outcome is what Run returned, if it did.
func (p *process) outcome() (clean bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.clean, p.err
}

// lose notes that the process has lost a log directory.
func (p *process) lose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.lost {
		p.lost = true
		close(p.lacks)
	}
}

// Start starts a process on the machine. It fails if one runs, or if the
// settings are wrong; what becomes of it Ready and Ended tell.
func (n *Node) Start() error {
	set, err := n.settings()
	if err != nil {
		return fmt.Errorf("settings of %s: %w", n.Host, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.current != nil && n.current.fence.Alive() {
		return fmt.Errorf("%s runs already", n.Host)
	}
	n.started++
	p := &process{number: n.started, name: n.Host + "/" + strconv.Itoa(n.started), fence: simcore.NewFence(n.world.Marks), ended: make(chan struct{}), lacks: make(chan struct{})}
	clk := n.Clock.Boot(p.fence)
	tuning := n.cfg.Tuning
	tuning.Out = n.world.cfg.Out
	b, err := broker.New(broker.Config{
		Settings: set, FS: n.Disk.Mount(p.fence), Network: n.world.Fabric.Join(n.Host, p.fence), Clock: clk,
		Entropy: simclock.NewEntropy(p.fence, n.streams.Stream("entropy/"+strconv.Itoa(p.number))),
		Events:  sink{n, p}, Shards: max(n.cfg.Shards, 1), Tuning: tuning,
	})
	if err != nil {
		return fmt.Errorf("broker of %s: %w", n.Host, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p.stop, p.ready = cancel, b.Ready()
	n.current = p
	p.fence.OnCrash(func(how simcore.Ending) { n.crashed(p, b, how) })
	n.world.Trace(n.Host, fmt.Sprintf("start of process %d", p.number))
	if p.number > 1 {
		n.world.Event(history.Event{Kind: history.EventRestart, Node: n.ID})
	}
	go n.run(ctx, p, b)
	return nil
}

// run is the process. Its goroutine may end within Run, by a crash.
func (n *Node) run(ctx context.Context, p *process, b *broker.Broker) {
	label(p.name)
	err := b.Run(ctx)
	p.mu.Lock()
	p.err, p.clean = err, err == nil
	p.mu.Unlock()
	text := "stopped cleanly"
	if err != nil {
		text = "ended: " + err.Error()
	}
	n.world.Trace(n.Host, fmt.Sprintf("process %d %s", p.number, text))
	p.fence.Crash(simcore.Exit)
}

// crashed is called when a process ends, however it does. It may hold any
// lock of the broker's, so it only tells.
func (n *Node) crashed(p *process, b *broker.Broker, how simcore.Ending) {
	n.world.Trace(n.Host, fmt.Sprintf("end of process %d: %s", p.number, how))
	clean, _ := p.outcome()
	switch {
	case how == simcore.PowerLoss:
		n.world.Event(history.Event{Kind: history.EventPowerLoss, Node: n.ID})
	case !clean:
		n.world.Event(history.Event{Kind: history.EventCrash, Node: n.ID})
	}
	go func() {
		b.Abandon()
		p.stop()
	}()
	close(p.ended)
	n.world.bury(n.ID, p.name)
}

// process is the newest one, nil before the first start.
func (n *Node) process() *process {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.current
}

// Fence is that of the newest process, nil before the first start. Traps are
// armed on it; its Crash kills the node.
func (n *Node) Fence() *simcore.Fence {
	if p := n.process(); p != nil {
		return p.fence
	}
	return nil
}

// Running reports whether a process runs, be it paused or not ready yet.
func (n *Node) Running() bool {
	p := n.process()
	return p != nil && p.fence.Alive()
}

// Ready is closed once the newest process serves.
func (n *Node) Ready() <-chan struct{} {
	if p := n.process(); p != nil {
		return p.ready
	}
	return nil
}

// Ended is closed when the newest process is gone, however it ended.
func (n *Node) Ended() <-chan struct{} {
	if p := n.process(); p != nil {
		return p.ended
	}
	return nil
}

// Lacking is closed when the newest process has lost a log directory, or found a
// log damaged, and so will not serve what is in it until it is started anew.
func (n *Node) Lacking() <-chan struct{} {
	if p := n.process(); p != nil {
		return p.lacks
	}
	return nil
}

// Kill ends the process as SIGKILL does. It reports whether one ran.
func (n *Node) Kill() bool { return n.Fence().Crash(simcore.Kill) }

// PowerLoss ends the process and takes what was not synced, or a part of it.
func (n *Node) PowerLoss() bool { return n.Fence().Crash(simcore.PowerLoss) }

// Pause freezes the process at its seams until Resume.
func (n *Node) Pause() bool {
	if !n.Fence().Pause() {
		return false
	}
	n.world.Trace(n.Host, "paused")
	n.world.Event(history.Event{Kind: history.EventPause, Node: n.ID})
	return true
}

// Resume ends a pause.
func (n *Node) Resume() bool {
	if !n.Fence().Resume() {
		return false
	}
	n.world.Trace(n.Host, "resumed")
	n.world.Event(history.Event{Kind: history.EventResume, Node: n.ID})
	return true
}

var errEnded = errors.New("the process was ended before it had stopped")

// Stop asks the process to stop, as SIGTERM does, and waits until it has, at
// most for limit. It returns the error with which it stopped.
func (n *Node) Stop(limit time.Duration) error {
	p := n.process()
	if p == nil {
		return nil
	}
	n.world.Trace(n.Host, "asked to stop")
	p.stop()
	if !n.world.Await(p.ended, limit) {
		return fmt.Errorf("%s did not stop within %v", n.Host, limit)
	}
	if clean, err := p.outcome(); !clean {
		return cmp.Or(err, errEnded)
	}
	return nil
}

// Await waits until ch is closed, at most for limit, which it reports as false.
func (w *World) Await(ch <-chan struct{}, limit time.Duration) bool {
	late := make(chan struct{})
	alarm := w.cfg.Timebase.AfterFunc(limit, func() { close(late) })
	defer alarm.Stop()
	select {
	case <-ch:
		return true
	case <-late:
		return false
	}
}

// Sleep waits for d, or until stop closes, which it reports as false.
func (w *World) Sleep(d time.Duration, stop <-chan struct{}) bool {
	late := make(chan struct{})
	alarm := w.cfg.Timebase.AfterFunc(d, func() { close(late) })
	defer alarm.Stop()
	select {
	case <-stop:
		return false
	case <-late:
		return true
	}
}
