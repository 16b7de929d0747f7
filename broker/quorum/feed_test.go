package quorum

import (
	"bytes"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"github.com/moldau/moldau/broker/raftmeta"
	"github.com/moldau/moldau/clock/manual"
)

// TestFeedProperty: against a plain list of records, a feed says of every log
// end whether it is a prefix, and gives the bytes that follow.
func TestFeedProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var f feed
		epoch, start := int32(1), int64(0)
		var epochs []int32 // by offset, of the whole log
		if rapid.Bool().Draw(t, "behind a snapshot") {
			id := raftmeta.SnapshotID{EndOffset: rapid.Int64Range(1, 9).Draw(t, "end"), Epoch: 3}
			f.restore(id)
			start, epoch = id.EndOffset, 3
			for range start {
				epochs = append(epochs, 3)
			}
		}
		batches := map[int64][]byte{}
		for range rapid.IntRange(0, 8).Draw(t, "batches") {
			epoch += rapid.Int32Range(0, 2).Draw(t, "epoch")
			n := rapid.Int64Range(1, 3).Draw(t, "records")
			b := bytes.Repeat([]byte{byte(f.next)}, rapid.IntRange(1, 20).Draw(t, "bytes"))
			batches[f.next] = b
			for range n {
				epochs = append(epochs, epoch)
			}
			f.append(raftmeta.Applied{Epoch: epoch, BaseOffset: f.next, NextOffset: f.next + n, Batch: b})
		}
		end := int64(len(epochs))
		offset := rapid.Int64Range(0, end+3).Draw(t, "offset")
		last := rapid.Int32Range(0, epoch+2).Draw(t, "last epoch")
		got, _, divergesAt := f.check(offset, last)
		prefix := offset == 0 || offset <= end && epochs[offset-1] == last
		switch {
		case offset < start:
			if got != positionTooOld {
				t.Fatalf("offset %d before %d: %d", offset, start, got)
			}
		case prefix != (got == positionValid):
			t.Fatalf("log that ends at %d with epoch %d: %d, log %v", offset, last, got, epochs)
		case (offset > end && (end == 0 || last >= epochs[end-1])) != (got == positionAhead):
			t.Fatalf("longer log that ends at %d with epoch %d: %d, log %v", offset, last, got, epochs)
		case got == positionDiverges && divergesAt > min(offset, end):
			t.Fatalf("parts at %d of %d", divergesAt, end)
		}
		if got != positionValid {
			return
		}
		limit := rapid.IntRange(1, 60).Draw(t, "limit")
		var want []byte
		for at := offset; at < end; at++ {
			b, ok := batches[at]
			if at == offset && !ok { // inside a batch: it comes whole
				for b == nil {
					at--
					b = batches[at]
				}
				at = f.batches[f.find(at)].NextOffset - 1
			} else if !ok {
				continue
			}
			if len(want) > 0 && len(want)+len(b) > limit {
				break
			}
			want = append(want, b...)
		}
		if read := f.read(offset, limit); !bytes.Equal(read, want) {
			t.Fatalf("read %v, want %v", read, want)
		}
	})
}

func TestFeedTrim(t *testing.T) {
	var f feed
	batch := make([]byte, 100)
	for i := range int64(10) {
		f.append(raftmeta.Applied{Epoch: 1, BaseOffset: i, NextOffset: i + 1, Batch: batch})
	}
	f.trim(7, 200)
	if f.start != 7 || len(f.batches) != 3 || f.bytes != 3*int64(len(batch)) || f.sinceSnap != f.bytes {
		t.Fatalf("start %d, %d batches, %d bytes, %d since", f.start, len(f.batches), f.bytes, f.sinceSnap)
	}
	f.trim(10, 200)
	if f.start != 8 || f.sinceSnap != 0 {
		t.Fatalf("start %d, %d since: two batches trail", f.start, f.sinceSnap)
	}
}

// TestFetchExpires: a long poll ends by the clock.
func TestFetchExpires(t *testing.T) {
	clk := manual.New()
	n := mustStart(t, newFS(), 1, func(c *Config) { c.Clock = clk })
	defer n.q.Kill()
	n.register()
	img := n.holder.Load()
	answer := make(chan kmsg.Response, 1)
	n.q.Dispatch(fetchRequest(img.Offset()+1, img.Epoch(), 10*time.Second), func(r kmsg.Response) { answer <- r })
	n.ask(kmsgDescribe()) // the loop has parked the fetch
	clk.Advance(9 * time.Second)
	n.ask(kmsgDescribe())
	select {
	case <-answer:
		t.Fatal("answered early")
	default:
	}
	clk.Advance(time.Second)
	if r := (<-answer).(*kmsg.FetchResponse); r.ErrorCode != 0 {
		t.Fatal(r.ErrorCode)
	}
}
