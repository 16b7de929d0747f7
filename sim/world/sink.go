package world

import (
	"log/slog"
	"strings"

	"github.com/moldau/moldau/broker"
	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/fetcher"
	"github.com/moldau/moldau/broker/quorum"
	"github.com/moldau/moldau/broker/replica"
	"github.com/moldau/moldau/broker/shard"
)

// sink brings a broker's events into the trace, as long as its process lives.
type sink struct {
	node    *Node
	process *process
}

// Emit implements event.Sink.
func (s sink) Emit(e event.Event) {
	if !s.process.fence.Alive() {
		return
	}
	s.tell(e)
	if e.Level() < slog.LevelInfo {
		return
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

// tell passes on what the run has to know.
func (s sink) tell(e event.Event) {
	cfg := &s.node.world.cfg
	switch e := e.(type) {
	case broker.DirectoryOffline:
		s.process.lose()
		if cfg.DirectoryGone != nil {
			cfg.DirectoryGone(s.node, e.Path, false)
		}
	case shard.DamageFound:
		s.process.lose() // its operator has read what helps: a restart
	case quorum.LeaderElectedUnclean:
		if cfg.Elected != nil {
			cfg.Elected(e.Topic, e.Partition)
		}
	case fetcher.CorruptAnswer:
		if cfg.Unsound != nil {
			cfg.Unsound(e.Leader, e.Topic, e.Partition)
		}
	case quorum.OfficeWon:
		if cfg.Controls != nil {
			cfg.Controls(s.node)
		}
	case replica.LeaderEpochStarted:
		if cfg.Leads != nil {
			cfg.Leads(s.node, e.Topic, e.Partition, e.Epoch, true)
		}
	case replica.LeadEnded:
		if cfg.Leads != nil {
			cfg.Leads(s.node, e.Topic, e.Partition, e.Epoch, false)
		}
	}
}
