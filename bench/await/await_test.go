package await

import (
	"errors"
	"testing"
	"time"
)

func TestUntil(t *testing.T) {
	looks := 0
	if err := Until(time.Hour, 0, func() error {
		if looks++; looks < 3 {
			return errors.New("not yet")
		}
		return nil
	}); err != nil || looks != 3 {
		t.Errorf("%v after %d looks", err, looks)
	}
	never := errors.New("never")
	if err := Until(0, 0, func() error { return never }); !errors.Is(err, never) {
		t.Errorf("got %v", err)
	}
}
