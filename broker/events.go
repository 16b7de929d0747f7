package broker

import (
	"log/slog"
	"sync"

	"github.com/moldau/moldau/broker/quorum"
	"github.com/moldau/moldau/net/transport"
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

// raftSniffer hands raft's connections on the controller listener to the quorum.
type raftSniffer struct{ q *quorum.Quorum }

// Take implements server.Sniffer.
func (s raftSniffer) Take(tc transport.Conn, first []byte) { s.q.AcceptRaft(tc, first) }

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
