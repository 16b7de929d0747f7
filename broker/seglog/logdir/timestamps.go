package logdir

import (
	"errors"
	"fmt"
	"io"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/vfs"
)

// TimestampOffset is a record found by its timestamp.
type TimestampOffset struct {
	Offset      int64 // -1 when there is none
	Timestamp   int64 // wall ms
	LeaderEpoch int32
}

func noRecord() TimestampOffset { return TimestampOffset{Offset: -1, Timestamp: -1, LeaderEpoch: -1} }

// OffsetForTimestamp finds the first record at or after the timestamp (wall
// ms) among those from from on and below upTo, as ListOffsets asks for it: a log
// start that is being made durable counts already. It reads at most the
// segments whose time index does not rule them out, and decompresses one batch
// of each candidate.
func (p *Partition) OffsetForTimestamp(timestamp, from, upTo int64) (TimestampOffset, error) {
	start := max(from, p.start.Load())
	for _, s := range p.segments() {
		if s.base >= upTo {
			break
		}
		found, err := p.searchTime(s, timestamp, start, upTo)
		if err != nil || found.Offset >= 0 {
			return found, p.wrapRead(inSegment(s, err))
		}
	}
	return noRecord(), nil
}

func (p *Partition) wrapRead(err error) error {
	if err != nil {
		return fmt.Errorf("read %s-%d: %w", p.topic, p.id.Partition, err)
	}
	return nil
}

// openHeaders opens the batch headers of a segment for reading; the caller
// releases its handle. Of an empty segment nothing is opened.
func (p *Partition) openHeaders(s *segment) (headers, error) {
	size := s.size.Load()
	if size == 0 {
		return headers{}, nil
	}
	f, err := p.d.handles.acquire(s)
	if err != nil {
		return headers{}, err
	}
	return headers{f: f, size: size}, nil
}

// searchTime is OffsetForTimestamp in one segment.
func (p *Partition) searchTime(s *segment, timestamp, start, upTo int64) (TimestampOffset, error) {
	h, err := p.openHeaders(s)
	if err != nil || h.size == 0 {
		return noRecord(), err
	}
	defer p.d.handles.release(s)
	// No record up to the entry below the timestamp is as late as it.
	from := int64(0)
	if e, ok, err := s.timed(p.d.cfg.FS, timestamp-1); err != nil {
		return noRecord(), err
	} else if ok {
		if from, err = s.indexed(p.d.cfg.FS, e.Offset); err != nil {
			return noRecord(), err
		}
	}
	for at := from; at < h.size; {
		head, err := h.read(at)
		if err != nil {
			return noRecord(), err
		}
		if head.BaseOffset >= upTo {
			break
		}
		if head.MaxTimestamp >= timestamp && head.LastOffset() >= start {
			found, err := firstRecord(h.f, at, &head, func(r *batch.Record) bool {
				return r.Timestamp >= timestamp && r.Offset >= start && r.Offset < upTo
			})
			if err != nil || found.Offset >= 0 {
				return found, err
			}
		}
		at += int64(head.Size())
	}
	return noRecord(), nil
}

// batchBodyMax bounds a decompressed batch that is searched, in bytes.
const batchBodyMax = 256 << 20

// firstRecord reads the batch at position at, which began with head, and returns
// its first record that fits.
func firstRecord(f vfs.File, at int64, head *batch.Header, fits func(*batch.Record) bool) (TimestampOffset, error) {
	b := make([]byte, head.Size())
	if _, err := f.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
		return noRecord(), err
	}
	if err := batch.CheckCRC(b); err != nil {
		return noRecord(), fmt.Errorf("%w: %s, position %d: %w", ErrCorrupt, f.Name(), at, err)
	}
	// The base offset is in no checksum: it is the same at two readings, or wrong.
	if again, err := batch.ParseHeader(b); err != nil || again != *head {
		return noRecord(), fmt.Errorf("%w: %s, position %d: header read as %+v and as %+v", ErrCorrupt, f.Name(), at, *head, again)
	}
	body, err := batch.NewCodecs(batch.Limits{MaxDecompressed: batchBodyMax}).Body(*head, b)
	if err != nil {
		return noRecord(), err
	}
	for it := batch.Records(*head, body); ; {
		r, ok, err := it.Next()
		if err != nil || !ok {
			return noRecord(), err
		}
		if fits(&r) {
			return TimestampOffset{Offset: r.Offset, Timestamp: r.Timestamp, LeaderEpoch: head.LeaderEpoch}, nil
		}
	}
}

// MaxTimestampOffset finds the record with the largest timestamp from from on and
// below upTo (ListOffsets -3, KIP-734); the first one of equals.
func (p *Partition) MaxTimestampOffset(from, upTo int64) (TimestampOffset, error) {
	best := noRecord()
	start := max(from, p.start.Load())
	for _, s := range p.segments() {
		if s.base >= upTo {
			break
		}
		found, err := p.maxTime(s, best.Timestamp, start, upTo)
		if err != nil {
			return noRecord(), p.wrapRead(inSegment(s, err))
		}
		if found.Offset >= 0 {
			best = found
		}
	}
	return best, nil
}

// maxTime finds the segment's largest timestamp, if it is above floor. The time
// index leads to the batches after its last entry; all that an entry covers is
// at most as late as it.
func (p *Partition) maxTime(s *segment, floor, start, upTo int64) (TimestampOffset, error) {
	h, err := p.openHeaders(s)
	if err != nil || h.size == 0 {
		return noRecord(), err
	}
	defer p.d.handles.release(s)
	var top batch.Header
	position, largest := int64(-1), floor
	for at := int64(0); at < h.size; {
		head, err := h.read(at)
		if err != nil {
			return noRecord(), err
		}
		if head.BaseOffset >= upTo {
			break
		}
		if head.MaxTimestamp > largest && head.LastOffset() >= start {
			top, position, largest = head, at, head.MaxTimestamp
		}
		at += int64(head.Size())
	}
	if position < 0 {
		return noRecord(), nil
	}
	return firstRecord(h.f, position, &top, func(r *batch.Record) bool {
		return r.Timestamp == largest && r.Offset >= start && r.Offset < upTo
	})
}

// AbortedTransactions lists the aborted transactions that overlap [from, upTo).
func (p *Partition) AbortedTransactions(from, upTo int64) ([]seglog.AbortedTxn, error) {
	var list []seglog.AbortedTxn
	segs := p.segments()
	for i := max(0, segmentAt(segs, from)); i < len(segs); i++ {
		b, err := vfs.ReadFile(p.d.cfg.FS, segs[i].name(seglog.TxnIndexSuffix), smallFileMax)
		if err != nil {
			if ignoreMissing(err) != nil {
				return nil, p.wrapRead(err)
			}
			continue
		}
		txns, err := seglog.ParseTxnIndex(b)
		if err != nil {
			return nil, p.wrapRead(fmt.Errorf("%w: %w", ErrCorrupt, err))
		}
		for _, t := range txns {
			if t.LastOffset >= from && t.FirstOffset < upTo {
				list = append(list, t)
			}
			if t.LastStableOffset >= upTo {
				return list, nil
			}
		}
	}
	return list, nil
}
