package logdir

import (
	"fmt"
	"testing"

	"github.com/moldau/moldau/broker/kafka"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/memfs"
)

// again opens the directory of w, lets look at it, and stops it.
func again(t *testing.T, w *world, clean bool, look func(d *Dir)) {
	t.Helper()
	d, err := Open(w.cfg)
	if err != nil {
		t.Fatal(err)
	}
	look(d)
	if err := d.Close(clean, 0); err != nil {
		t.Fatal(err)
	}
}

// withoutFolder is a stopped directory of which the folder of t0 was removed;
// everything in it was synced, and its marks say so.
func withoutFolder(t *testing.T, clean bool) (w *world, before *memfs.FS) {
	t.Helper()
	w = filled(t)
	if clean {
		again(t, w, true, func(*Dir) {})
	}
	fsys := w.fs.(*memfs.FS)
	before = fsys.Clone()
	if err := fsys.RemoveAll(testRoot + "/t0-0"); err != nil {
		t.Fatal(err)
	}
	return w, before
}

// A removed folder is missed in every incarnation, not in the first alone.
func TestLostOutlivesRestarts(t *testing.T) {
	for _, clean := range []bool{true, false} {
		t.Run(fmt.Sprintf("clean %t", clean), func(t *testing.T) {
			w, _ := withoutFolder(t, clean)
			for i := range 4 {
				again(t, w, i%2 == 1, func(d *Dir) {
					if !d.Lost(w.logs[0].topic, w.logs[0].id) {
						t.Errorf("start %d: the folder is not missed", i+1)
					}
					if d.Lost(w.logs[1].topic, w.logs[1].id) || d.Lost("other", kafka.TopicPartition{Topic: topicID(9)}) {
						t.Errorf("start %d: others are missed, too", i+1)
					}
				})
			}
		})
	}
}

// A folder that is put back is the replica again, and whole.
func TestLostFolderComesBack(t *testing.T) {
	w, before := withoutFolder(t, true)
	again(t, w, false, func(*Dir) {})
	list, err := before.List(testRoot + "/t0-0")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.fs.MkdirAll(testRoot + "/t0-0"); err != nil {
		t.Fatal(err)
	}
	for _, info := range list {
		copyFile(t, before, w.fs.(*memfs.FS), testRoot+"/t0-0/"+info.Name)
	}
	w, states := reopen(t, w)
	st := states[w.logs[0].id]
	if standing(st) != seglog.Intact || st.End != 4 || w.d.Lost(w.logs[0].topic, w.logs[0].id) {
		t.Errorf("ends at %d, %s, lost %t: %+v", st.End, standing(st), w.d.Lost(w.logs[0].topic, w.logs[0].id), st.Evidence)
	}
}

func copyFile(t *testing.T, from, to *memfs.FS, name string) {
	t.Helper()
	f, err := from.OpenRead(name)
	if err != nil {
		t.Fatal(err)
	}
	size, err := f.Size()
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, size)
	if _, err := f.ReadAt(data, 0); err != nil && size > 0 {
		t.Fatal(err)
	}
	g, err := to.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.WriteAt(data, 0); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
}

// Whoever creates a lost partition begins its log anew: it is an empty and
// intact replica from then on, whatever its marks said before.
func TestLostBeginsAnew(t *testing.T) {
	for _, clean := range []bool{true, false} {
		w, _ := withoutFolder(t, clean)
		l := w.logs[0]
		again(t, w, false, func(d *Dir) {
			if _, err := d.Create([]Spec{{Topic: l.topic, ID: l.id, Options: l.opt}}); err != nil {
				t.Fatal(err)
			}
			if d.Lost(l.topic, l.id) {
				t.Error("lost though it was created")
			}
		})
		again(t, w, false, func(d *Dir) {
			if d.Lost(l.topic, l.id) {
				t.Error("lost again")
			}
			for _, r := range d.Recovered() {
				if r.ID == l.id && (r.State.End != 0 || standing(r.State) != seglog.Intact) {
					t.Errorf("ends at %d, %s: %+v", r.State.End, standing(r.State), r.State.Evidence)
				}
			}
		})
	}
}

// The metadata's word that a lost partition was deleted ends it.
func TestForgetLost(t *testing.T) {
	w, _ := withoutFolder(t, true)
	again(t, w, true, func(d *Dir) { d.ForgetLost([]kafka.TopicPartition{w.logs[0].id, w.logs[1].id}) })
	again(t, w, false, func(d *Dir) {
		if d.Lost(w.logs[0].topic, w.logs[0].id) {
			t.Error("lost though it was deleted")
		}
	})
}

// A partition that was deleted is not lost, also right after the deletion.
func TestDeletedIsNotLost(t *testing.T) {
	w := filled(t)
	w, _ = reopen(t, w)
	fsys, id := w.fs.(*memfs.FS), w.logs[0].id
	if err := w.d.Delete(w.logs[0].p); err != nil {
		t.Fatal(err)
	}
	w.fs = fsys.Clone()
	w.cfg.FS = w.fs
	again(t, w, false, func(d *Dir) {
		if d.Lost("t0", id) {
			t.Error("a deleted partition is missed")
		}
	})
}
