package api

import (
	"errors"
	"runtime"

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
	large chan struct{}
}

func newDecompressors() *decompressors {
	n := min(runtime.GOMAXPROCS(0), decompressionsMax)
	d := &decompressors{small: make(chan *batch.Codecs, n), large: make(chan struct{}, 1)}
	for range n {
		d.small <- batch.NewCodecs(batch.Limits{MaxDecompressed: decompressedSmallMax})
	}
	return d
}

// validate is batch.Validate with a place to decompress where one is needed.
func (d *decompressors) validate(raw []byte, policy batch.Policy, now int64) (batch.Info, error) {
	if !policy.Recompress && !compressed(raw) {
		return batch.Validate(nil, raw, policy, now)
	}
	codecs := <-d.small
	info, err := batch.Validate(codecs, raw, policy, now)
	d.small <- codecs
	if err == nil || !errors.Is(err, batch.ErrTooLarge) {
		return info, err
	}
	d.large <- struct{}{}
	// Used once: decoders keep hold of the last memory that they wrote to.
	info, err = batch.Validate(batch.NewCodecs(batch.Limits{MaxDecompressed: decompressedLargeMax}), raw, policy, now)
	// What this batch took must be gone before the next may take as much, and
	// must not set the heap's goal.
	runtime.GC()
	<-d.large
	return info, err
}

// compressed reads the codec of a batch's attributes; what is no whole header
// is not compressed.
func compressed(raw []byte) bool {
	const attributesAt = 22 // the lower byte
	return len(raw) > attributesAt && raw[attributesAt]&7 != 0
}
