package sysclock_test

import (
	"bytes"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/moldau/moldau/clock"
	"github.com/moldau/moldau/clock/clocktest"
	"github.com/moldau/moldau/clock/sysclock"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestContract(t *testing.T) {
	clocktest.Run(t, func(*testing.T) (clock.Clock, func(time.Duration)) {
		return sysclock.New(), func(time.Duration) {}
	})
}

func TestEntropyFillsAll(t *testing.T) {
	var e clock.Entropy = sysclock.Entropy{}
	a, b := make([]byte, 64), make([]byte, 64)
	e.Read(a)
	e.Read(b)
	if bytes.Equal(a, b) || bytes.Equal(a[48:], make([]byte, 16)) {
		t.Errorf("entropy: %x then %x", a, b)
	}
}
