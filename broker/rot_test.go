package broker_test

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/config"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

const (
	rotPartitions = 3
	rotRecords    = 40 // of each
)

var rotProperties = []config.Property{{Name: "offsets.topic.num.partitions", Value: "1"}, {Name: "log.index.interval.bytes", Value: "1024"}}

// damages are what happens to a file while the node is stopped.
var damages = map[string]func(fsys vfs.FS, name string, rng *rand.Rand) error{
	"flip": func(fsys vfs.FS, name string, rng *rand.Rand) error {
		return change(fsys, name, func(f vfs.File, size int64) error {
			at, b := rng.Int64N(size), []byte{0}
			if _, err := f.ReadAt(b, at); err != nil && !errors.Is(err, io.EOF) {
				return err
			}
			b[0] ^= byte(1 << rng.IntN(8))
			_, err := f.WriteAt(b, at)
			return err
		})
	},
	"truncate": func(fsys vfs.FS, name string, rng *rand.Rand) error {
		return change(fsys, name, func(f vfs.File, size int64) error { return f.Truncate(rng.Int64N(size)) })
	},
	"empty": func(fsys vfs.FS, name string, _ *rand.Rand) error {
		return change(fsys, name, func(f vfs.File, _ int64) error { return f.Truncate(0) })
	},
	"zeros": func(fsys vfs.FS, name string, _ *rand.Rand) error {
		return change(fsys, name, func(f vfs.File, size int64) error {
			_, err := f.WriteAt(make([]byte, size-size/2), size/2)
			return err
		})
	},
	"remove": func(fsys vfs.FS, name string, _ *rand.Rand) error { return fsys.Remove(name) },
}

func change(fsys vfs.FS, name string, how func(f vfs.File, size int64) error) error {
	f, err := fsys.Open(name)
	if err != nil {
		return err
	}
	size, err := f.Size()
	if err == nil && size > 0 {
		err = how(f, size)
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// TestRotWhileStopped: whatever happens to one file of a stopped node, the
// start neither panics nor loses anything without saying so, and what is wrong
// in one partition's folder is no other partition's affair.
func TestRotWhileStopped(t *testing.T) {
	base := memfs.New()
	n, err := launch(t, base, 1, &eventLog{}, rotProperties...)
	if err != nil {
		t.Fatal(err)
	}
	c := n.client()
	c.findCoordinator("g")
	c.createTopic("t", rotPartitions)
	for i := range rotRecords {
		for _, p := range c.multi("t", 0, rotPartitions, 60_000, records(t, batch.CodecNone, fmt.Sprintf("%d %s", i, strings.Repeat("x", 300)))) {
			if p.ErrorCode != 0 {
				t.Fatalf("produce: %s", kafka.ErrorCode(p.ErrorCode))
			}
		}
	}
	if code := c.commit("g", "t", 0, 17); code != 0 {
		t.Fatalf("commit: %s", code)
	}
	killed := afterMarks(t, base, c)
	n.stop()
	for stopped, fsys := range map[string]*memfs.FS{"clean": base, "killed": killed} {
		for _, name := range filesIn(t, fsys, "data") {
			if strings.HasSuffix(name, ".lock") || strings.HasSuffix(name, "moldau.lock") {
				continue
			}
			for damage, apply := range damages {
				t.Run(stopped+"/"+damage+"/"+strings.TrimPrefix(name, "data/"), func(t *testing.T) {
					rng := rand.New(rand.NewPCG(uint64(len(name)), uint64(len(damage))))
					hurt := fsys.Clone()
					if err := apply(hurt, name, rng); err != nil {
						t.Fatal(err)
					}
					checkRot(t, hurt, name)
				})
			}
		}
		for p := range rotPartitions {
			t.Run(fmt.Sprintf("%s/folder/t-%d", stopped, p), func(t *testing.T) {
				hurt := fsys.Clone()
				if err := hurt.RemoveAll(fmt.Sprintf("data/t-%d", p)); err != nil {
					t.Fatal(err)
				}
				checkRot(t, hurt, fmt.Sprintf("data/t-%d/", p))
			})
		}
	}
}

// afterMarks is a copy of a running node's files when it has told its disk how
// far it is synced: what was acked some 100 ms before cannot vanish unnoticed.
func afterMarks(t *testing.T, fsys *memfs.FS, c *client) *memfs.FS {
	t.Helper()
	synced := make(chan struct{}, 1)
	fsys.OnCall(func(call memfs.Call) error {
		if call.Op == memfs.OpSync && strings.HasPrefix(call.Name, "data/moldau.") {
			select {
			case synced <- struct{}{}:
			default:
			}
		}
		return nil
	})
	defer fsys.OnCall(nil)
	c.createTopic("later", 1)
	for range 3 { // the one before the last has ended
		c.multi("later", 0, 1, 60_000, records(t, batch.CodecNone, "x"))
		<-synced
	}
	return fsys.Clone()
}

func filesIn(t *testing.T, fsys vfs.FS, dir string) (all []string) {
	t.Helper()
	list, err := fsys.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range list {
		if info.Dir {
			all = append(all, filesIn(t, fsys, dir+"/"+info.Name)...)
			continue
		}
		all = append(all, dir+"/"+info.Name)
	}
	return all
}

// checkRot starts a node where the file name was damaged.
func checkRot(t *testing.T, fsys vfs.FS, name string) {
	inPartition := strings.HasPrefix(name, "data/t-") || strings.HasPrefix(name, "data/__consumer_offsets-")
	events := &eventLog{}
	n, err := launch(t, fsys, 77, events, rotProperties...)
	if err != nil {
		if inPartition {
			t.Errorf("one partition's file keeps the node from starting: %v", err)
		}
		if !strings.Contains(err.Error(), "data") {
			t.Errorf("the refusal does not say where: %v", err)
		}
		return
	}
	defer func() {
		if err := n.quit(); err != nil {
			t.Logf("stop: %v", err)
		}
		if t.Failed() {
			t.Logf("reported:\n%s", events)
		}
	}()
	c := n.client()
	ids := c.topicIDs()
	if (ids["t"].IsZero() || ids[kafka.OffsetsTopicName].IsZero()) && events.String() == "" {
		t.Error("topics are gone, and nobody says so")
	}
	for p := range int32(rotPartitions) {
		got, err := c.readAll("t", p)
		whole := err == nil && len(got) == rotRecords
		own := strings.HasPrefix(name, fmt.Sprintf("data/t-%d/", p))
		switch {
		case !whole && inPartition && !own:
			t.Errorf("t-%d has %d records (%v), though it is not its file", p, len(got), err)
		case !whole && err == nil && events.String() == "":
			t.Errorf("t-%d has %d of %d records, and nobody says so", p, len(got), rotRecords)
		}
		for i, v := range got {
			if err == nil && !strings.HasPrefix(v, fmt.Sprint(i, " ")) {
				t.Errorf("t-%d: record %d is %.10q", p, i, v)
				break
			}
		}
	}
	if strings.HasPrefix(name, "data/__consumer_offsets-") || ids[kafka.OffsetsTopicName].IsZero() {
		return // the group waits for an operator
	}
	if at, err := c.committed("g", "t", 0); (err != nil || at != 17) && events.String() == "" {
		t.Errorf("the group's offset is %d, %v, and nobody says so", at, err)
	}
}
