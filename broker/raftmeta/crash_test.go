package raftmeta

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

// world drives a store as raft does and knows what was acknowledged and what
// is under way, so that any crash can be judged.
type world struct {
	fsys vfs.FS
	rng  *rand.Rand
	st   *Store

	entries   map[uint64][]byte // expected data by index, deleted ones included
	first     uint64
	last      uint64 // acknowledged
	lastMin   uint64 // of the last index after a crash now
	lastMax   uint64
	term      uint64
	termNext  uint64 // being set
	snap      SnapshotID
	snapNext  SnapshotID // being written
	snapIndex uint64
}

const worldDir = "data"

func newWorld(fsys vfs.FS, rng *rand.Rand) (*world, error) {
	w := &world{fsys: fsys, rng: rng, entries: map[uint64][]byte{}}
	if err := fsys.MkdirAll(worldDir); err != nil {
		return nil, err
	}
	if err := fsys.SyncDir("."); err != nil {
		return nil, err
	}
	return w, w.open()
}

func (w *world) open() (err error) {
	w.st, err = OpenStore(StoreConfig{FS: w.fsys, Clock: manual.New(), LogDir: worldDir})
	if err == nil {
		w.st.Log.roll = 600
	}
	return err
}

func (w *world) step() error {
	switch n := w.rng.IntN(12); {
	case n < 6:
		return w.store()
	case n < 7:
		return w.deleteBack()
	case n < 9:
		return w.setTerm()
	case n < 11:
		return w.snapshot()
	default:
		if err := w.st.Close(); err != nil {
			return err
		}
		return w.open()
	}
}

func (w *world) store() error {
	var logs []*raft.Log
	for range 1 + w.rng.IntN(4) {
		data := make([]byte, w.rng.IntN(300))
		for i := range data {
			data[i] = byte(w.rng.Uint32())
		}
		index := w.last + uint64(len(logs)) + 1
		w.entries[index] = data
		logs = append(logs, &raft.Log{Index: index, Term: max(w.term, 1), Type: raft.LogCommand, Data: data})
	}
	w.lastMax = w.last + uint64(len(logs))
	if err := w.st.Log.StoreLogs(logs); err != nil {
		return err
	}
	w.last = w.lastMax
	w.lastMin = w.last
	if w.first == 0 {
		w.first = logs[0].Index
	}
	return nil
}

func (w *world) deleteBack() error {
	if w.last <= w.snapIndex+1 || w.first == 0 {
		return nil
	}
	from := w.snapIndex + 2 + w.rng.Uint64N(w.last-w.snapIndex-1)
	from = min(max(from, w.first+1), w.last)
	if from <= w.first {
		return nil
	}
	w.lastMin = from - 1
	if err := w.st.Log.DeleteRange(from, w.last); err != nil {
		return err
	}
	w.last, w.lastMax = from-1, from-1
	return nil
}

func (w *world) setTerm() error {
	w.termNext = w.term + 1
	if err := w.st.Stable.SetUint64([]byte("CurrentTerm"), w.termNext); err != nil {
		return err
	}
	w.term = w.termNext
	return nil
}

// snapshotBytes is what the checkpoint of id holds.
func snapshotBytes(id SnapshotID) []byte {
	return bytes.Repeat([]byte(id.String()), 200)
}

func (w *world) snapshot() error {
	if w.last <= w.snapIndex {
		return nil
	}
	index := w.snapIndex + 1 + w.rng.Uint64N(w.last-w.snapIndex)
	w.snapNext = SnapshotID{EndOffset: int64(index), Epoch: int32(w.term)}
	sink, err := w.st.Snapshots.Create(1, index, w.term, raft.Configuration{Servers: []raft.Server{{ID: "1-x"}}}, 1, nil)
	if err != nil {
		return err
	}
	if _, err := sink.Write(append(AppendSnapshotPrefix(nil, w.snapNext), snapshotBytes(w.snapNext)...)); err != nil {
		return err
	}
	if w.rng.IntN(8) == 0 {
		err := sink.Cancel()
		w.snapNext = w.snap
		return err
	}
	if err := sink.Close(); err != nil {
		return err
	}
	w.snap, w.snapIndex = w.snapNext, index
	if w.rng.IntN(3) > 0 && index >= w.first { // raft cuts its log behind the snapshot
		if index == w.last {
			w.first = 0
		} else {
			w.first = index + 1
		}
		w.lastMin = 0
		if w.first != 0 {
			w.lastMin = w.last
		}
		if err := w.st.Log.DeleteRange(1, index); err != nil {
			return err
		}
	}
	return nil
}

