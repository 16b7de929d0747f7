package replica

import (
	"testing"

	"github.com/moldau/moldau/broker/buffer"
	"github.com/moldau/moldau/broker/seglog"
)

// BenchmarkProduce is one idempotent batch of 16 KiB through the machine, from
// the request to its ack.
func BenchmarkProduce(b *testing.B) {
	for _, c := range []struct {
		name string
		size int
		pid  int64
	}{{"16KiB", 16 << 10, 7}, {"100B", 100, 7}, {"no-producer", 100, -1}} {
		b.Run(c.name, func(b *testing.B) {
			cfg := testConfig()
			r := New(cfg, seglog.State{Segments: []seglog.Segment{seglog.EmptySegment(0, 0)}})
			var ready Ready
			r.Apply(Times{}, Role{Leader: 1, LeaderEpoch: 1, ISR: []int32{1}, MinISR: 1}, &ready)
			data := make([]byte, c.size)
			b.ReportAllocs()
			for i := range b.N {
				r.Produce(Times{Wall: int64(i)}, Produce{
					Batch: seglog.Batch{MaxTimestamp: int64(i), ProducerID: c.pid, BaseSequence: int32(i & (1<<31 - 1))},
					Data:  buffer.Own(data), Acks: AcksAll, Token: uint64(i), LeaderEpoch: NoEpoch,
				}, &ready)
				r.Done(Times{}, seglog.Done{Kind: seglog.Written, UpTo: int64(i + 1)}, &ready)
				r.Done(Times{}, seglog.Done{Kind: seglog.Durable, UpTo: int64(i + 1)}, &ready)
				if len(ready.Acks) != 1 {
					b.Fatalf("%d acks", len(ready.Acks))
				}
				ready.Reset()
			}
		})
	}
}

// BenchmarkFetch is a consumer at the tail.
func BenchmarkFetch(b *testing.B) {
	r := New(testConfig(), seglog.State{Segments: []seglog.Segment{seglog.EmptySegment(0, 0)}})
	var ready Ready
	r.Apply(Times{}, Role{Leader: 1, LeaderEpoch: 1, ISR: []int32{1}, MinISR: 1}, &ready)
	for i := range int64(100) {
		r.Produce(Times{}, Produce{Batch: seglog.Batch{ProducerID: -1}, Data: buffer.Own(make([]byte, 100)), Acks: AcksNone, LeaderEpoch: NoEpoch}, &ready)
		r.Done(Times{}, seglog.Done{Kind: seglog.Durable, UpTo: i + 1}, &ready)
	}
	b.ReportAllocs()
	for i := range b.N {
		if a := r.Fetch(Fetch{Offset: int64(i % 100), CurrentLeaderEpoch: 1, LastFetchedEpoch: NoEpoch, MaxBytes: 1 << 20}); a.Available == 0 {
			b.Fatal("nothing to read")
		}
	}
}

// BenchmarkFollowerFetch is a follower that has all of an idle log.
func BenchmarkFollowerFetch(b *testing.B) {
	r := New(testConfig(), seglog.State{Segments: []seglog.Segment{seglog.EmptySegment(0, 0)}})
	var ready Ready
	r.Apply(Times{}, Role{
		Leader: 1, LeaderEpoch: 1, ISR: []int32{1, 2, 3}, Replicas: []int32{1, 2, 3}, BrokerEpochs: []int64{1, 2, 3}, Addable: []bool{true, true, true}, MinISR: 1,
	}, &ready)
	b.ReportAllocs()
	for b.Loop() {
		a := r.FollowerFetch(Times{}, Position{Broker: 2, BrokerEpoch: 2, LeaderEpoch: 1}, Fetch{LastFetchedEpoch: NoEpoch, CurrentLeaderEpoch: 1}, &ready)
		if a.Code != 0 || a.Available > 0 {
			b.Fatalf("%+v", a)
		}
		ready.Reset()
	}
}
