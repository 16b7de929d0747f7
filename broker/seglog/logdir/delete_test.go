package logdir

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/moldau/moldau/disk/memfs"
)

// cutDeletion is what a process leaves that is killed when it has renamed the
// folder of a deleted partition and the new name is not durable.
func cutDeletion(t *testing.T) (*world, *memfs.FS) {
	t.Helper()
	fsys := memfs.New()
	w := newWorld(t, fsys, nil)
	w.open()
	if err := fsys.SyncDir("/"); err != nil {
		t.Fatal(err)
	}
	w.create(2, syncOptions())
	for range 20 { // several segments
		for _, l := range w.logs {
			l.append(1, 300)
			l.awaitDurable()
		}
	}
	w.checkpoint(true)
	var left *memfs.FS
	renamed := false
	fsys.OnCall(func(c memfs.Call) error {
		if renamed && c.Op == memfs.OpSyncDir && left == nil {
			left = fsys.Clone()
		}
		renamed = renamed || c.Op == memfs.OpRename && strings.HasSuffix(c.NewName, deleteSuffix)
		return nil
	})
	err := w.d.Delete(w.logs[0].p)
	fsys.OnCall(nil)
	if err = errors.Join(err, w.d.Close(false, 0)); err != nil {
		t.Fatal(err)
	}
	if left == nil {
		t.Fatal("the folder's new name is not synced")
	}
	return w, left
}

// TestDeletionCutShort: a power loss while, or after, recovery removes a deleted
// folder leaves the partition whole or leaves nothing of it, and the other one as it was.
func TestDeletionCutShort(t *testing.T) {
	w, fsys := cutDeletion(t)
	w.fs, w.cfg.FS = fsys, fsys
	var clones []*memfs.FS
	take := func() {
		for seed := range uint64(8) {
			clones = append(clones, fsys.CrashClone(rand.New(rand.NewPCG(seed, uint64(len(clones))))))
		}
	}
	fsys.OnCall(func(memfs.Call) error {
		take()
		return nil
	})
	w.open()
	fsys.OnCall(nil)
	take()
	if len(w.d.Recovered()) != 1 {
		t.Errorf("recovery found %+v, want one log", w.d.Recovered())
	}
	if err := w.d.Close(false, 0); err != nil {
		t.Fatal(err)
	}
	back := 0
	for i, clone := range clones {
		w.cfg.FS = clone
		again(t, w, false, func(d *Dir) {
			for _, r := range d.Recovered() {
				if r.ID == w.logs[0].id {
					back++
				}
				if want := w.logs[0].log.Next(); r.Err != nil || standing(r.State) != 0 || r.State.End != want || r.State.LogStart != 0 {
					t.Errorf("power loss %d: %s-%d spans %d to %d of %d, evidence %+v, %v",
						i, r.Topic, r.ID.Partition, r.State.LogStart, r.State.End, want, r.State.Evidence, r.Err)
				}
			}
			if d.Lost(w.logs[0].topic, w.logs[0].id) || d.Lost(w.logs[1].topic, w.logs[1].id) {
				t.Errorf("power loss %d: a folder is missed", i)
			}
		})
	}
	if back == 0 {
		t.Errorf("none of %d power losses brings the folder back: nothing was tested", len(clones))
	}
}
