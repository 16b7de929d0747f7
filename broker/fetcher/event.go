package fetcher

import (
	"log/slog"

	"github.com/moldau/moldau/broker/event"
)

// Disconnected: the connection to a leader broke, or could not be made.
type Disconnected struct {
	Leader  int32
	Address string
	Err     error
}

// Kind names the event.
func (Disconnected) Kind() string { return "follower-disconnected" }

// Level is Info.
func (Disconnected) Level() slog.Level { return slog.LevelInfo }

// Attrs are its fields.
func (e Disconnected) Attrs() []slog.Attr {
	return []slog.Attr{slog.Int("leader", int(e.Leader)), slog.String("address", e.Address), slog.Any("error", e.Err)}
}

// Following: a connection to a leader is open.
type Following struct {
	Leader  int32
	Address string
}

// Kind names the event.
func (Following) Kind() string { return "following" }

// Level is Info.
func (Following) Level() slog.Level { return slog.LevelInfo }

// Attrs are its fields.
func (e Following) Attrs() []slog.Attr {
	return []slog.Attr{slog.Int("leader", int(e.Leader)), slog.String("address", e.Address)}
}

// CorruptAnswer: records that a leader sent are not sound. They are asked for
// again.
type CorruptAnswer struct {
	Leader    int32
	Topic     string
	Partition int32
	Err       error
}

// Kind names the event.
func (CorruptAnswer) Kind() string { return "corrupt-answer" }

// Level is Warn.
func (CorruptAnswer) Level() slog.Level { return slog.LevelWarn }

// Attrs are its fields.
func (e CorruptAnswer) Attrs() []slog.Attr {
	return []slog.Attr{
		slog.Int("leader", int(e.Leader)), slog.String("topic", e.Topic),
		slog.Int("partition", int(e.Partition)), slog.Any("error", e.Err),
	}
}

// Refused: a leader answered a replica's fetch with an error.
type Refused struct {
	Leader    int32
	Topic     string
	Partition int32
	Err       error
}

// Kind names the event.
func (Refused) Kind() string { return "follower-refused" }

// Level is Debug.
func (Refused) Level() slog.Level { return slog.LevelDebug }

// Attrs are its fields.
func (e Refused) Attrs() []slog.Attr {
	return []slog.Attr{
		slog.Int("leader", int(e.Leader)), slog.String("topic", e.Topic),
		slog.Int("partition", int(e.Partition)), slog.Any("error", e.Err),
	}
}

var (
	_ event.Event = Disconnected{}
	_ event.Event = Following{}
	_ event.Event = CorruptAnswer{}
	_ event.Event = Refused{}
)
