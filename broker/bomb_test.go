package broker_test

import (
	"bytes"
	"runtime"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/disk/memfs"
)

// Batches of few bytes that decompress to a hundred megabytes come by many
// connections at once: one of them at a time gets that much memory, and small
// compressed batches do not wait behind them.
func TestDecompressionBombs(t *testing.T) {
	for _, codec := range []batch.Codec{batch.CodecZstd, batch.CodecGzip} {
		t.Run(codec.String(), func(t *testing.T) { testBombs(t, codec) })
	}
}

func testBombs(t *testing.T, codec batch.Codec) {
	const (
		connections = 8
		bombsEach   = 2
		// liveMax is four bombs: one is live, and what was allocated or became
		// garbage while the collector marked counts as live, too. All of them at once are more than eight.
		liveMax = 400 << 20
	)
	n := startNode(t, memfs.New())
	defer n.stop()
	n.client().createTopic("t", 1, anyAge)
	bomb := bytes.Clone(encoded(t, batch.BuilderOptions{Compression: batch.Compression{Codec: codec}}, batch.NewRecord{Key: []byte("k"), Value: make([]byte, 100<<20)}))
	small := records(t, codec, "x")
	runtime.GC()
	// What lives, not what is not collected yet: that is for the collector to say, and for who else uses the machine.
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	var done atomic.Bool
	peak := uint64(0)
	var watch, senders sync.WaitGroup
	watch.Go(func() {
		for !done.Load() {
			metrics.Read(live)
			peak = max(peak, live[0].Value.Uint64())
			runtime.Gosched()
		}
	})
	for range connections {
		senders.Go(func() {
			c := n.client()
			for range bombsEach {
				raw := append([]byte(nil), bomb...)
				if p := c.produce("t", 0, -1, raw); p.ErrorCode != 0 {
					t.Errorf("bomb: %s", kafka.ErrorCode(p.ErrorCode))
				}
				if p := c.produce("t", 0, -1, append([]byte(nil), small...)); p.ErrorCode != 0 {
					t.Errorf("small batch: %s", kafka.ErrorCode(p.ErrorCode))
				}
			}
		})
	}
	senders.Wait()
	done.Store(true)
	watch.Wait()
	t.Logf("peak of what lives %d MiB", peak>>20)
	if peak > liveMax {
		t.Errorf("%d MiB were live", peak>>20)
	}
}
