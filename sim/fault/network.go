package fault

import (
	"time"

	"github.com/moldau/moldau/net/simnet"
)

// lastMax is how long a fault of network or disk lasts at most.
const lastMax = 5 * time.Second

func networkFaults() []Fault {
	// between has a fault of the way between the node and a peer last a while.
	between := func(change func(s *Site, l *simnet.Link)) func(*Site) {
		return func(s *Site) {
			peer := s.Peer()
			var fare simnet.Link
			change(s, &fare)
			undo := s.Both(s.Node.Host, peer, func(l *simnet.Link) { add(l, fare) })
			defer undo()
			s.last(peer)
		}
	}
	// on has a state of the network last a while.
	on := func(begin, end func(s *Site, peer string)) func(*Site) {
		return func(s *Site) {
			peer := s.Peer()
			begin(s, peer)
			defer end(s, peer)
			s.last(peer)
		}
	}
	// once strikes and is over.
	once := func(strike func(s *Site, peer string)) func(*Site) {
		return func(s *Site) {
			peer := s.Peer()
			s.Trace("%s %s", s.Node.Host, peer)
			strike(s, peer)
		}
	}
	return []Fault{
		{
			Name: "net-delay", Weight: 50, Every: 8 * time.Second, Marks: []string{"net.delay"},
			About: "Delay and jitter up to 200 ms; connections overtake each other. Only time is lost.",
			Strike: between(func(s *Site, l *simnet.Link) {
				l.Delay, l.Jitter = s.Between(0, 100*time.Millisecond), s.Between(time.Millisecond, 200*time.Millisecond)
			}),
		},
		{
			Name: "net-spikes", Weight: 30, Every: 12 * time.Second, Marks: []string{"net.spike"},
			About: "One write in some takes up to two seconds more.",
			Strike: between(func(s *Site, l *simnet.Link) {
				l.SpikeShare, l.SpikeMax = 0.02+0.1*s.Rand.Float64(), s.Between(100*time.Millisecond, 2*time.Second)
			}),
		},
		{
			Name: "net-slow", Weight: 30, Every: 12 * time.Second, Marks: []string{"net.throttle", "net.slowdrain"},
			About: "A slow drain: some kilobytes a second, small buffers. Memory stays bounded, the others go on.",
			Strike: between(func(s *Site, l *simnet.Link) {
				l.BytesPerSecond, l.WindowBytes = 2000<<s.Rand.IntN(7), 1024<<s.Rand.IntN(5)
			}),
		},
		{
			Name: "net-fragments", Weight: 40, Every: 8 * time.Second, Marks: []string{"net.fragment"},
			About:  "Reads return a part of what is there.",
			Strike: between(func(s *Site, l *simnet.Link) { l.FragmentShare = 0.2 + 0.8*s.Rand.Float64() }),
		},
		{
			Name: "net-resets", Weight: 40, Every: 10 * time.Second, Marks: []string{"net.reset"},
			About:  "Writes get a part of their bytes through, then the connection is reset, in the middle of a frame.",
			Strike: between(func(s *Site, l *simnet.Link) { l.ResetShare = 0.005 + 0.05*s.Rand.Float64() }),
		},
		{
			Name: "net-lost-replies", Weight: 50, Every: 8 * time.Second, Marks: []string{"net.losereply"},
			About:  "Requests are applied, their answers lost. A repeat of an idempotent batch must not append it twice.",
			Strike: between(func(s *Site, l *simnet.Link) { l.LoseReplyShare = 0.02 + 0.2*s.Rand.Float64() }),
		},
		{
			Name: "net-refused", Weight: 20, Every: 15 * time.Second, Marks: []string{"net.refused"},
			About: "The node's host refuses connections for a while, and resets those of one peer.",
			Strike: on(func(s *Site, peer string) {
				s.World.Fabric.Refuse(s.Node.Host, true)
				s.World.Fabric.Reset(s.Node.Host, peer)
			},
				func(s *Site, _ string) { s.World.Fabric.Refuse(s.Node.Host, false) }),
		},
		{
			Name: "net-backlog", Weight: 20, Every: 15 * time.Second, Marks: []string{"net.backlog"},
			About: "The node's listeners have no room for new connections for a while; one peer's are reset.",
			Strike: on(func(s *Site, peer string) {
				s.World.Fabric.SetBacklog(s.Node.Host, 0)
				s.World.Fabric.Reset(s.Node.Host, peer)
			}, func(s *Site, _ string) { s.World.Fabric.SetBacklog(s.Node.Host, backlogUsual) }),
		},
		{
			Name: "net-reset", Weight: 40, Every: 8 * time.Second, Marks: []string{"net.reset"},
			About:  "All connections between the node and a peer are reset at once.",
			Strike: once(func(s *Site, peer string) { s.World.Fabric.Reset(s.Node.Host, peer) }),
		},
		{
			Name: "net-half-open", Weight: 30, Every: 15 * time.Second, Marks: []string{"net.halfopen"},
			About:  "Connections between the node and a peer fall silent; neither end hears that the other is gone.",
			Strike: once(func(s *Site, peer string) { s.World.Fabric.HalfOpen(s.Node.Host, peer) }),
		},
		{
			Name: "net-partition", Weight: 40, Every: 12 * time.Second, Marks: []string{"net.partition"},
			About: "Nothing passes between the node and a peer for a while.",
			Strike: on(func(s *Site, peer string) { s.World.Fabric.Partition(s.Node.Host, peer) },
				func(s *Site, peer string) { s.World.Fabric.Heal(s.Node.Host, peer) }),
		},
		{
			Name: "net-one-way", Weight: 30, Every: 12 * time.Second, Marks: []string{"net.oneway"},
			About: "Nothing passes one way between the node and a peer; the way back stays.",
			Strike: on(func(s *Site, peer string) {
				if s.Rand.IntN(2) == 0 {
					s.World.Fabric.PartitionOneWay(s.Node.Host, peer)
				} else {
					s.World.Fabric.PartitionOneWay(peer, s.Node.Host)
				}
			}, func(s *Site, peer string) { s.World.Fabric.Heal(s.Node.Host, peer) }),
		},
		{
			Name: "net-isolated", Weight: 20, Every: 15 * time.Second, Marks: []string{"net.isolate"},
			About: "The node is cut off from everybody for a while.",
			Strike: on(func(s *Site, _ string) { s.World.Fabric.Isolate(s.Node.Host) },
				func(s *Site, _ string) { s.World.Fabric.Rejoin(s.Node.Host) }),
		},
		{
			Name: "net-clog", Weight: 20, Every: 15 * time.Second, Marks: []string{"net.clog"},
			About: "Whatever goes to and from a peer is held back for a while, then arrives.",
			Strike: on(func(s *Site, peer string) { s.World.Fabric.Clog(peer) },
				func(s *Site, peer string) { s.World.Fabric.Unclog(peer) }),
		},
		{
			Name: "net-swizzle", Weight: 20, Every: 20 * time.Second, Marks: []string{"net.clog"},
			About: "Hosts are clogged one by one and unclogged in another order.",
			Strike: func(s *Site) {
				hosts := append([]string(nil), s.Clients...)
				for _, n := range s.World.Nodes() {
					hosts = append(hosts, n.Host)
				}
				s.Trace("")
				s.World.Fabric.Play(simnet.Swizzle(s.Rand, hosts, time.Second), s.Stop)
			},
		},
	}
}

