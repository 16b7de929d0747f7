package logdir

import (
	"errors"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
)

// Dir is one log directory of a broker. Its methods may be called concurrently.
type Dir struct{ cfg Config }

// Recovered is a partition that Open found in the directory.
type Recovered struct {
	Topic string // as the folder is named
	ID    kafka.TopicPartition
	State seglog.State
	// Err is set when the folder could not be made sense of (no readable
	// partition.metadata); such a partition cannot be adopted.
	Err error
}

// Spec is a partition to create.
type Spec struct {
	Topic string
	ID    kafka.TopicPartition
	Options
}

// Errors, tested with errors.Is.
var (
	// ErrOffline: the directory is lost to this process; restart it to try again.
	ErrOffline = errors.New("log directory is offline")
	// ErrNotFound: no such partition in this directory.
	ErrNotFound = errors.New("no such partition in this log directory")
	// ErrExists: the partition's folder exists.
	ErrExists = errors.New("partition folder exists")
	// ErrOutOfRange: the plan's offset does not lie in the log (it was deleted
	// or cut off since the plan was made).
	ErrOutOfRange = errors.New("offset is not in the log")
	// ErrCorrupt: bytes that were read are no valid batches.
	ErrCorrupt = errors.New("log segment is corrupt")
	// ErrClosed: the directory was closed.
	ErrClosed = errors.New("log directory is closed")
)

// Open takes the directory (.lock), recovers its partitions and starts its
// workers. meta.properties is the caller's affair. A directory in a format
// that this version does not know is refused with a message.
func Open(cfg Config) (*Dir, error) { return nil, errors.ErrUnsupported }

// Recovered lists what Open found, ordered by topic name and partition. States
// are handed over by Adopt; here they are for looking (registration, standing).
func (d *Dir) Recovered() []Recovered { return nil }

// Adopt hands a recovered partition over, once.
func (d *Dir) Adopt(id kafka.TopicPartition, o Options) (*Partition, seglog.State, error) {
	return nil, seglog.State{}, errors.ErrUnsupported
}

// Create makes empty partitions whose logs begin at offset 0 and returns when
// their folders are durable; their first State is that of EmptyState. It waits
// on the disk, so it is not for a shard's loop; many specs in one call share
// their directory syncs. On an error none of them exists for the caller.
func (d *Dir) Create(specs []Spec) ([]*Partition, error) { return nil, errors.ErrUnsupported }

// EmptyState is the state of a partition that was just created, at the wall time nowWall.
func EmptyState(nowWall int64) seglog.State {
	return seglog.State{
		Segments: []seglog.Segment{{MaxTimestamp: -1, MaxTimestampOffset: -1, FirstTimestamp: -1, Created: nowWall}},
		Evidence: seglog.Evidence{Clean: true, LastEpoch: -1},
	}
}

// Submit hands the orders of one shard's turn to the append lane. It never
// waits for the disk: the number of orders is not bounded here, the bytes that
// they carry are bounded by the request memory budget that their buffers are
// charged to. Orders of one partition come from one goroutine at a time.
// After Offline or Close every order is answered Failed.
func (d *Dir) Submit(orders []Order) {}

// Delete takes a partition out: orders that are under way are answered, later
// ones are refused, the folder is renamed to Kafka's "-delete" name and removed
// after the file delete delay, when no reader holds its files. It waits on the disk.
func (d *Dir) Delete(p *Partition) error { return errors.ErrUnsupported }

// Offline is closed when the directory is lost to this process; Err says why.
func (d *Dir) Offline() <-chan struct{} { return nil }

// Err is why the directory is offline, nil while it is not.
func (d *Dir) Err() error { return nil }

// Close stops the workers. A clean close empties the journal into synced
// segments and leaves a Kafka directory: indexes trimmed, producer snapshots,
// checkpoints, and .kafka_cleanshutdown with brokerEpoch. It is clean only
// when clean is set, the directory is online and nothing is under way.
func (d *Dir) Close(clean bool, brokerEpoch int64) error { return nil }

// PreviousBrokerEpoch is what .kafka_cleanshutdown said at Open, -1 when the
// last stop was not clean.
func (d *Dir) PreviousBrokerEpoch() int64 { return -1 }

// Stats is a snapshot of the directory's counters.
type Stats struct {
	Appends, AppendedBytes        uint64
	Turns                         uint64
	DirectSyncs, JournalCommits   uint64
	JournalBytes, BackgroundSyncs uint64
	MarksWritten                  uint64
	PendingBytes                  int64 // written, not yet durable
	OpenFiles, Partitions         int
	OldestSyncMs                  int64 // how long the sync under way has taken, for the stall limit
}

// Stats reads the counters.
func (d *Dir) Stats() Stats { return Stats{} }

// Usage is the size of the file system in bytes.
func (d *Dir) Usage() (total, free int64, err error) { return 0, 0, errors.ErrUnsupported }
