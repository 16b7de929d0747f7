package world

import (
	"log/slog"
	"strings"

	"github.com/moldau/moldau/broker"
	"github.com/moldau/moldau/broker/event"
)

// sink brings a broker's events into the trace, as long as its process lives.
type sink struct {
	node    *Node
	process *process
}

// Emit implements event.Sink.
func (s sink) Emit(e event.Event) {
	if e.Level() < slog.LevelInfo || !s.process.fence.Alive() {
		return
	}
	if _, lost := e.(broker.DirectoryOffline); lost {
		s.process.lose()
	}
	var b strings.Builder
	b.WriteString(e.Kind())
	for _, a := range e.Attrs() {
		b.WriteByte(' ')
		b.WriteString(a.Key)
		b.WriteByte('=')
		b.WriteString(a.Value.String())
	}
	s.node.world.Trace(s.node.Host, b.String())
}
