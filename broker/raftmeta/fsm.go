package raftmeta

import (
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/hashicorp/raft"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metaimage/published"
	"github.com/moldau/moldau/broker/metarecord"
)

// Applied is an entry of the metadata log that was committed and is contained
// in the published image.
type Applied struct {
	Index      uint64 // raft's
	Epoch      int32  // raft's term
	BaseOffset int64
	NextOffset int64  // after the last record
	Batch      []byte // one record batch; not to be changed
}

// FSMConfig describes the state machine.
type FSMConfig struct {
	Holder *published.Holder
	// OnApplied hears of committed entries that count, in order, after their
	// image was published, and of raft's index up to which entries were looked
	// at. It is called on raft's goroutine and must not wait.
	OnApplied func(applied []Applied, handled uint64)
	// OnRestored hears that the log now begins behind a snapshot. As OnApplied.
	OnRestored func(SnapshotID)
	// OnFailure hears of an entry that this program cannot apply: the node
	// must stop. As OnApplied.
	OnFailure func(error)
}

// FSM applies committed entries to the image. Raft's goroutine owns it.
//
// The process has one image, which the broker's own fetches may have brought
// further: records that it contains are skipped. An entry counts if its term
// is its log entry's and its base offset the next one; else it was proposed
// by a leader that had lost its office, and is dropped.
type FSM struct {
	cfg       FSMConfig
	codecs    *batch.Codecs
	next      int64 // offset after the last record of the entries that counted
	timestamp int64 // of the last record, wall ms
}

var _ raft.BatchingFSM = (*FSM)(nil)

// NewFSM makes a state machine that has applied nothing.
func NewFSM(cfg FSMConfig) (*FSM, error) {
	if cfg.Holder == nil || cfg.OnApplied == nil || cfg.OnRestored == nil || cfg.OnFailure == nil {
		return nil, errors.New("metadata state machine: holder or a callback is missing")
	}
	return &FSM{cfg: cfg, codecs: metarecord.NewCodecs()}, nil
}

// Apply applies one entry.
func (f *FSM) Apply(l *raft.Log) any {
	f.ApplyBatch([]*raft.Log{l})
	return nil
}

// ApplyBatch applies entries and publishes one image of them all.
func (f *FSM) ApplyBatch(logs []*raft.Log) []any {
	applied, err := f.apply(logs)
	if err == nil {
		f.cfg.OnApplied(applied, logs[len(logs)-1].Index)
	} else {
		// An entry that this program cannot read stops the node. Raft would
		// go on, so the goroutine that applies ends here.
		f.cfg.OnFailure(err)
		runtime.Goexit()
	}
	return make([]any, len(logs))
}

func (f *FSM) apply(logs []*raft.Log) (applied []Applied, err error) {
	img := f.cfg.Holder.Load()
	for _, l := range logs {
		if l.Type != raft.LogCommand {
			continue
		}
		e, err := ParseEntry(l.Data)
		if err != nil {
			return applied, fmt.Errorf("raft entry %d: %w", l.Index, err)
		}
		if e.Term != l.Term || e.BaseOffset != f.next {
			continue
		}
		next, err := f.applyEntry(img, e)
		if err != nil {
			return applied, fmt.Errorf("raft entry %d: %w", l.Index, err)
		}
		img = next
		applied = append(applied, Applied{
			Index: l.Index, Epoch: int32(l.Term), BaseOffset: e.BaseOffset, NextOffset: f.next, Batch: e.Batch,
		})
	}
	f.cfg.Holder.Publish(img)
	return applied, nil
}

// applyEntry applies the records that img lacks and moves next on. An entry
// is one batch, so that an image which followed the log by fetches ends
// between entries too.
func (f *FSM) applyEntry(img *metaimage.Image, e Entry) (*metaimage.Image, error) {
	b, rest, err := metarecord.DecodeBatch(e.Batch, f.codecs)
	if err != nil {
		return nil, err
	}
	if b.BaseOffset != f.next || b.Control || len(b.Records) == 0 || b.Epoch != int32(e.Term) || len(rest) > 0 {
		return nil, fmt.Errorf("batch at offset %d of epoch %d with %d records where %d of epoch %d is next: %w",
			b.BaseOffset, b.Epoch, len(b.Records), f.next, e.Term, ErrDamaged)
	}
	next, err := ApplyMissing(img, b)
	if err != nil {
		return nil, err
	}
	f.next += int64(len(b.Records))
	f.timestamp = max(f.timestamp, b.Timestamp)
	return next, nil
}

// ApplyMissing applies those records of b that img does not contain yet.
func ApplyMissing(img *metaimage.Image, b metarecord.Batch) (*metaimage.Image, error) {
	contained := img.Offset() + 1 - b.BaseOffset
	if contained >= int64(len(b.Records)) {
		return img, nil
	}
	contained = max(contained, 0)
	next, _, err := img.Apply(b.Records[contained:], b.BaseOffset+contained, b.Epoch)
	return next, err
}

// ErrInTransaction: no snapshot is made while a metadata transaction is open.
var ErrInTransaction = errors.New("a metadata transaction is open")

// Snapshot captures the published image, which may hold more than raft's index.
func (f *FSM) Snapshot() (raft.FSMSnapshot, error) {
	img := f.cfg.Holder.Load()
	switch {
	case img.Empty():
		return nil, raft.ErrNothingNewToSnapshot
	case img.InTransaction():
		return nil, ErrInTransaction
	}
	return &imageSnapshot{img: img, timestamp: f.timestamp}, nil
}

// Restore makes the snapshot's image the published one, unless that is newer.
func (f *FSM) Restore(source io.ReadCloser) error {
	data, err := io.ReadAll(io.LimitReader(source, checkpointBytesMax+1))
	if err != nil {
		return fmt.Errorf("read snapshot: %w", err)
	}
	if len(data) > checkpointBytesMax {
		return fmt.Errorf("read snapshot: larger than %d bytes", checkpointBytesMax)
	}
	id, err := ParseSnapshotPrefix(data)
	if err != nil {
		return err
	}
	img, timestamp, err := LoadCheckpoint(f.cfg.Holder.Load().ClusterID(), id, data[snapPrefixLen:])
	if err != nil {
		return err
	}
	f.next, f.timestamp = id.EndOffset, timestamp
	f.cfg.Holder.Publish(img)
	f.cfg.OnRestored(id)
	return nil
}
