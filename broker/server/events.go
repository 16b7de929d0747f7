package server

import (
	"errors"
	"log/slog"
	"sync"

	"github.com/moldau/moldau/net/transport"
)

// AcceptFailed reports a listener that could not accept. Clients wait, or are
// turned away by the system, until it can again.
type AcceptFailed struct {
	Listener string
	Err      error
	// Failures are the attempts that failed since the last report; Connections
	// how many are open.
	Failures    int
	Connections int64
}

// Kind names the event.
func (AcceptFailed) Kind() string { return "accept-failed" }

// Level is Warn.
func (AcceptFailed) Level() slog.Level { return slog.LevelWarn }

// Attrs are listener and error.
func (e AcceptFailed) Attrs() []slog.Attr {
	attrs := []slog.Attr{slog.String("listener", e.Listener), slog.Any("error", e.Err), slog.Int("failures", e.Failures), slog.Int64("connections", e.Connections)}
	if errors.Is(e.Err, transport.ErrTooManyFiles) {
		attrs = append(attrs, slog.String("hint", "raise the limit of open files (ulimit -n, LimitNOFILE) or lower max.connections"))
	}
	return attrs
}

// AcceptBlocked reports that new connections wait until others end.
type AcceptBlocked struct {
	// Listener and Host are those of the first that waits.
	Listener, Host string
	Limits         Limits
	Connections    int64
}

// Kind names the event.
func (AcceptBlocked) Kind() string { return "accept-blocked" }

// Level is Warn.
func (AcceptBlocked) Level() slog.Level { return slog.LevelWarn }

// Attrs are listener, host, limits, and what may be done.
func (e AcceptBlocked) Attrs() []slog.Attr {
	return []slog.Attr{
		slog.String("listener", e.Listener), slog.String("host", e.Host), slog.Int64("connections", e.Connections),
		slog.Int("max", e.Limits.Node), slog.Int("maxOfListener", e.Limits.Listener),
		slog.String("hint", "max.connections, or five eighths of the open files that the process may have (ulimit -n, LimitNOFILE), are in use; max.connections.per.ip bounds strangers"),
	}
}

// refusalsReportedMax are the refused connections reported one by one between
// two rounds of the janitor; the rest is counted, so that a flood of strangers
// does not become a flood of the log.
const refusalsReportedMax = 4

// refusals is what was refused since the janitor's last round.
type refusals struct {
	mu       sync.Mutex
	reported int
	more     uint64
	last     ConnectionRefused
}

// refused reports e, or counts it.
func (s *Server) refused(e ConnectionRefused) {
	r := &s.refusals
	r.mu.Lock()
	report := r.reported < refusalsReportedMax
	if report {
		r.reported++
	} else {
		r.more++
		r.last = e
	}
	r.mu.Unlock()
	if report {
		s.cfg.Events.Emit(e)
	}
}

// reportRefusals reports the last one of those that were only counted.
func (s *Server) reportRefusals() {
	r := &s.refusals
	r.mu.Lock()
	more, last := r.more, r.last
	r.reported, r.more, r.last = 0, 0, ConnectionRefused{}
	r.mu.Unlock()
	if more > 0 {
		last.More = more - 1
		s.cfg.Events.Emit(last)
	}
}

// ConnectionRefused reports a connection closed for what it sent.
type ConnectionRefused struct {
	Listener, Host string
	Err            error
	// More is how many were refused beside it since the last report.
	More uint64
}

// Kind names the event.
func (ConnectionRefused) Kind() string { return "connection-refused" }

// Level is Info: what strangers send is no fault of the node.
func (ConnectionRefused) Level() slog.Level { return slog.LevelInfo }

// Attrs are listener, host and reason.
func (e ConnectionRefused) Attrs() []slog.Attr {
	return []slog.Attr{slog.String("listener", e.Listener), slog.String("host", e.Host), slog.Any("reason", e.Err), slog.Uint64("more", e.More)}
}
