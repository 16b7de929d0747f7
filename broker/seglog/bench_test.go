package seglog

import (
	"testing"

	"github.com/moldau/moldau/broker/buffer"
)

// BenchmarkAppend is one batch through the log, with an index entry each
// (16 KiB) and without.
func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{16 << 10, 100} {
		b.Run(map[int]string{100: "100B", 16 << 10: "16KiB"}[size], func(b *testing.B) {
			l := NewLog(DefaultConfig(), State{Segments: []Segment{EmptySegment(0, 0)}})
			data := buffer.Own(make([]byte, size))
			b.ReportAllocs()
			for i := range b.N {
				op := l.Append(int64(i), Batch{MaxTimestamp: int64(i), ProducerID: 7, BaseSequence: int32(i & (1<<31 - 1))}, 1, data)
				l.Written(op.Append.LastOffset + 1)
			}
		})
	}
}
