package main

import (
	"context"
	"log/slog"

	"github.com/moldau/moldau/broker/event"
)

// eventLog writes the node's events to the log.
type eventLog struct{ logger *slog.Logger }

// Emit implements event.Sink.
func (l eventLog) Emit(e event.Event) {
	if level := e.Level(); l.logger.Enabled(context.Background(), level) {
		l.logger.LogAttrs(context.Background(), level, e.Kind(), e.Attrs()...)
	}
}
