package logdir

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/internal/life"
)

// TestAbandonedDirectory: the workers of a node that is gone end, whatever they
// wait for.
func TestAbandonedDirectory(t *testing.T) {
	defer goleak.VerifyNone(t)
	l := life.New()
	w := newWorld(t, memfs.New(), func(c *Config) { c.Life = l })
	w.open()
	w.create(1, syncOptions())
	w.logs[0].append(1, 100)
	w.logs[0].awaitDurable()
	c := w.d.committer
	waits := func(set, wait func()) {
		c.mu.Lock()
		set()
		c.mu.Unlock()
		go wait()
	}
	waits(func() { c.needs++ }, c.awaitWritten)
	waits(func() {}, func() { _ = c.call(func(*committer) error { return nil }) })
	l.End()
}
