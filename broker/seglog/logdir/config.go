package logdir

import (
	"errors"
	"time"

	"github.com/moldau/moldau/broker/event"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/internal/life"
)

// Config is what a Dir is made from. The first four fields are required; the
// others take their default when zero.
type Config struct {
	FS    vfs.FS
	Clock clock.Clock
	// Entropy names the folders of deleted partitions.
	Entropy clock.Entropy
	Path    string // the log directory, which exists
	Events  event.Sink
	// OnOffline is called once, from a worker goroutine, when the directory is
	// lost to this process (failed sync, I/O error). It must not wait.
	OnOffline func(error)

	// JournalBytes bounds the journal's blocks together; JournalBlockBytes is
	// the size of one. Blocks are made when they are needed.
	JournalBytes      int64
	JournalBlockBytes int64
	// InlineBytesMax is the largest append that a journal commit carries;
	// larger ones go to their segment alone.
	InlineBytesMax int
	// DirectFilesMax is how many dirty files a turn syncs one by one (in
	// parallel) before it commits through the journal; below zero: none.
	DirectFilesMax int
	// SyncLanes is how many syncs are under way at once.
	SyncLanes int
	// RecoveryLanes is how many partitions are recovered at once.
	RecoveryLanes int
	// HandlesMax bounds the open .log files that nobody uses at the moment.
	HandlesMax int
	// MarksBytes and MarksInterval say when moldau.marks is written anew while
	// something changed: after so many bytes appended, or so much time. They
	// bound what a recovery has to scan.
	MarksBytes    int64
	MarksInterval time.Duration
	// CheckpointInterval is how often Kafka's checkpoint files are written, when
	// something changed (replica.high.watermark.checkpoint.interval.ms).
	CheckpointInterval time.Duration
	// BackgroundSyncInterval is how often files of `os` topics are synced.
	BackgroundSyncInterval time.Duration
	// Life ends what waits when the node is gone; nil never ends.
	Life *life.Life

	// lazyJournal leaves the first block to be made when it is needed.
	lazyJournal bool
	// leaveOut makes tests leave out the syncs of one promise.
	leaveOut func(syncPromise) bool
}

// Defaults of Config.
const (
	journalBytesDefault        = 128 << 20
	journalBlockBytesDefault   = 8 << 20
	inlineBytesMaxDefault      = 32 << 10
	directFilesMaxDefault      = 4
	syncLanesDefault           = 16
	recoveryLanesDefault       = 32
	handlesMaxDefault          = 4096
	marksBytesDefault          = 128 << 20
	marksIntervalDefault       = time.Second
	checkpointIntervalDefault  = 5 * time.Second
	backgroundSyncIntervalDflt = 5 * time.Second
)

// EnsureDefaults fills the fields that are zero.
func (c *Config) EnsureDefaults() {
	def(&c.JournalBytes, journalBytesDefault)
	def(&c.JournalBlockBytes, journalBlockBytesDefault)
	def(&c.InlineBytesMax, inlineBytesMaxDefault)
	def(&c.DirectFilesMax, directFilesMaxDefault)
	def(&c.SyncLanes, syncLanesDefault)
	def(&c.RecoveryLanes, recoveryLanesDefault)
	def(&c.HandlesMax, handlesMaxDefault)
	def(&c.MarksBytes, marksBytesDefault)
	def(&c.MarksInterval, marksIntervalDefault)
	def(&c.CheckpointInterval, checkpointIntervalDefault)
	def(&c.BackgroundSyncInterval, backgroundSyncIntervalDflt)
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// journalBlockBytesMin holds a commit of a few small appends.
const journalBlockBytesMin = 64 << 10

// Validate refuses what cannot work.
func (c *Config) Validate() error {
	switch {
	case c.FS == nil, c.Clock == nil, c.Events == nil:
		return errors.New("log directory: file system, clock and event sink are required")
	case c.Path == "":
		return errors.New("log directory: no path")
	case c.JournalBlockBytes < journalBlockBytesMin || c.JournalBlockBytes%pageBytes != 0:
		return errors.New("log directory: a journal block is a multiple of 4096 bytes, 65536 at least")
	case c.JournalBytes < 2*c.JournalBlockBytes:
		return errors.New("log directory: the journal needs two blocks at least")
	case c.InlineBytesMax < 0 || c.SyncLanes < 1 || c.RecoveryLanes < 1 || c.HandlesMax < 1:
		return errors.New("log directory: a limit is out of range")
	}
	return nil
}

// pageBytes is the unit in which the journal is laid out.
const pageBytes = 4096

// Options of one partition; SetConfig changes them.
type Options struct {
	Durability      kafka.Durability
	FileDeleteDelay time.Duration // file.delete.delay.ms
	IndexBytes      int           // segment.index.bytes
}
