package broker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/clock/sysclock"
	"github.com/moldau/moldau/disk/faultfs"
	"github.com/moldau/moldau/disk/memfs"
)

// A lost directory is told with its time and cause; the node goes on to serve
// the others, and no restart is asked for, even when all are lost.
func TestHealthTellsOfLostDirectories(t *testing.T) {
	mem := memfs.New()
	fsys := faultfs.New(mem, sysclock.New())
	n, err := launch(t, fsys, 1, &eventLog{}, twoDirs)
	if err != nil {
		t.Fatal(err)
	}
	if err := n.broker.Healthy(); err != nil || n.broker.Live() != nil || len(n.broker.Troubles()) != 0 {
		t.Fatalf("a healthy node: %v, %v, %q", err, n.broker.Live(), n.broker.Troubles())
	}
	c := n.client()
	spread(t, c, mem)
	began := time.Now().Truncate(time.Second)
	heal := failB(fsys, errDisk, faultfs.OpSync)
	c.multi("t", 0, 4, 60_000, records(t, batch.CodecNone, "lost"))
	troubles := n.broker.Troubles()
	if len(troubles) != 1 || !strings.HasPrefix(troubles[0], "log directory b is offline (") || !strings.Contains(troubles[0], errDisk.Error()) {
		t.Fatalf("troubles %q", troubles)
	}
	_, at, _ := strings.Cut(troubles[0], " since ")
	if since, err := time.Parse(time.RFC3339, at); err != nil || since.Before(began) || since.After(time.Now()) {
		t.Errorf("lost at %q, want a time from %s on", at, began)
	}
	if err := n.broker.Healthy(); err != nil || n.broker.Live() != nil {
		t.Errorf("with one directory of two: %v, %v", err, n.broker.Live())
	}
	_ = n.quit() // not a clean stop: a directory is lost
	heal()
	if err := n.broker.Healthy(); err == nil || err.Error() != "stopping" || n.broker.Live() != nil {
		t.Errorf("after the stop: %v, %v", err, n.broker.Live())
	}
}
