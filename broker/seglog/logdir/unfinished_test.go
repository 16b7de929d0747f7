package logdir

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/faultfs"
	"github.com/moldau/moldau/disk/memfs"
)

// creationSpecs are three partitions of a topic.
func creationSpecs() (specs []Spec) {
	for i := range int32(3) {
		specs = append(specs, Spec{Topic: "same", ID: kafka.TopicPartition{Topic: topicID(7), Partition: i}, Options: syncOptions()})
	}
	return specs
}

// cutCreations are the disks that a process leaves that is killed, or loses
// power, at any call of the creation of three partitions.
func cutCreations(t *testing.T) (left map[string]*memfs.FS) {
	t.Helper()
	fsys := memfs.New()
	w := newWorld(t, fsys, nil)
	w.open()
	w.create(1, syncOptions())
	w.logs[0].append(1, 100)
	w.logs[0].awaitDurable()
	if err := fsys.SyncDir("/"); err != nil {
		t.Fatal(err)
	}
	left = map[string]*memfs.FS{}
	var mu sync.Mutex // the partitions' folders are synced side by side
	fsys.OnCall(func(c memfs.Call) error {
		mu.Lock()
		defer mu.Unlock()
		n := len(left)
		left[fmt.Sprintf("kill %d before %v", n, c)] = fsys.Clone()
		for seed := range uint64(8) {
			left[fmt.Sprintf("power loss %d.%d before %v", n, seed, c)] = fsys.CrashClone(rand.New(rand.NewPCG(seed, uint64(n))))
		}
		return nil
	})
	_, err := w.d.Create(creationSpecs())
	fsys.OnCall(nil)
	if err = errors.Join(err, w.d.Close(false, 0)); err != nil {
		t.Fatal(err)
	}
	return left
}

// TestCreationCutShort: wherever the creation of partitions ends, the next
// process finds each of them or can create it, and what is written to it then
// survives a power loss.
func TestCreationCutShort(t *testing.T) {
	for where, fsys := range cutCreations(t) {
		w := newWorld(t, fsys, nil)
		w.open()
		found := map[kafka.TopicPartition]bool{}
		for _, r := range w.d.Recovered() {
			if found[r.ID] = true; r.Err != nil {
				t.Errorf("%s: %v", where, r.Err)
			}
		}
		for _, spec := range creationSpecs() {
			l := &testLog{w: w, key: uint64(len(w.logs)), topic: spec.Topic, id: spec.ID, opt: spec.Options, limit: -1}
			w.logs = append(w.logs, l)
			if found[spec.ID] {
				l.adopt(w.d)
			} else if parts, err := w.d.Create([]Spec{spec}); err != nil {
				t.Fatalf("%s: %v", where, err)
			} else {
				l.p, l.log = parts[0], seglog.NewLog(testLogConfig(), EmptyState(w.clk.Wall()))
				l.p.Bind(w, l.key)
			}
			l.append(1, 100)
			l.awaitDurable()
		}
		for seed := range uint64(5) {
			checkFound(t, where, w, fsys.CrashClone(rand.New(rand.NewPCG(seed, 3))))
		}
		if err := w.d.Close(true, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// checkFound opens what a power loss has left, where every log has one record.
func checkFound(t *testing.T, where string, w *world, clone *memfs.FS) {
	t.Helper()
	cfg := w.cfg
	cfg.FS = clone
	d, err := Open(cfg)
	if err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	for _, l := range w.logs {
		if _, st, err := d.Adopt(l.id, l.opt); err != nil || st.End != 1 {
			t.Errorf("%s, then power loss: partition %d ends at %d, %v", where, l.id.Partition, st.End, err)
		}
	}
	if err := d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
}

// TestFolderInTheWay: a folder that exists keeps none of the others from being
// created afterwards.
func TestFolderInTheWay(t *testing.T) {
	fsys := memfs.New()
	w := newWorld(t, fsys, nil)
	w.open()
	specs := creationSpecs()
	if err := fsys.MkdirAll(testRoot + "/same-2"); err != nil {
		t.Fatal(err)
	}
	if _, err := w.d.Create(specs); !errors.Is(err, ErrExists) {
		t.Fatalf("%v, want %v", err, ErrExists)
	}
	if _, err := w.d.Create(specs[:2]); err != nil {
		t.Error(err)
	}
	if err := w.d.Close(true, 0); err != nil {
		t.Fatal(err)
	}
}

// TestUnreadableMetadataIsNoDamage: the disk's error takes the directory offline
// until the next start; nothing is removed for it.
func TestUnreadableMetadataIsNoDamage(t *testing.T) {
	w := filled(t)
	fsys := faultfs.New(w.fs, w.clk)
	remove := fsys.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpRead}, Pattern: seglog.PartitionMetadataFile, Err: errDisk})
	w.cfg.FS = fsys
	if _, err := Open(w.cfg); !errors.Is(err, errDisk) {
		t.Errorf("%v, want the disk's error", err)
	}
	remove()
	again(t, w, true, func(d *Dir) {
		if _, _, err := d.Adopt(w.logs[0].id, w.logs[0].opt); err != nil {
			t.Error(err)
		}
	})
}

// TestSenselessMetadataKeepsTheFolder: a folder with more in it than a creation
// leaves is for people to look into.
func TestSenselessMetadataKeepsTheFolder(t *testing.T) {
	w := filled(t)
	f, err := w.fs.Create(testRoot + "/t0-0/" + seglog.PartitionMetadataFile)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	again(t, w, true, func(d *Dir) {
		for _, r := range d.Recovered() {
			if (r.Err != nil) != (r.Topic == "t0") {
				t.Errorf("%s: %v", r.Topic, r.Err)
			}
		}
	})
	if infos, err := w.fs.List(testRoot + "/t0-0"); err != nil || len(infos) < 2 {
		t.Errorf("%d files are left: %v", len(infos), err)
	}
}