// backlogUsual is what a listener's backlog holds when nothing is wrong.
const backlogUsual = 128

// last waits while a fault lasts.
func (s *Site) last(peer string) {
	d := s.Between(10*time.Millisecond, lastMax)
	s.Trace("%s %s for %v", s.Node.Host, peer, d)
	s.Hold(d)
}

// add lays a fault's fare over another.
func add(l *simnet.Link, fault simnet.Link) {
	l.Delay += fault.Delay
	l.Jitter += fault.Jitter
	l.SpikeMax = max(l.SpikeMax, fault.SpikeMax)
	for _, share := range [...]struct{ to, of *float64 }{
		{&l.SpikeShare, &fault.SpikeShare}, {&l.FragmentShare, &fault.FragmentShare}, {&l.ResetShare, &fault.ResetShare},
		{&l.LoseReplyShare, &fault.LoseReplyShare}, {&l.RefuseShare, &fault.RefuseShare},
	} {
		*share.to = max(*share.to, *share.of)
	}
	if fault.BytesPerSecond > 0 && (l.BytesPerSecond == 0 || fault.BytesPerSecond < l.BytesPerSecond) {
		l.BytesPerSecond = fault.BytesPerSecond
	}
	if fault.WindowBytes > 0 && (l.WindowBytes == 0 || fault.WindowBytes < l.WindowBytes) {
		l.WindowBytes = fault.WindowBytes
	}
}
