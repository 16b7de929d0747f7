package simnet

import (
	"math/rand/v2"
	"time"

	"github.com/moldau/moldau/internal/invariant"
)

// SetNormal says how all links fare that have no fare of their own. Links of a
// host to itself are not changed.
func (f *Fabric) SetNormal(fare Link) {
	fare.check()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.normal = fare
	for _, l := range f.links { //det:ok each link for itself
		if !l.own && l.from != l.to {
			l.fare = fare
		}
	}
}

// SetLink says how traffic fares from one host to another, from now on.
func (f *Fabric) SetLink(from, to string, fare Link) {
	fare.check()
	invariant.Check(from != to, "fare from %s to itself", from)
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.link(f.host(from), f.host(to))
	l.fare, l.own = fare, true
}

// Partition cuts both ways between two hosts.
func (f *Fabric) Partition(a, b string) { f.cut(true, [2]string{a, b}, [2]string{b, a}) }

// PartitionOneWay cuts the way from one host to another; the way back stays.
func (f *Fabric) PartitionOneWay(from, to string) { f.cut(true, [2]string{from, to}) }

// Heal ends what Partition, PartitionOneWay and Split cut between two hosts.
func (f *Fabric) Heal(a, b string) { f.cut(false, [2]string{a, b}, [2]string{b, a}) }

// Split cuts every way between hosts of different groups.
func (f *Fabric) Split(groups ...[]string) {
	var ways [][2]string
	for i, group := range groups {
		for _, other := range groups[i+1:] {
			for _, a := range group {
				for _, b := range other {
					ways = append(ways, [2]string{a, b}, [2]string{b, a})
				}
			}
		}
	}
	f.cut(true, ways...)
}

func (f *Fabric) cut(cut bool, ways ...[2]string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	links := make([]*link, 0, len(ways))
	for _, way := range ways {
		invariant.Check(way[0] != way[1], "partition of %s from itself", way[0])
		l := f.link(f.host(way[0]), f.host(way[1]))
		l.cut = cut
		links = append(links, l)
	}
	for _, l := range links {
		f.refresh(l)
	}
}

// Isolate cuts a host off from all others, Rejoin ends it.
func (f *Fabric) Isolate(name string) { f.setHost(name, func(h *host) { h.isolated = true }) }

// Rejoin ends Isolate.
func (f *Fabric) Rejoin(name string) { f.setHost(name, func(h *host) { h.isolated = false }) }

// Clog holds everything back that goes to and from a host, as a link does that
// is much too slow, until Unclog.
func (f *Fabric) Clog(name string) { f.setHost(name, func(h *host) { h.clogged = true }) }

// Unclog ends Clog.
func (f *Fabric) Unclog(name string) { f.setHost(name, func(h *host) { h.clogged = false }) }

// Refuse lets a host refuse connections, or takes that back.
func (f *Fabric) Refuse(name string, refuse bool) {
	f.setHost(name, func(h *host) { h.refuse = refuse })
}

// SetBacklog bounds the connections of each listener of a host that wait for
// Accept, at most 128. With zero nobody gets in.
func (f *Fabric) SetBacklog(name string, connections int) {
	invariant.Check(connections >= 0 && connections <= backlogLenMax, "backlog of %d", connections)
	f.setHost(name, func(h *host) { h.backlogMax = connections })
}

// LoseReplies loses the next n writes by a host on connections that it
// accepted: the request was applied, its answer does not come.
func (f *Fabric) LoseReplies(name string, n int) {
	f.setHost(name, func(h *host) { h.loseReplies = n })
}

// setHost changes a host and refreshes its links in an order that hosts' names
// and connections decide.
func (f *Fabric) setHost(name string, change func(*host)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := f.host(name)
	change(h)
	f.refreshAll()
}

// refreshAll refreshes all links, in the order of their names.
func (f *Fabric) refreshAll() {
	for _, from := range sorted(f.hosts) {
		for _, to := range sorted(f.hosts) {
			if l := f.links[linkKey{f.hosts[from], f.hosts[to]}]; l != nil {
				f.refresh(l)
			}
		}
	}
}

// HealAll ends every partition, isolation and clog, takes the faults of all
// links away, refusals and small backlogs too. Connections that were reset or
// fell silent stay so.
func (f *Fabric) HealAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.normal = Link{}
	for _, l := range f.links { //det:ok each link for itself
		l.cut, l.own, l.fare = false, false, Link{}
	}
	for _, h := range f.hosts { //det:ok each host for itself
		h.clogged, h.isolated, h.refuse, h.loseReplies, h.backlogMax = false, false, false, 0, backlogLenMax
	}
	f.refreshAll()
}

// Reset resets all connections between two hosts at once, in the midst of
// whatever they carry, and returns their number.
func (f *Fabric) Reset(a, b string) int {
	return f.between(a, b, func(c *conn, now instant) {
		f.marks.reset.Hit(c.local + "-" + c.remote)
		c.breakUp(now)
	})
}

// HalfOpen lets all connections between two hosts fall silent: neither end
// hears of the other again, nor that it is gone. It returns their number.
func (f *Fabric) HalfOpen(a, b string) int {
	return f.between(a, b, func(c *conn, now instant) {
		f.marks.halfOpen.Hit(c.local + "-" + c.remote)
		c.silence(now)
	})
}

func (f *Fabric) between(a, b string, do func(c *conn, now instant)) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	for _, p := range f.pairs {
		from, to := p.client.view.host.name, p.server.view.host.name
		if !p.over() && ((from == a && to == b) || (from == b && to == a)) {
			do(p.client, now)
			n++
		}
	}
	return n
}

// ClogStep is one step of a swizzle: After the one before, clog a host, or
// unclog it.
type ClogStep struct {
	After time.Duration
	Host  string
	Clog  bool
}

// Swizzle plans a swizzle-clog: a random subset of the hosts, at least one, is
// clogged one by one and unclogged in another order, with up to gap between.
func Swizzle(draw *rand.Rand, hosts []string, gap time.Duration) (steps []ClogStep) {
	if len(hosts) == 0 {
		return nil
	}
	order := draw.Perm(len(hosts))[:1+draw.IntN(len(hosts))]
	for _, clog := range []bool{true, false} {
		for _, i := range order {
			steps = append(steps, ClogStep{time.Duration(upTo(draw, gap)), hosts[i], clog})
		}
		draw.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
	}
	return steps
}

// Play runs the steps of a swizzle in true time; it returns early when stop
// closes, with what it clogged unclogged.
func (f *Fabric) Play(steps []ClogStep, stop <-chan struct{}) {
	for i, step := range steps {
		done := make(chan struct{})
		alarm := f.base.AfterFunc(step.After, func() { close(done) })
		select {
		case <-done:
		case <-stop:
			alarm.Stop()
			for _, late := range steps[i:] {
				if !late.Clog {
					f.Unclog(late.Host)
				}
			}
			return
		}
		if step.Clog {
			f.Clog(step.Host)
		} else {
			f.Unclog(step.Host)
		}
	}
}
