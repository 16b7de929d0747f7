package quorum

import (
	"log/slog"

	"github.com/moldau/moldau/broker/controller"
	"github.com/moldau/moldau/broker/event"
)

// OfficeWon: this node is the active controller now.
type OfficeWon struct {
	Node, Epoch int32
	Offset      int64 // of the next record
}

// Kind names the event.
func (OfficeWon) Kind() string { return "controller-elected" }

// Level is its severity.
func (OfficeWon) Level() slog.Level { return slog.LevelInfo }

// Attrs are its fields.
func (e OfficeWon) Attrs() []slog.Attr {
	return []slog.Attr{slog.Int("node", int(e.Node)), slog.Int("epoch", int(e.Epoch)), slog.Int64("offset", e.Offset)}
}

// OfficeLost: this node is the active controller no more.
type OfficeLost struct {
	Node, Epoch int32
	Waiting     int // replies that were answered NOT_CONTROLLER
}

// Kind names the event.
func (OfficeLost) Kind() string { return "controller-resigned" }

// Level is its severity.
func (OfficeLost) Level() slog.Level { return slog.LevelInfo }

// Attrs are its fields.
func (e OfficeLost) Attrs() []slog.Attr {
	return []slog.Attr{slog.Int("node", int(e.Node)), slog.Int("epoch", int(e.Epoch)), slog.Int("waiting", e.Waiting)}
}

// LeaderElectedUnclean: a replica leads that was neither in sync nor eligible;
// committed records may be lost.
type LeaderElectedUnclean controller.UncleanElection

// Kind names the event.
func (LeaderElectedUnclean) Kind() string { return "unclean-leader-elected" }

// Level is its severity.
func (LeaderElectedUnclean) Level() slog.Level { return slog.LevelWarn }

// Attrs are its fields.
func (e LeaderElectedUnclean) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("topic", e.Topic), slog.Int("partition", int(e.Partition)), slog.Int("leader", int(e.Leader))}
}

// SnapshotWritten: the metadata up to an offset is a checkpoint file.
type SnapshotWritten struct {
	Name string
}

// Kind names the event.
func (SnapshotWritten) Kind() string { return "metadata-snapshot-written" }

// Level is its severity.
func (SnapshotWritten) Level() slog.Level { return slog.LevelInfo }

// Attrs are its fields.
func (e SnapshotWritten) Attrs() []slog.Attr { return []slog.Attr{slog.String("name", e.Name)} }

// SnapshotInstalled: this voter was further behind than the leader's log reaches,
// and took the leader's checkpoint.
type SnapshotInstalled struct {
	Name string
}

// Kind names the event.
func (SnapshotInstalled) Kind() string { return "metadata-snapshot-installed" }

// Level is its severity.
func (SnapshotInstalled) Level() slog.Level { return slog.LevelInfo }

// Attrs are its fields.
func (e SnapshotInstalled) Attrs() []slog.Attr { return []slog.Attr{slog.String("name", e.Name)} }

// SnapshotFailed: no checkpoint was written; it is tried again.
type SnapshotFailed struct {
	Err error
}

// Kind names the event.
func (SnapshotFailed) Kind() string { return "metadata-snapshot-failed" }

// Level is its severity.
func (SnapshotFailed) Level() slog.Level { return slog.LevelError }

// Attrs are its fields.
func (e SnapshotFailed) Attrs() []slog.Attr { return []slog.Attr{slog.String("error", e.Err.Error())} }

// StoreStalled: the metadata store hangs, or goes on again.
type StoreStalled struct {
	Stalled bool
}

// Kind names the event.
func (StoreStalled) Kind() string { return "metadata-store-stalled" }

// Level is its severity.
func (StoreStalled) Level() slog.Level { return slog.LevelWarn }

// Attrs are its fields.
func (e StoreStalled) Attrs() []slog.Attr { return []slog.Attr{slog.Bool("stalled", e.Stalled)} }

// RaftSays is a line of the raft library's log.
type RaftSays struct {
	Text string
}

// Kind names the event.
func (RaftSays) Kind() string { return "raft" }

// Level is its severity.
func (RaftSays) Level() slog.Level { return slog.LevelWarn }

// Attrs are its fields.
func (e RaftSays) Attrs() []slog.Attr { return []slog.Attr{slog.String("text", e.Text)} }

// RaftRefused: a connection of raft's was not accepted.
type RaftRefused struct {
	Err error
}

// Kind names the event.
func (RaftRefused) Kind() string { return "raft-connection-refused" }

// Level is its severity.
func (RaftRefused) Level() slog.Level { return slog.LevelWarn }

// Attrs are its fields.
func (e RaftRefused) Attrs() []slog.Attr { return []slog.Attr{slog.String("error", e.Err.Error())} }

var (
	_ event.Event = OfficeWon{}
	_ event.Event = OfficeLost{}
	_ event.Event = LeaderElectedUnclean{}
	_ event.Event = SnapshotWritten{}
	_ event.Event = SnapshotInstalled{}
	_ event.Event = SnapshotFailed{}
	_ event.Event = StoreStalled{}
	_ event.Event = RaftSays{}
	_ event.Event = RaftRefused{}
)
