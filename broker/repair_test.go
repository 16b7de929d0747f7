package broker_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/dump"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/simfs"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/internal/simcore"
)

const (
	offsetsFolder  = "data/__consumer_offsets-0"
	offsetsSegment = offsetsFolder + "/00000000000000000000.log"
	repairCommits  = 20
)

// withOffsets is the disk of a node with one group, whose offsets were
// committed one after the other, after a clean stop and after a kill.
func withOffsets(t *testing.T) (clean, killed *memfs.FS) {
	t.Helper()
	base := memfs.New()
	n, err := launch(t, base, 1, &eventLog{}, rotProperties...)
	if err != nil {
		t.Fatal(err)
	}
	c := n.client()
	c.createTopic("t", 1)
	c.findCoordinator("g")
	if code := c.commit("g", "t", 0, 0); code != 0 {
		t.Fatalf("commit: %s", code)
	}
	for i := range repairCommits {
		if code := c.commit("g", "t", 0, int64(1+i)); code != 0 {
			t.Fatalf("commit: %s", code)
		}
	}
	killed = afterMarks(t, base, c)
	n.stop()
	return base, killed
}

// flipInBatch changes a bit of the records of the batch that ends where the
// part of the file does.
func flipInBatch(t *testing.T, fsys vfs.FS, name string, part float64) {
	t.Helper()
	err := change(fsys, name, func(f vfs.File, size int64) error {
		raw := make([]byte, size)
		if _, err := f.ReadAt(raw, 0); err != nil && err != io.EOF {
			return err
		}
		at := 0
		for rest := raw; float64(at) < part*float64(size); {
			_, b, after, err := batch.Next(rest)
			if err != nil {
				return err
			}
			at, rest = at+len(b), after
		}
		_, err := f.WriteAt([]byte{raw[at-1] ^ 0x10}, int64(at-1))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// coordinatorOf asks once.
func (c *client) coordinatorOf(group string) (kafka.ErrorCode, string) {
	c.t.Helper()
	req := kmsg.NewPtrFindCoordinatorRequest()
	req.Version, req.CoordinatorKeys = 4, []string{group}
	r := c.ask(req).(*kmsg.FindCoordinatorResponse).Coordinators[0]
	text := ""
	if r.ErrorMessage != nil {
		text = *r.ErrorMessage
	}
	return kafka.ErrorCode(r.ErrorCode), text
}

// TestDamagedOffsetsAreRepaired: a node alone, part of whose groups' offsets
// is damaged, serves everything else, says what is wrong and which command
// helps; after it the groups go on with what was whole, and what was not is
// kept aside.
func TestDamagedOffsetsAreRepaired(t *testing.T) {
	clean, killed := withOffsets(t)
	for name, damage := range map[string]struct {
		from *memfs.FS
		do   func(t *testing.T, fsys *memfs.FS)
		// found: only reading the log shows the damage, so that it takes a restart.
		found bool
		// kept: bytes are kept aside.
		kept bool
		// whole: those behind the damage are whole batches.
		whole bool
		// least is the smallest offset that may be left.
		least int64
	}{
		"a flipped bit after a clean stop": {clean, func(t *testing.T, fsys *memfs.FS) { flipInBatch(t, fsys, offsetsSegment, 0.5) }, true, true, true, 1},
		"a flipped bit after a kill":       {killed, func(t *testing.T, fsys *memfs.FS) { flipInBatch(t, fsys, offsetsSegment, 0.5) }, false, true, true, 1},
		"a shorter file": {killed, func(t *testing.T, fsys *memfs.FS) {
			if err := change(fsys, offsetsSegment, func(f vfs.File, size int64) error { return f.Truncate(size / 2) }); err != nil {
				t.Fatal(err)
			}
		}, false, true, false, 1},
		"a removed folder": {clean, func(t *testing.T, fsys *memfs.FS) {
			if err := fsys.RemoveAll(offsetsFolder); err != nil {
				t.Fatal(err)
			}
		}, false, false, false, -1},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := damage.from.Clone()
			damage.do(t, fsys)
			if damage.found {
				foundByReading(t, fsys)
			}
			// Not served, and not for one start alone.
			for seed := range uint64(2) {
				events := &eventLog{}
				n := mustLaunch(t, fsys, 20+seed, events)
				c := n.client()
				if code, text := c.coordinatorOf("g"); code != kafka.ErrCoordinatorNotAvailable || text == "" {
					t.Errorf("start %d: the coordinator is answered with %s, %q", seed, code, text)
				}
				if !strings.Contains(events.String(), "moldau topic elect --unclean "+kafka.OffsetsTopicName) {
					t.Errorf("start %d: nobody says what helps:\n%s", seed, events)
				}
				if p := c.produce("t", 0, -1, records(t, batch.CodecNone, "x")); p.ErrorCode != 0 {
					t.Errorf("start %d: another topic: %s", seed, kafka.ErrorCode(p.ErrorCode))
				}
				n.stop()
			}
			events := &eventLog{}
			n := mustLaunch(t, fsys, 30, events)
			c := n.client()
			c.electUnclean(kafka.OffsetsTopicName, 0)
			at, err := c.committed("g", "t", 0)
			if err != nil || at < damage.least || at >= repairCommits {
				t.Errorf("the group's offset after the election is %d, %v", at, err)
			}
			if code := c.commit("g", "t", 0, 77); code != 0 {
				t.Errorf("commit after the election: %s", code)
			}
			if !strings.Contains(events.String(), "unclean-leader") {
				t.Errorf("nobody speaks of the election:\n%s", events)
			}
			n.stop()
			if aside := keptAside(t, fsys); damage.kept != (len(aside) > 0) {
				t.Errorf("kept aside: %q", aside)
			} else if last := fmt.Sprintf("{offset: %d,", repairCommits); damage.whole && !strings.Contains(aside, last) {
				t.Errorf("dump of what is kept aside has no %q:\n%s", last, aside)
			}
			n = mustLaunch(t, fsys, 40, &eventLog{})
			if at, err := n.client().committed("g", "t", 0); err != nil || at != 77 {
				t.Errorf("the group's offset at the next start is %d, %v", at, err)
			}
			n.stop()
		})
	}
}

// TestOffsetsAreReadAgain: a read that is wrong once while a group's offsets are
// loaded, in bytes that are right on the disk, is no damage, and takes none of them.
func TestOffsetsAreReadAgain(t *testing.T) {
	flips := int64(0)
	for seed := range uint64(60) {
		marks := simcore.NewMarks(nil)
		disk := simfs.New(simfs.Config{Node: "n", Timebase: simcore.ProcessTime{}, Streams: simcore.NewStreams(seed), Marks: marks})
		n := mustLaunch(t, disk.Mount(nil), 1, &eventLog{})
		c := n.client()
		c.createTopic("t", repairCommits)
		c.findCoordinator("g")
		for p := range int32(repairCommits) {
			if code := c.commit("g", "t", p, int64(p)); code != 0 {
				t.Fatalf("commit: %s", code)
			}
		}
		n.stop()

		disk.Once(simfs.FlipOnRead, func(name string) bool { return name == offsetsSegment })
		events := &eventLog{}
		n = mustLaunch(t, disk.Mount(nil), 2, events)
		c = n.client()
		for range triesMax { // until the group is loaded, or cannot be
			if strings.Contains(events.String(), "damage-found") || c.commit("g", "t", 0, 0) == kafka.ErrNone {
				break
			}
		}
		if strings.Contains(events.String(), "damage-found") {
			t.Fatalf("seed %d: a read that was wrong once is called damage:\n%s", seed, events)
		}
		for p := range int32(repairCommits) {
			if at, err := c.committed("g", "t", p); err != nil || at != int64(p) {
				t.Errorf("seed %d: the offset of t-%d is %d, %v", seed, p, at, err)
			}
		}
		n.stop()
		flips += marks.Fired("disk.flip")
	}
	if flips == 0 {
		t.Error("no read was wrong")
	}
}

// foundByReading starts a node that does not see at once that its groups' log
// is damaged: the coordinator does, and serves nothing that may be wrong.
func foundByReading(t *testing.T, fsys *memfs.FS) {
	t.Helper()
	events := &eventLog{}
	n := mustLaunch(t, fsys, 10, events)
	defer n.stop()
	c := n.client()
	for !strings.Contains(events.String(), "coordinator-load-failed") {
		if code, _ := c.coordinatorOf("g"); code != 0 {
			t.Fatalf("find coordinator: %s", code)
		}
	}
	if !strings.Contains(events.String(), "damage-found") {
		t.Errorf("nobody speaks of the damage:\n%s", events)
	}
	if code := c.commit("g", "t", 0, 1000); code == kafka.ErrNone {
		t.Error("a commit is taken by a coordinator that could not be loaded")
	}
}

func mustLaunch(t *testing.T, fsys vfs.FS, seed uint64, events *eventLog) *node {
	t.Helper()
	n, err := launch(t, fsys, seed, events, rotProperties...)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// keptAside dumps what recovery kept of the groups' log under a name of its own.
func keptAside(t *testing.T, fsys vfs.FS) string {
	t.Helper()
	list, err := fsys.List(offsetsFolder)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, info := range list {
		if strings.HasPrefix(info.Name, "moldau.damaged-") && info.Size > 0 {
			err := dump.File(&b, fsys, offsetsFolder+"/"+info.Name, dump.Options{})
			if err != nil && !errors.Is(err, dump.ErrDamaged) {
				t.Error(err)
			}
		}
	}
	return b.String()
}