// judge opens a crash clone and says what is wrong with it.
func (w *world) judge(clone *memfs.FS) error {
	st, err := OpenStore(StoreConfig{FS: clone, Clock: manual.New(), LogDir: worldDir})
	if err != nil {
		return err
	}
	defer st.Close()
	first, _ := st.Log.FirstIndex()
	last, _ := st.Log.LastIndex()
	if last < w.lastMin && w.lastMin > w.snapIndex || last > w.lastMax {
		return fmt.Errorf("log ends at %d, want %d to %d", last, w.lastMin, w.lastMax)
	}
	if w.first != 0 && w.lastMin >= w.first && (first == 0 || first > w.first) {
		return fmt.Errorf("log begins at %d, want %d at most", first, w.first)
	}
	for index := max(first, w.first, 1); index <= last; index++ {
		var l raft.Log
		if err := st.Log.GetLog(index, &l); err != nil {
			return fmt.Errorf("entry %d: %w", index, err)
		}
		if !bytes.Equal(l.Data, w.entries[index]) {
			return fmt.Errorf("entry %d has other data", index)
		}
	}
	if term, err := st.Stable.GetUint64([]byte("CurrentTerm")); err != nil || term != w.term && term != w.termNext {
		return fmt.Errorf("term %d, want %d or %d: %v", term, w.term, w.termNext, err)
	}
	return w.judgeSnapshot(st, clone)
}

func (w *world) judgeSnapshot(st *Store, clone *memfs.FS) error {
	id, ok := st.Snapshots.Latest()
	if !ok {
		id = SnapshotID{}
	}
	if id != w.snap && id != w.snapNext {
		return fmt.Errorf("snapshot %s, want %s or %s", id, w.snap, w.snapNext)
	}
	infos, err := clone.List(worldDir + "/" + Folder)
	if err != nil {
		return err
	}
	checkpoints := 0
	for _, info := range infos {
		if _, ok := parseCheckpointName(info.Name); ok {
			checkpoints++
		}
		if strings.HasSuffix(info.Name, ".tmp") && info.Name == snapshotTmpName {
			return fmt.Errorf("%s was left", info.Name)
		}
	}
	if !ok {
		return nil
	}
	if checkpoints != 1 {
		return fmt.Errorf("%d checkpoints", checkpoints)
	}
	metas, err := st.Snapshots.List()
	if err != nil || len(metas) != 1 {
		return fmt.Errorf("list: %v, %w", metas, err)
	}
	m, r, err := st.Snapshots.Open(metas[0].ID)
	if err != nil {
		return err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	want := append(AppendSnapshotPrefix(nil, id), snapshotBytes(id)...)
	if int64(len(data)) != m.Size || !bytes.Equal(data, want) || m.Index != uint64(id.EndOffset) {
		return fmt.Errorf("snapshot %s has other contents", id)
	}
	return nil
}

// crashEverywhere runs a workload and crashes at every call. It returns the
// first thing that is wrong.
func crashEverywhere(seed uint64, wrap func(vfs.FS) vfs.FS) (crashes int, problem error) {
	mem := memfs.New()
	rng := rand.New(rand.NewPCG(seed, 1))
	coins := rand.New(rand.NewPCG(seed, 2))
	var w *world
	mem.OnCall(func(memfs.Call) error {
		if w == nil || w.st == nil || problem != nil {
			return nil
		}
		crashes++
		if err := w.judge(mem.CrashClone(coins)); err != nil {
			problem = err
		}
		return nil
	})
	w, err := newWorld(wrap(mem), rng)
	for i := 0; i < 60 && err == nil && problem == nil; i++ {
		err = w.step()
	}
	return crashes, errors.Join(problem, err)
}

func TestCrashAtEveryCall(t *testing.T) {
	total := 0
	for seed := range uint64(40) {
		crashes, problem := crashEverywhere(seed, func(f vfs.FS) vfs.FS { return f })
		if problem != nil {
			t.Fatalf("seed %d: %v", seed, problem)
		}
		total += crashes
	}
	t.Logf("%d crashes", total)
}

// lossyFS forgets the syncs that one function asks for.
type lossyFS struct {
	vfs.FS
	caller string
	lost   *int
}

func (l lossyFS) loses() bool {
	pcs := make([]uintptr, 4)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	f, _ := frames.Next()
	if strings.HasSuffix(f.Function, "."+l.caller) {
		*l.lost++
		return true
	}
	return false
}

func (l lossyFS) SyncDir(dir string) error {
	if l.loses() {
		return nil
	}
	return l.FS.SyncDir(dir)
}

func (l lossyFS) Create(name string) (vfs.File, error) { return l.file(l.FS.Create(name)) }
func (l lossyFS) Open(name string) (vfs.File, error)   { return l.file(l.FS.Open(name)) }
func (l lossyFS) file(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return lossyFile{f, l}, nil
}

type lossyFile struct {
	vfs.File
	fs lossyFS
}

func (f lossyFile) Sync() error {
	if f.fs.loses() {
		return nil
	}
	return f.File.Sync()
}

// TestLostSyncIsCaught takes away the syncs of one place at a time: the crash
// test must then find something.
func TestLostSyncIsCaught(t *testing.T) {
	for _, caller := range []string{
		"(*LogStore).writeDurably", "(*LogStore).unlink", "(*segment).cut",
		"(*StableStore).persist", "openStable", "OpenStore",
		"(*snapshotSink).publish", "(*SnapshotStore).removeAllBut", "ReplaceFile",
	} {
		t.Run(caller, func(t *testing.T) {
			lost := 0
			for seed := range uint64(400) {
				_, problem := crashEverywhere(seed, func(f vfs.FS) vfs.FS { return lossyFS{f, caller, &lost} })
				if problem != nil {
					t.Logf("seed %d, %d syncs lost: %v", seed, lost, problem)
					return
				}
			}
			t.Fatalf("%d syncs were lost and nobody noticed", lost)
		})
	}
}
