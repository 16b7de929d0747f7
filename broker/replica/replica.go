package replica

import (
	"github.com/moldau/moldau/broker/seglog"
)

// Replica is one partition on one broker. One shard owns it.
type Replica struct {
	cfg Config
}

// New makes the replica that recovery found. It leads nothing until Apply.
func New(cfg Config, st seglog.State) *Replica { return &Replica{cfg: cfg} }

// Apply takes the role of a newer metadata image; an older one is ignored.
func (r *Replica) Apply(now Times, role Role, ready *Ready) {}

// Produce appends a batch, or refuses it with an Ack.
func (r *Replica) Produce(now Times, p Produce, ready *Ready) {}

// Done takes the disk worker's answer.
func (r *Replica) Done(now Times, d seglog.Done, ready *Ready) {}

// Fetch says what may be read.
func (r *Replica) Fetch(f Fetch) FetchAnswer { return FetchAnswer{} }

// ListOffset finds an offset by timestamp, or says where to search it.
func (r *Replica) ListOffset(q ListOffset) ListOffsetAnswer { return ListOffsetAnswer{} }

// EpochEnd answers OffsetForLeaderEpoch.
func (r *Replica) EpochEnd(currentLeaderEpoch, epoch int32) EpochEnd { return EpochEnd{} }

// DeleteRecords raises the log start to offset, -1 for the high watermark; the
// Ack comes when the log start is durable (rule L7).
func (r *Replica) DeleteRecords(offset int64, token uint64, ready *Ready) {}

// Tick does what is due by the clock: retention, expiry of producers, the end
// of a refusal for want of space. It is cheap when nothing is due.
func (r *Replica) Tick(now Times, ready *Ready) {}

// SetConfig takes the topic's changed configuration.
func (r *Replica) SetConfig(cfg Config) {}

// Status is a snapshot.
func (r *Replica) Status() Status { return Status{} }

// EpochOf is the leader epoch of the batch at offset, -1 if unknown.
func (r *Replica) EpochOf(offset int64) int32 { return -1 }

// HighWatermark is one past the last committed offset.
func (r *Replica) HighWatermark() int64 { return 0 }

// LogStart is the first offset that may be read.
func (r *Replica) LogStart() int64 { return 0 }

// Clone copies the machine; Data in flight is not part of it.
func (r *Replica) Clone() *Replica { return nil }
