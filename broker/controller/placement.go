package controller

import (
	"slices"
	"strings"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/metaimage"
)

// placer spreads new replicas over brokers: the ring of brokers alternates
// between racks, a partition's preferred leader is the next unfenced broker of
// the ring after the one before it, its followers come from other racks first,
// at a distance that grows with each round, and fenced brokers come last.
type placer struct {
	ring   []*metaimage.Broker // unfenced, racks in turn
	fenced []*metaimage.Broker
	next   int // partitions placed, plus a random start
	shift  int // random start of the followers' distance
}

// usableBrokers are the registered brokers that new replicas may go to, in the
// order of their ids: not those that stop, nor those with all directories cordoned.
func usableBrokers(img *metaimage.Image) (unfenced, fenced []*metaimage.Broker) {
	for _, b := range img.Brokers() {
		switch {
		case len(b.LogDirs) > 0 && allIn(b.LogDirs, b.CordonedLogDirs), b.InControlledShutdown:
		case b.Fenced:
			fenced = append(fenced, b)
		default:
			unfenced = append(unfenced, b)
		}
	}
	return unfenced, fenced
}

func allIn(list, set []kafka.UUID) bool {
	for _, d := range list {
		if !slices.Contains(set, d) {
			return false
		}
	}
	return true
}

func newPlacer(img *metaimage.Image, r *rng) *placer {
	unfenced, fenced := usableBrokers(img)
	p := &placer{ring: alternateRacks(unfenced, r), fenced: fenced}
	if n := len(p.ring); n > 0 {
		p.next, p.shift = r.below(n), r.below(n)
	}
	return p
}

// alternateRacks orders brokers so that neighbours are of different racks as
// far as it can be. Within a rack the order is random.
func alternateRacks(brokers []*metaimage.Broker, r *rng) []*metaimage.Broker {
	for i := len(brokers) - 1; i > 0; i-- {
		j := r.below(i + 1)
		brokers[i], brokers[j] = brokers[j], brokers[i]
	}
	slices.SortStableFunc(brokers, func(a, b *metaimage.Broker) int { return strings.Compare(rackOf(a), rackOf(b)) })
	var racks [][]*metaimage.Broker
	for i, b := range brokers {
		if i == 0 || rackOf(b) != rackOf(brokers[i-1]) {
			racks = append(racks, nil)
		}
		racks[len(racks)-1] = append(racks[len(racks)-1], b)
	}
	var ring []*metaimage.Broker
	for turn := 0; len(ring) < len(brokers); turn++ {
		for _, rack := range racks {
			if turn < len(rack) {
				ring = append(ring, rack[turn])
			}
		}
	}
	return ring
}

func rackOf(b *metaimage.Broker) string {
	if b.Rack == nil {
		return ""
	}
	return *b.Rack
}

// place chooses the replicas of the next partition, factor of them, the
// preferred leader first. There must be an unfenced broker and factor brokers.
func (p *placer) place(factor int) []*metaimage.Broker {
	n := len(p.ring)
	chosen := []*metaimage.Broker{p.ring[p.next%n]}
	distance := 1
	if n > 1 {
		distance = 1 + (p.shift+p.next/n)%(n-1)
	}
	start := p.next + distance
	p.next++
	for _, newRack := range []bool{true, false} {
		for i := 0; i < n && len(chosen) < factor; i++ {
			chosen = appendReplica(chosen, p.ring[(start+i)%n], newRack)
		}
	}
	for _, newRack := range []bool{true, false} {
		for i := 0; i < len(p.fenced) && len(chosen) < factor; i++ {
			chosen = appendReplica(chosen, p.fenced[(start+i)%len(p.fenced)], newRack)
		}
	}
	return chosen
}

func appendReplica(chosen []*metaimage.Broker, b *metaimage.Broker, newRack bool) []*metaimage.Broker {
	for _, c := range chosen {
		if c.BrokerID == b.BrokerID || newRack && rackOf(c) == rackOf(b) {
			return chosen
		}
	}
	return append(chosen, b)
}
