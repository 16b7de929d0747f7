package simnet

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/moldau/moldau/internal/simcore"
	"github.com/moldau/moldau/net/transport"
)

// TestNothingBeginsAfterTheEnd: a process ends between the beginning of a call and
// what the call does. Its port is free for the next process, and nobody is called.
func TestNothingBeginsAfterTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(Config{Timebase: simcore.ProcessTime{}})
		before := f.Join("b", nil)
		before.crashed(simcore.Kill)
		if _, err := before.listen("b:1"); !errors.Is(err, transport.ErrClosed) {
			t.Errorf("listen: %v", err)
		}
		after := f.Join("b", nil)
		if _, err := after.listen("b:1"); err != nil {
			t.Errorf("the next process: %v", err)
		}
		if _, err := before.dial("b:1", time.Second, nil); !errors.Is(err, transport.ErrClosed) {
			t.Errorf("dial: %v", err)
		}
		if n := f.Open(); n != 0 {
			t.Errorf("%d connections", n)
		}
	})
}
