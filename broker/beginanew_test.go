package broker_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

// epochAt is where a batch has its leader epoch, which its checksum leaves out.
const epochAt = 12

// rotEpoch flips a high bit in the leader epoch of a segment's n-th batch.
func rotEpoch(t *testing.T, fsys vfs.FS, name string, n int) {
	t.Helper()
	err := change(fsys, name, func(f vfs.File, size int64) error {
		raw := make([]byte, size)
		if _, err := f.ReadAt(raw, 0); err != nil && err != io.EOF {
			return err
		}
		begin := 0
		for range n {
			_, b, _, err := batch.Next(raw[begin:])
			if err != nil {
				return err
			}
			begin += len(b)
		}
		_, err := f.WriteAt([]byte{raw[begin+epochAt] ^ 0x40}, int64(begin+epochAt))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// aside counts the bytes that a folder keeps aside.
func aside(t *testing.T, fsys vfs.FS, folder string) (bytes int64) {
	t.Helper()
	list, err := fsys.List(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range list {
		if strings.HasPrefix(info.Name, "moldau.damaged-") {
			bytes += info.Size
		}
	}
	return bytes
}

// TestUngrantedEpoch: a leader epoch that rotted into one that nobody was granted
// damages its log. A node alone says so, serves what is whole when the operator
// has it lead, and takes appends again; what was cut off is kept.
func TestUngrantedEpoch(t *testing.T) {
	base := memfs.New()
	n, c := filledTopic(t, base)
	killed := afterMarks(t, base, c)
	n.stop()
	for _, rotted := range []int{0, rottenRecords / 2, rottenRecords - 1} {
		t.Run(fmt.Sprintf("batch %d", rotted), func(t *testing.T) {
			fsys := killed.Clone()
			rotEpoch(t, fsys, rottenSegment, rotted)
			for seed := range uint64(2) { // not for one start alone
				events := &eventLog{}
				n := mustLaunch(t, fsys, 10+seed, events)
				if a := n.client().fetch("t", 0, 0); a.ErrorCode == 0 {
					t.Errorf("start %d: served, though acknowledged records are gone", seed)
				}
				if seed == 0 && !strings.Contains(events.String(), "log-cut") {
					t.Errorf("nobody is told:\n%s", events)
				}
				n.stop()
			}
			events := &eventLog{}
			n := mustLaunch(t, fsys, 12, events)
			defer n.stop()
			c := n.client()
			c.electUnclean("t", 0)
			c.produceUntilTaken("t", 0, "after")
			got, err := c.readAll("t", 0)
			if err != nil || len(got) != rotted+1 || got[rotted] != "after" {
				t.Errorf("%d records, want %d: %v", len(got), rotted+1, err)
			}
			if aside(t, fsys, "data/t-0") == 0 {
				t.Error("what was cut off is gone")
			}
		})
	}
}

// TestUngrantedEpochInTheLastTurn: above what the marks say, rot looks like a torn
// tail: the node serves what is whole without being asked to.
func TestUngrantedEpochInTheLastTurn(t *testing.T) {
	fsys := memfs.New()
	n, c := filledTopic(t, fsys)
	killed := afterMarks(t, fsys, c)
	if p := c.produce("t", 0, 1, records(t, batch.CodecNone, "last")); p.ErrorCode != 0 {
		t.Fatal(kafka.ErrorCode(p.ErrorCode))
	}
	n.stop()
	copyTo(t, fsys, killed, rottenSegment) // as if no mark of what followed had reached the disk
	rotEpoch(t, killed, rottenSegment, rottenRecords)
	n = mustLaunch(t, killed, 10, &eventLog{})
	defer n.stop()
	c = n.client()
	c.produceUntilTaken("t", 0, "after")
	if got, err := c.readAll("t", 0); err != nil || len(got) != rottenRecords+1 || got[rottenRecords] != "after" {
		t.Errorf("%d records, %v", len(got), err)
	}
	if aside(t, killed, "data/t-0") == 0 {
		t.Error("what was cut off is gone")
	}
}

// noSense are what becomes of a folder's partition.metadata.
var noSense = map[string]func(fsys vfs.FS, folder string) error{
	"empty": func(fsys vfs.FS, folder string) error {
		return change(fsys, folder+"/"+seglog.PartitionMetadataFile, func(f vfs.File, _ int64) error { return f.Truncate(0) })
	},
	"no text": func(fsys vfs.FS, folder string) error {
		return change(fsys, folder+"/"+seglog.PartitionMetadataFile, func(f vfs.File, _ int64) error {
			_, err := f.WriteAt([]byte{0xff, 0xfe}, 0)
			return err
		})
	},
	"another topic": func(fsys vfs.FS, folder string) error {
		return change(fsys, folder+"/"+seglog.PartitionMetadataFile, func(f vfs.File, _ int64) error {
			_, err := f.WriteAt(seglog.EncodePartitionMetadata(kafka.UUID{9, 9, 9, 15: 9}), 0)
			return err
		})
	},
	"removed": func(fsys vfs.FS, folder string) error {
		return fsys.Remove(folder + "/" + seglog.PartitionMetadataFile)
	},
}

// TestNobodyKnowsWhoseLog: a folder whose partition.metadata was damaged is a lost
// log, whose records are kept aside when the operator has it begin anew.
func TestNobodyKnowsWhoseLog(t *testing.T) {
	stopped := memfs.New()
	n, c := filledTopic(t, stopped)
	killed := afterMarks(t, stopped, c)
	n.stop()
	for how, damage := range noSense {
		for name, base := range map[string]*memfs.FS{"stopped": stopped, "killed": killed} {
			t.Run(how+"/"+name, func(t *testing.T) {
				fsys := base.Clone()
				if err := damage(fsys, "data/t-0"); err != nil {
					t.Fatal(err)
				}
				for seed := range uint64(2) {
					n := mustLaunch(t, fsys, 10+seed, &eventLog{})
					if a := n.client().fetch("t", 0, 0); a.ErrorCode == 0 {
						t.Errorf("start %d: served, though its records are gone", seed)
					}
					n.stop()
				}
				n := mustLaunch(t, fsys, 12, &eventLog{})
				c := n.client()
				c.electUnclean("t", 0)
				c.produceUntilTaken("t", 0, "anew")
				n.stop()
				n = mustLaunch(t, fsys, 13, &eventLog{})
				defer n.stop()
				if got, err := n.client().readAll("t", 0); err != nil || !slices.Equal(got, []string{"anew"}) {
					t.Errorf("%q, %v", got, err)
				}
				if aside(t, fsys, "data/t-0") == 0 {
					t.Error("the old log is gone")
				}
			})
		}
	}
}

// TestReplicaIsRepaired: in a cluster such a replica is struck out, fetches what
// it lacks, and is taken in again, without anybody's help.
func TestReplicaIsRepaired(t *testing.T) {
	damages := map[string]func(fsys vfs.FS) error{"epoch": nil}
	for how, damage := range noSense {
		damages[how] = func(fsys vfs.FS) error { return damage(fsys, "data/t-0") }
	}
	for how, damage := range damages {
		t.Run(how, func(t *testing.T) {
			c := replicated(t)
			c.any().client().createTopicRF("t", 3)
			for i := range 5 {
				c.append("t", fmt.Sprint("v", i))
			}
			away := c.seen("t").Leader%3 + 1
			c.appendUntilMarked(away)
			running := c.disks[away].Clone()
			c.stop(away)
			asKilled(t, running, c.disks[away])
			if damage == nil {
				rotEpoch(t, c.disks[away], rottenSegment, 4)
			} else if err := damage(c.disks[away]); err != nil {
				t.Fatal(err)
			}
			c.append("t", "meanwhile")
			c.comeBack(away).awaitReady()
			c.await("ISR of three", func() bool { return len(c.seen("t").ISR) == 3 })
			want := c.nodes[c.seen("t").Leader].readAll("t")
			c.await("all records", func() bool { return slices.Equal(c.nodes[away].readAll("t"), want) })
			if aside(t, c.disks[away], "data/t-0") == 0 {
				t.Error("what was there is gone")
			}
			c.stopAll()
		})
	}
}

// appendUntilMarked appends until a node's disk has been told how far it is synced.
func (c *cluster) appendUntilMarked(id int32) {
	c.t.Helper()
	var synced atomic.Int32
	c.disks[id].OnCall(func(call memfs.Call) error {
		if call.Op == memfs.OpSync && strings.HasPrefix(call.Name, "data/moldau.") {
			synced.Add(1)
		}
		return nil
	})
	defer c.disks[id].OnCall(nil)
	for synced.Load() < 3 { // the one before the last has ended
		c.append("t", "more")
	}
}

// asKilled puts the partition as it was while the node ran, with what the directory
// said of it then, into the disk of the node that has stopped.
func asKilled(t *testing.T, running, disk *memfs.FS) {
	t.Helper()
	remove := filesIn(t, disk, "data/t-0")
	for _, dir := range []vfs.FS{running, disk} {
		list, err := dir.List("data")
		if err != nil {
			t.Fatal(err)
		}
		for _, info := range list {
			if !info.Dir && (strings.HasPrefix(info.Name, "moldau.marks") || strings.HasPrefix(info.Name, "moldau.journal")) && dir == disk {
				remove = append(remove, "data/"+info.Name)
			}
		}
	}
	for _, name := range append(remove, "data/"+seglog.CleanShutdownFile) {
		if err := disk.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	copied := filesIn(t, running, "data/t-0")
	list, err := running.List("data")
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range list {
		if strings.HasPrefix(info.Name, "moldau.marks") || strings.HasPrefix(info.Name, "moldau.journal") {
			copied = append(copied, "data/"+info.Name)
		}
	}
	for _, name := range copied {
		copyTo(t, running, disk, name)
	}
}

func copyTo(t *testing.T, from, to vfs.FS, name string) {
	t.Helper()
	b, err := vfs.ReadFile(from, name, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	f, err := to.Create(name)
	if err == nil {
		_, err = f.WriteAt(b, 0)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}
