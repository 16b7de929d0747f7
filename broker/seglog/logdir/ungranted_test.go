package logdir

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/moldau/moldau/broker/batch"
	"github.com/moldau/moldau/broker/seglog"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

// withUngrantedEpoch is what a killed process left of a log whose n-th batch has a
// leader epoch that nobody was granted.
func withUngrantedEpoch(t *testing.T, n int) (w *world, fsys *memfs.FS) {
	t.Helper()
	w, l := filledLog(t)
	if err := w.d.Close(true, 0); err != nil { // so that the marks have it, too
		t.Fatal(err)
	}
	fsys = w.fs.(*memfs.FS).Clone()
	for _, name := range []string{marksFile, seglog.CleanShutdownFile} { // all of the log is read
		if err := fsys.Remove(testRoot + "/" + name); err != nil {
			t.Fatal(err)
		}
	}
	h := &l.history[n]
	batch.SetLeaderEpoch(h.data, 1<<30)
	dir := testRoot + "/t0-0"
	list, err := fsys.List(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range list {
		if !strings.HasSuffix(info.Name, seglog.LogSuffix) {
			continue
		}
		f, err := fsys.Open(dir + "/" + info.Name)
		if err != nil {
			t.Fatal(err)
		}
		raw := make([]byte, info.Size)
		if _, err := f.ReadAt(raw, 0); err != nil {
			t.Fatal(err)
		}
		const head = 17 // with what the checksum covers and what it leaves out
		if at := bytes.Index(raw, append(bytes.Clone(h.data[:12]), 0, 0, 0, 0)); at >= 0 {
			if _, err := f.WriteAt(h.data[:head], int64(at)); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(fsys.SyncDir("/"), fsys.SyncDir(testRoot), fsys.SyncDir(dir)); err != nil {
		t.Fatal(err)
	}
	return w, fsys
}

// TestUngrantedIsCutDurably: wherever the cut of an epoch that nobody was granted
// is interrupted, the next process ends it, and nothing that was cut off comes
// back under what is written then.
func TestUngrantedIsCutDurably(t *testing.T) {
	for _, n := range []int{0, 1, 33, 78, 79} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			w, fsys := withUngrantedEpoch(t, n)
			cfg := w.cfg
			cfg.FS = fsys
			d, err := Open(cfg)
			if err != nil {
				t.Fatal(err)
			}
			left := map[string]*memfs.FS{"all done": fsys}
			var mu sync.Mutex
			fsys.OnCall(func(c memfs.Call) error {
				mu.Lock()
				defer mu.Unlock()
				at := len(left)
				left[fmt.Sprintf("kill %d before %v", at, c)] = fsys.Clone()
				left[fmt.Sprintf("power loss %d before %v", at, c)] = fsys.CrashClone(rand.New(rand.NewPCG(uint64(at), 1)))
				return nil
			})
			err = d.CutUngranted(w.logs[0].id, 0)
			fsys.OnCall(nil)
			if err = errors.Join(err, d.Close(false, 0)); err != nil {
				t.Fatal(err)
			}
			for where, disk := range left {
				checkCutOff(t, where, w, disk, n)
			}
		})
	}
}

// TestUngrantedAmongOtherRot: where the cut cannot be found, as a batch before it
// has rotted, too, the start goes on without that log, and the next one reads all
// of it.
func TestUngrantedAmongOtherRot(t *testing.T) {
	w, fsys := withUngrantedEpoch(t, 79)
	cfg := w.cfg
	cfg.FS = fsys
	d, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	id, segs := w.logs[0].id, w.logs[0].log.Segments()
	const magicAt = 16
	rot(t, fsys, testRoot+"/t0-0/"+seglog.FileName(segs[len(segs)-1].Base, seglog.LogSuffix), magicAt)
	look := func() {
		t.Helper()
		if err := d.CutUngranted(id, 0); err != nil || d.Err() != nil {
			t.Fatalf("%v, %v", err, d.Err())
		}
		if st := d.Recovered()[0].State; standing(st) != seglog.Damaged || st.Evidence.LastEpoch > 0 {
			t.Errorf("%s: %+v", standing(st), st.Evidence)
		}
		if err := d.Close(false, 0); err != nil {
			t.Fatal(err)
		}
	}
	look()
	if d, err = Open(cfg); err != nil {
		t.Fatal(err)
	}
	if got, want := d.Recovered()[0].State.End, segs[len(segs)-1].Base; got != want {
		t.Errorf("the next start comes to %d, want %d", got, want)
	}
	look()
}

// checkCutOff goes on with what is left of a cut at the n-th batch.
func checkCutOff(t *testing.T, where string, w *world, fsys *memfs.FS, n int) {
	t.Helper()
	again := newWorld(t, fsys, nil)
	again.open()
	old := w.logs[0]
	if err := again.d.CutUngranted(old.id, 0); err != nil {
		t.Fatalf("%s: %v", where, err)
	}
	l := &testLog{w: again, topic: old.topic, id: old.id, opt: old.opt, limit: -1, history: slices.Clone(old.history[:n])}
	again.logs = append(again.logs, l)
	st := again.d.Recovered()[0].State
	l.adopt(again.d)
	if st.End != old.history[n].first || standing(st) == seglog.Intact || st.Evidence.LastEpoch > 0 || st.Evidence.End != st.End {
		t.Errorf("%s: ends at %d, want %d: %s, %+v", where, st.End, old.history[n].first, standing(st), st.Evidence)
	}
	list, err := fsys.List(testRoot + "/t0-0")
	if err != nil || !slices.ContainsFunc(list, func(i vfs.Info) bool { return strings.HasPrefix(i.Name, damagedPrefix) && i.Size > 0 }) {
		t.Errorf("%s: nothing is kept aside: %v", where, err)
	}
	for range 3 {
		l.append(1, 50)
	}
	l.awaitDurable()
	after := newWorld(t, fsys.CrashClone(rand.New(rand.NewPCG(7, uint64(n)))), nil)
	after.open()
	p, st, err := after.d.Adopt(old.id, old.opt)
	if err != nil || st.End != l.log.Next() || st.Epochs[len(st.Epochs)-1].Epoch != 1 {
		t.Errorf("%s, then power loss: ends at %d, want %d: %v, %+v", where, st.End, l.log.Next(), err, st.Epochs)
	}
	for _, b := range l.history {
		ext, err := p.Read(unknownPlan(b.first, b.last+1, 1<<20, true))
		if err != nil || ext == nil {
			t.Fatalf("%s: offset %d: %v", where, b.first, err)
		}
		raw := make([]byte, len(b.data))
		if _, err := ext.File.ReadAt(raw, ext.Off); err != nil || !bytes.Equal(raw, b.data) {
			t.Errorf("%s: the batch at %d is another: %v", where, b.first, err)
		}
		ext.Release()
	}
	if err := errors.Join(again.d.Close(false, 0), after.d.Close(false, 0)); err != nil {
		t.Fatal(err)
	}
}
