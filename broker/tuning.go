package broker

import (
	"time"

	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/seglog/logdir"
	"github.com/moldau/moldau/internal/guard"
)

// Tuning sets what no setting names. Zero leaves a field as it is. It is for
// simulations, whose runs are too short for bounds made for real loads.
type Tuning struct {
	// SegmentBytesMax caps segment.bytes of every topic.
	SegmentBytesMax int64
	// See logdir.Config.
	JournalBytes, JournalBlockBytes       int64
	InlineBytesMax                        int
	DirectFilesMax                        int // below zero: none
	HandlesMax                            int
	MarksBytes                            int64
	MarksInterval, BackgroundSyncInterval time.Duration
	// MetadataTrailingLen and MetadataTrailingBytes are what is kept behind a snapshot
	// of the metadata: entries of raft's log for voters, records for observers. Below
	// zero: nothing, so that whoever is late gets the snapshot.
	MetadataTrailingLen   int
	MetadataTrailingBytes int64
	// Out are rules of the replication contract to do without, so that it is seen
	// what they are for: none can be, without the tag explore.
	Out guard.Set
}

// disk applies the tuning to a log directory's configuration.
func (t *Tuning) disk(c logdir.Config) logdir.Config {
	c.JournalBytes, c.JournalBlockBytes, c.InlineBytesMax = t.JournalBytes, t.JournalBlockBytes, t.InlineBytesMax
	c.DirectFilesMax, c.HandlesMax = t.DirectFilesMax, t.HandlesMax
	c.MarksBytes, c.MarksInterval, c.BackgroundSyncInterval = t.MarksBytes, t.MarksInterval, t.BackgroundSyncInterval
	return c
}

// topic applies the tuning to a topic's configuration.
func (t *Tuning) topic(c config.Topic) config.Topic {
	if t.SegmentBytesMax > 0 {
		c.SegmentBytes = min(c.SegmentBytes, t.SegmentBytesMax)
	}
	return c
}
