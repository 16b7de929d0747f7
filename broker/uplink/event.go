package uplink

import (
	"log/slog"

	"github.com/moldau/moldau/broker/event"
)

// Registered: the broker was registered.
type Registered struct {
	Node  int32
	Epoch int64
}

// Kind names the event.
func (Registered) Kind() string { return "broker-registered" }

// Level is its severity.
func (Registered) Level() slog.Level { return slog.LevelInfo }

// Attrs are its fields.
func (e Registered) Attrs() []slog.Attr {
	return []slog.Attr{slog.Int("node", int(e.Node)), slog.Int64("epoch", e.Epoch)}
}

// Fenced: the broker was fenced or unfenced.
type Fenced struct {
	Node   int32
	Fenced bool
}

// Kind names the event.
func (Fenced) Kind() string { return "broker-fenced" }

// Level is its severity.
func (Fenced) Level() slog.Level { return slog.LevelInfo }

// Attrs are its fields.
func (e Fenced) Attrs() []slog.Attr {
	return []slog.Attr{slog.Int("node", int(e.Node)), slog.Bool("fenced", e.Fenced)}
}

// Retrying: a request to the controllers did not succeed and is sent again.
type Retrying struct {
	Request string
	Reason  string
}

// Kind names the event.
func (Retrying) Kind() string { return "controller-request-retried" }

// Level is its severity.
func (Retrying) Level() slog.Level { return slog.LevelDebug }

// Attrs are its fields.
func (e Retrying) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("request", e.Request), slog.String("reason", e.Reason)}
}

var (
	_ event.Event = Registered{}
	_ event.Event = Fenced{}
	_ event.Event = Retrying{}
)
