package quorum

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// A snapshot is made of few records too, once the interval has passed
// (metadata.log.max.snapshot.interval.ms).
func TestSnapshotByTime(t *testing.T) {
	n := mustStart(t, newFS(), 1, func(c *Config) { c.SnapshotInterval = time.Millisecond })
	defer n.q.Kill()
	n.unfence(n.register())
	n.create("a", 1)
	for deadline := time.Now().Add(time.Minute); ; {
		if _, ok := n.q.cfg.Store.Snapshots.Latest(); ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no snapshot")
		}
		n.ask(kmsgDescribe()).(*kmsg.DescribeQuorumResponse).SetVersion(0) // another turn of the loop
	}
}
