// Package event is the one stream of what happens: a typed event feeds the
// log, the metrics and the simulator's trace from one place.
package event

import "log/slog"

// Event is one of the structs of this package or of the room that emits it.
// Attrs are its fields in a fixed order, for people and for the trace.
type Event interface {
	// Kind is the event's name: lower case words with dashes ("segment-rolled").
	Kind() string
	// Level is the severity under which it is logged.
	Level() slog.Level
	// Attrs are the fields, in a fixed order.
	Attrs() []slog.Attr
}

// Sink takes events. Emit may be called from any goroutine and must not wait.
type Sink interface {
	Emit(Event)
}

// Discard is the sink of tests that do not look.
type Discard struct{}

// Emit does nothing.
func (Discard) Emit(Event) {}
