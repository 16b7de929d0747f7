package shard

import (
	"errors"
	"fmt"
	"testing"

	"github.com/moldau/moldau/broker/seglog/logdir"
)

// Bytes that are no batches only the first time are no damage; other errors
// are not tried again.
func TestCheckedReadsTwice(t *testing.T) {
	other := errors.New("the disk's")
	for name, c := range map[string]struct {
		errs  []error
		want  error
		calls int
	}{
		"whole":        {[]error{nil}, nil, 1},
		"wrong once":   {[]error{fmt.Errorf("read: %w", logdir.ErrCorrupt), nil}, nil, 2},
		"another":      {[]error{other}, other, 1},
		"then another": {[]error{logdir.ErrCorrupt, other}, other, 2},
	} {
		calls := 0
		var h Handle
		err := h.Checked(func() error {
			calls++
			return c.errs[calls-1]
		})
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) || calls != c.calls || h.damaged.Load() {
			t.Errorf("%s: %v after %d calls", name, err, calls)
		}
	}
}
