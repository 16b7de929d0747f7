package seglog

import (
	"encoding/binary"
	"fmt"

	"github.com/moldau/moldau/broker/batch"
)

// encodeBatch makes a data batch as b describes it, with one record of size
// bytes for each offset.
func encodeBatch(b Batch, size int) []byte {
	opts := batch.BuilderOptions{BaseOffset: b.BaseOffset, LeaderEpoch: b.LeaderEpoch, Transactional: b.Transactional}
	if b.ProducerID > 0 {
		opts.Producer = &batch.Producer{ID: b.ProducerID, Epoch: b.ProducerEpoch, BaseSequence: b.BaseSequence}
	}
	builder := batch.NewBuilder(opts)
	for range b.LastOffsetDelta + 1 {
		if err := builder.Append(batch.NewRecord{Timestamp: b.MaxTimestamp, Value: make([]byte, size)}); err != nil {
			panic(err)
		}
	}
	return build(builder)
}

// encodeMarker makes the control batch that b describes.
func encodeMarker(b Batch) []byte {
	builder := batch.NewBuilder(batch.BuilderOptions{
		BaseOffset: b.BaseOffset, LeaderEpoch: b.LeaderEpoch, Transactional: true, Control: true,
		Producer: &batch.Producer{ID: b.ProducerID, Epoch: b.ProducerEpoch, BaseSequence: -1},
	})
	kind := map[Marker]byte{MarkerAbort: 0, MarkerCommit: 1}[b.Marker]
	value := binary.BigEndian.AppendUint32([]byte{0, 0}, uint32(b.CoordinatorEpoch))
	if err := builder.Append(batch.NewRecord{Timestamp: b.MaxTimestamp, Key: []byte{0, 0, 0, kind}, Value: value}); err != nil {
		panic(err)
	}
	return build(builder)
}

func build(b *batch.Builder) []byte {
	raw, err := b.Build(nil)
	if err != nil {
		panic(fmt.Sprintf("build: %v", err))
	}
	return raw
}
