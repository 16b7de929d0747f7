// Package published holds the image that a process shows to all its parts: one
// atomic pointer, moved forward only. A reader loads it once for a request or a
// turn and passes it on; two loads in one request may see two images.
//
// It is NOT a history and carries no deltas: a subscriber keeps the image that
// it handled last and asks the new one what changed since (Image.Since).
package published

import (
	"sync"
	"sync/atomic"

	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/internal/yield"
)

// Holder is where the current image is published. All methods may be called
// concurrently.
type Holder struct {
	current atomic.Pointer[metaimage.Image]

	mu   sync.Mutex // guards publication and subs
	subs []*Subscription
}

// New holds img, which must not be nil.
func New(img *metaimage.Image) *Holder {
	h := &Holder{}
	h.current.Store(img)
	return h
}

// Load is the current image, never nil.
func (h *Holder) Load() *metaimage.Image {
	yield.Point()
	return h.current.Load()
}

// Publish makes img the current image if it contains more than the current
// one, and wakes the subscribers. It reports whether it did.
func (h *Holder) Publish(img *metaimage.Image) bool {
	yield.Point()
	h.mu.Lock()
	defer h.mu.Unlock()
	if img.Offset() <= h.current.Load().Offset() {
		return false
	}
	h.current.Store(img)
	for _, s := range h.subs {
		s.signal()
	}
	return true
}

// Subscribe returns a subscription whose channel is ready at once, so that the
// subscriber begins with the image that is there.
func (h *Holder) Subscribe() *Subscription {
	s := &Subscription{holder: h, wake: make(chan struct{}, 1)}
	s.signal()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.subs = append(h.subs, s)
	return s
}

// Subscription wakes its owner after each publication. Several publications
// may show as one wake.
type Subscription struct {
	holder *Holder
	wake   chan struct{} // one slot
}

// Wake receives when there may be a newer image than was loaded before.
func (s *Subscription) Wake() <-chan struct{} { return s.wake }

// Close ends the subscription. The channel is not closed.
func (s *Subscription) Close() {
	h := s.holder
	h.mu.Lock()
	defer h.mu.Unlock()
	for i, other := range h.subs {
		if other == s {
			h.subs = append(h.subs[:i:i], h.subs[i+1:]...)
			return
		}
	}
}

func (s *Subscription) signal() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
