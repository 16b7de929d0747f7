package broker

import (
	"log/slog"
	"sync"
)

// DirectoryOffline reports a log directory that is lost to this process; its
// partitions answer KAFKA_STORAGE_ERROR until the node is started anew.
type DirectoryOffline struct {
	Path string
	Err  error
}

// Kind names the event.
func (DirectoryOffline) Kind() string { return "log-directory-offline" }

// Level is Error.
func (DirectoryOffline) Level() slog.Level { return slog.LevelError }

// Attrs are path and reason.
func (e DirectoryOffline) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("path", e.Path), slog.Any("error", e.Err)}
}

// PartitionsWithoutLeader reports, at a start, partitions of this broker that
// nobody leads: every replica that could is damaged or away.
type PartitionsWithoutLeader struct {
	Topic      string
	Partitions []int32
}

// Kind names the event.
func (PartitionsWithoutLeader) Kind() string { return "partitions-without-leader" }

// Level is Error.
func (PartitionsWithoutLeader) Level() slog.Level { return slog.LevelError }

// partitionsNamedMax bounds the partitions that an event names.
const partitionsNamedMax = 20

// Attrs name the partitions and the command that elects what is left of them.
func (e PartitionsWithoutLeader) Attrs() []slog.Attr {
	return []slog.Attr{
		slog.String("topic", e.Topic), slog.Int("count", len(e.Partitions)),
		slog.Any("partitions", e.Partitions[:min(len(e.Partitions), partitionsNamedMax)]),
		slog.String("repair", "moldau topic elect --unclean "+e.Topic),
	}
}

// broadcast wakes everyone who waits for the next change.
type broadcast struct {
	mu sync.Mutex
	ch chan struct{}
}

// wait returns a channel that the next wake closes.
func (b *broadcast) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch == nil {
		b.ch = make(chan struct{})
	}
	return b.ch
}

func (b *broadcast) wake() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ch != nil {
		close(b.ch)
		b.ch = nil
	}
}
