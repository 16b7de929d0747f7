package seglog

import (
	"fmt"

	"github.com/moldau/moldau/broker/buffer"
)

// AppendFollower takes batches as the leader laid them down: offsets given,
// contiguous from Next on, leader epochs that never fall and stay at or below
// epochMax, the epoch that they were asked under (rule F2). They are one order
// for one segment, as in Kafka. An error says what does not fit; then nothing
// has changed and the caller keeps data.
// REQUIRES: at least one batch; data holds exactly these; the batches and those
// Outstanding are at most OutstandingMax.
func (l *Log) AppendFollower(nowWall int64, epochMax int32, batches []Batch, data buffer.Slice) (Op, error) {
	if err := l.checkFollower(epochMax, batches, int64(len(data.Bytes))); err != nil {
		return Op{}, err
	}
	maxTimestamp := batches[0].MaxTimestamp
	for i := range batches {
		maxTimestamp = max(maxTimestamp, batches[i].MaxTimestamp)
	}
	op := l.open(nowWall, int64(len(data.Bytes)), batches[len(batches)-1].LastOffset(), maxTimestamp)
	for i := range batches {
		if i > 0 {
			u := l.undo.Push()
			u.first, u.segment, u.epochs, u.producer.id = l.next, *l.active(), l.epochs, -1
		}
		l.place(&op.Append, &batches[i])
	}
	op.Append.Data = data
	return op, nil
}

// checkFollower is the check of AppendFollower.
func (l *Log) checkFollower(epochMax int32, batches []Batch, size int64) error {
	next, epoch := l.next, l.EpochBefore(l.next)
	for i := range batches {
		b := &batches[i]
		switch {
		case b.BaseOffset != next || b.LastOffset() < b.BaseOffset:
			return fmt.Errorf("append at %d: batch %d has offsets %d to %d", next, i, b.BaseOffset, b.LastOffset())
		case b.LeaderEpoch < epoch:
			return fmt.Errorf("append at %d: leader epoch %d of batch %d is below %d", next, b.LeaderEpoch, i, epoch)
		case b.LeaderEpoch > epochMax:
			return fmt.Errorf("append at %d: leader epoch %d of batch %d is above %d", next, b.LeaderEpoch, i, epochMax)
		case b.Size <= 0 || b.Size > size:
			return fmt.Errorf("append at %d: batch %d of %d bytes, %d are left", next, i, b.Size, size)
		}
		next, epoch, size = b.LastOffset()+1, b.LeaderEpoch, size-b.Size
	}
	if size != 0 {
		return fmt.Errorf("append at %d: %d bytes after the last batch", next, size)
	}
	return nil
}
