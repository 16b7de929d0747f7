package simnet

import (
	"cmp"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/moldau/moldau/internal/invariant"
	"github.com/moldau/moldau/internal/simcore"
)

// instant is true time: nanoseconds since the fabric was made.
type instant int64

const (
	// held is when something arrives that a cut link holds back, and the time
	// of what never comes.
	held instant = math.MaxInt64
	// retransmitMax bounds what passes between the healing of a link and the
	// first arrival over it: senders try again by timers.
	retransmitMax = 400 * time.Millisecond
)

// Config says what a Fabric runs on.
type Config struct {
	Timebase simcore.Timebase
	Streams  simcore.Streams
	// Marks may be nil. It gets one counter a fault, "net.<fault>", which
	// counts operations that the fault hit.
	Marks *simcore.Marks
}

// Fabric is the network of a simulation: all hosts and what connects them.
// Make it with New. All methods may be called concurrently, from outside the
// simulated nodes.
type Fabric struct {
	base   simcore.Timebase
	origin time.Time
	marks  marks

	mu     sync.Mutex
	draw   streams
	normal Link
	hosts  map[string]*host
	links  map[linkKey]*link
	pairs  []*pair // of connections with an end that is open, oldest first
	gone   int     // pairs that are closed at both ends
}

// streams are the random streams, one a class of faults.
type streams struct {
	delay, fragment, reset, lose, refuse, heal *rand.Rand
}

// marks are the counters, one a fault.
type marks struct {
	delay, spike, throttle, window, reorder, fragment *simcore.Counter
	partition, oneWay, isolate, clog                  *simcore.Counter
	reset, loseReply, halfOpen, stale                 *simcore.Counter
	refused, backlog, lost, shortFile                 *simcore.Counter
}

// New returns a network without faults, delays and hosts.
func New(config Config) *Fabric {
	invariant.Check(config.Timebase != nil, "simulated network without a timebase")
	counter := func(name string) *simcore.Counter { return config.Marks.Counter("net." + name) }
	stream := func(name string) *rand.Rand { return config.Streams.Stream("net." + name) }
	return &Fabric{
		base: config.Timebase, origin: config.Timebase.Now(),
		hosts: map[string]*host{}, links: map[linkKey]*link{},
		draw: streams{
			delay: stream("delay"), fragment: stream("fragment"), reset: stream("reset"),
			lose: stream("losereply"), refuse: stream("refuse"), heal: stream("heal"),
		},
		marks: marks{
			delay: counter("delay"), spike: counter("spike"), throttle: counter("throttle"), window: counter("slowdrain"),
			reorder: counter("reorder"), fragment: counter("fragment"),
			partition: counter("partition"), oneWay: counter("oneway"), isolate: counter("isolate"), clog: counter("clog"),
			reset: counter("reset"), loseReply: counter("losereply"), halfOpen: counter("halfopen"), stale: counter("stale"),
			refused: counter("refused"), backlog: counter("backlog"), lost: counter("lost"), shortFile: counter("shortfile"),
		},
	}
}

func (f *Fabric) now() instant { return instant(f.base.Now().Sub(f.origin)) }

// host is a machine or a client, by name. It outlives its processes.
type host struct {
	name      string
	listeners map[int]*listener
	nextPort  int
	view      *View // of the latest incarnation

	off         bool // without power
	clogged     bool
	isolated    bool
	refuse      bool
	backlogMax  int // connections that wait for Accept
	loseReplies int // replies still to lose
}

// host returns the host of a name. The caller holds mu.
func (f *Fabric) host(name string) *host {
	h := f.hosts[name]
	if h == nil {
		h = &host{name: name, listeners: map[int]*listener{}, nextPort: portFirst, backlogMax: backlogLenMax}
		f.hosts[name] = h
	}
	return h
}

// Join returns the network as an incarnation on the host of a name sees it.
// When its fence is crashed, its connections and listeners end as the kind of
// crash says. A nil fence never falls.
func (f *Fabric) Join(name string, fence *simcore.Fence) *View {
	f.mu.Lock()
	h := f.host(name)
	v := &View{fabric: f, host: h, fence: fence}
	h.view = v
	if h.off {
		h.off = false
		f.poweredOn(h)
	}
	f.mu.Unlock()
	fence.OnCrash(v.crashed)
	return v
}

// poweredOn lets what other hosts still send to connections of an earlier life
// be answered by a reset. The caller holds mu.
func (f *Fabric) poweredOn(h *host) {
	now := f.now()
	for _, p := range f.pairs {
		for _, c := range []*conn{p.client, p.server} {
			if peer := c.peer(); c.lost && c.view.host == h && !peer.closed {
				p.stale = true
				peer.answerLate(now)
			}
		}
	}
}

// crashed ends what belongs to an incarnation.
func (v *View) crashed(how simcore.Ending) {
	f := v.fabric
	f.mu.Lock()
	defer f.mu.Unlock()
	v.over = true
	for _, port := range sorted(v.host.listeners) {
		if l := v.host.listeners[port]; l.view == v {
			l.close()
		}
	}
	if how == simcore.PowerLoss && v.host.view == v {
		v.host.off = true
	}
	now := f.now()
	for _, p := range f.pairs {
		for _, c := range []*conn{p.client, p.server} {
			switch {
			case c.view != v || c.closed:
			case how == simcore.PowerLoss:
				c.vanish(now)
			default:
				c.shut(now)
			}
		}
	}
	f.forget() // nothing keeps an incarnation that has ended
}

// sorted returns the keys of a map in their order.
func sorted[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// tidy forgets connections that are closed at both ends, when they are many.
// The caller holds mu and walks no pairs.
func (f *Fabric) tidy() {
	const gonePairsMax = 64
	if f.gone > gonePairsMax && f.gone > len(f.pairs)/2 {
		f.forget()
	}
}

// forget forgets connections that are closed at both ends. The caller holds mu
// and walks no pairs.
func (f *Fabric) forget() {
	f.pairs = slices.DeleteFunc(f.pairs, (*pair).over)
	f.gone = 0
}

// Open is the number of connections with an end that is open.
func (f *Fabric) Open() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	open := 0
	for _, p := range f.pairs {
		if !p.over() {
			open++
		}
	}
	return open
}
