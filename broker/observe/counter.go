package observe

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/moldau/moldau/broker/event"
)

// kindsMax bounds the kinds of events that are counted; further ones count as
// "other". Kinds are constants of the program.
const kindsMax = 256

// Counter is an event.Sink that counts events by kind and passes them on.
type Counter struct {
	next event.Sink

	mu     sync.Mutex
	counts map[string]uint64
}

// NewCounter returns a Counter in front of next.
func NewCounter(next event.Sink) *Counter {
	return &Counter{next: next, counts: make(map[string]uint64)}
}

// Emit implements event.Sink.
func (c *Counter) Emit(e event.Event) {
	kind := e.Kind()
	c.mu.Lock()
	if _, known := c.counts[kind]; !known && len(c.counts) >= kindsMax {
		kind = "other"
	}
	c.counts[kind]++
	c.mu.Unlock()
	c.next.Emit(e)
}

// Describe implements prometheus.Collector, as an unchecked one.
func (c *Counter) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *Counter) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := emitter{ch: ch, descs: descs{}}
	for kind, n := range c.counts { //det:ok the registry sorts
		e.counter("moldau_events_total", "Events by kind.", n, "kind", kind)
	}
}
