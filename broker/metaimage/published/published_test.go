package published

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/moldau/moldau/broker/metaimage"
	"github.com/moldau/moldau/broker/metarecord"
)

func TestHolder(t *testing.T) {
	defer goleak.VerifyNone(t)
	empty := metaimage.New("c")
	one, _, err := empty.Apply([]metarecord.Record{&metarecord.NoOp{}}, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	h := New(empty)
	s, other := h.Subscribe(), h.Subscribe()
	woken := func(s *Subscription) bool {
		select {
		case <-s.Wake():
			return true
		default:
			return false
		}
	}
	if !woken(s) || woken(s) {
		t.Error("a new subscription is ready once")
	}
	other.Close()
	woken(other)
	if h.Publish(empty) || woken(s) {
		t.Error("the same offset was published")
	}
	if !h.Publish(one) || h.Load() != one || !woken(s) || woken(other) {
		t.Error("a newer image was not published, or woke whom it should not")
	}
	if h.Publish(empty) || h.Load() != one {
		t.Error("an older image was published")
	}
	other.Close()
	s.Close()
}
