package api

import (
	"errors"
	"runtime"
	"sync/atomic"

	"github.com/moldau/moldau/broker/batch"
)

const (
	// decompressionsMax bounds the batches decompressed at one time; there are
	// no more of them than processors.
	decompressionsMax = 16
	// decompressedSmallMax bounds the records of a batch, in bytes, in one of
	// these places. A larger batch waits for the one place of large ones, so
	// that no number of them takes more memory than one does.
	decompressedSmallMax = 4 << 20
	// decompressedLargeMax bounds the records of any batch, in bytes.
	decompressedLargeMax = batch.DefaultMaxDecompressed
)

// decompressors are the places at which compressed batches are validated. Who
// finds none free waits.
type decompressors struct {
	small chan *batch.Codecs
	large chan *batch.Codecs
	// largest is the most bytes that one batch took so far, for tests.
	largeUses atomic.Uint64
}

func newDecompressors() *decompressors {
	n := min(runtime.GOMAXPROCS(0), decompressionsMax)
	d := &decompressors{small: make(chan *batch.Codecs, n), large: make(chan *batch.Codecs, 1)}
	for range n {
		d.small <- batch.NewCodecs(batch.Limits{MaxDecompressed: decompressedSmallMax})
	}
	d.large <- batch.NewCodecs(batch.Limits{MaxDecompressed: decompressedLargeMax})
	return d
}

// validate is batch.Validate with a place to decompress where one is needed.
func (d *decompressors) validate(raw []byte, policy batch.Policy, now int64) (batch.Info, error) {
	if !policy.Recompress && !compressed(raw) {
		return batch.Validate(nil, raw, policy, now)
	}
	info, err := with(d.small, raw, policy, now)
	if err == nil || !errors.Is(err, batch.ErrTooLarge) {
		return info, err
	}
	d.largeUses.Add(1)
	info, err = with(d.large, raw, policy, now)
	// The heap's goal must not be set by what one large batch needed for a
	// moment: the next would come on top of its remains.
	runtime.GC()
	return info, err
}

func with(place chan *batch.Codecs, raw []byte, policy batch.Policy, now int64) (batch.Info, error) {
	codecs := <-place
	info, err := batch.Validate(codecs, raw, policy, now)
	place <- codecs
	return info, err
}

// compressed reads the codec of a batch's attributes; what is no whole header
// is not compressed.
func compressed(raw []byte) bool {
	const attributesAt = 22 // the lower byte
	return len(raw) > attributesAt && raw[attributesAt]&7 != 0
}
