package raftmeta

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/disk/vfs/vfstest"
)

// world drives a store as raft does and knows what was acknowledged and what
// is under way, so that any crash can be judged.
type world struct {
	fsys vfs.FS
	rng  *rand.Rand
	st   *Store

	// aligned: entries end with a sector, which a power loss writes or does not.
	aligned bool

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

const (
	worldDir    = "data"
	sectorBytes = 512
)

func newWorld(fsys vfs.FS, rng *rand.Rand, aligned bool) (*world, error) {
	w := &world{fsys: fsys, rng: rng, aligned: aligned, entries: map[uint64][]byte{}}
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
		if w.aligned {
			w.st.Log.roll = 8 * sectorBytes
		}
	}
	return err
}

func (w *world) step() error {
	switch n := w.rng.IntN(13); {
	case n < 6:
		return w.store()
	case n < 8:
		return w.deleteBack()
	case n < 10:
		return w.setTerm()
	case n < 12:
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
	at := int64(segmentHeaderLen)
	if n := len(w.st.Log.segments); n > 0 && w.st.Log.segments[n-1].end < w.st.Log.roll {
		at = w.st.Log.segments[n-1].end
	}
	for range 1 + w.rng.IntN(4) {
		data := make([]byte, w.rng.IntN(300))
		if w.aligned { // what was cut fits behind what is new
			data = make([]byte, sectorBytes-(at+entryPrefixLen+entryFixedLen)%sectorBytes)
			at += entryPrefixLen + entryFixedLen + int64(len(data))
		}
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
		if strings.HasSuffix(info.Name, tmpSuffix) && strings.HasPrefix(info.Name, snapshotTmpPrefix) {
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

// errDead is what a process that was killed by a power loss gets from its disk.
var errDead = errors.New("the power is gone")

// dieShare: one in so many calls is the last one before a power loss; of the
// syncs of raft's log, before which a tail may be torn, one in dieSyncShare.
const (
	dieShare     = 60
	dieSyncShare = 8
)

// crasher takes a crash clone before every call, judges it, and now and then
// lets the workload go on in one.
type crasher struct {
	w       *world
	wrap    func(vfs.FS) vfs.FS
	coins   *rand.Rand
	mem     *memfs.FS
	next    *memfs.FS // what the power loss left
	crashes int
	problem error
}

func (c *crasher) call(call memfs.Call) error {
	switch {
	case c.next != nil:
		return errDead
	case c.w == nil || c.problem != nil:
		return nil
	}
	c.crashes++
	c.problem = c.w.judge(c.mem.CrashClone(c.coins))
	share := dieShare
	if call.Op == memfs.OpSync && strings.Contains(call.Name, segmentPrefix) {
		share = dieSyncShare
	}
	if c.coins.IntN(share) == 0 {
		c.next = c.mem.CrashClone(c.coins)
		return errDead
	}
	return nil
}

// outcome runs fn on a goroutine of its own, which a store that failed may end.
func outcome(fn func() error) error {
	done := make(chan error, 1)
	go func() {
		err := errDead
		defer func() { done <- err }()
		err = fn()
	}()
	return <-done
}

// reborn goes on in what the power loss left.
func (c *crasher) reborn() error {
	if c.w.st != nil {
		_ = c.w.st.Close() // of the dead process
	}
	c.mem, c.next = c.next, nil
	c.mem.OnCall(c.call)
	c.w.fsys = c.wrap(c.mem)
	err := c.w.open()
	for errors.Is(err, errDead) && c.next != nil {
		c.mem, c.next = c.next, nil
		c.mem.OnCall(c.call)
		c.w.fsys = c.wrap(c.mem)
		err = c.w.open()
	}
	if err != nil {
		return err
	}
	return c.w.adopt()
}

// adopt takes what is there for what is expected from here on; judge has
// looked at it.
func (w *world) adopt() (err error) {
	w.first, _ = w.st.Log.FirstIndex()
	w.last, _ = w.st.Log.LastIndex()
	if w.snap, _ = w.st.Snapshots.Latest(); w.snap != w.snapNext {
		w.snapNext = w.snap
	}
	w.snapIndex = w.st.Snapshots.LatestIndex()
	if w.first == 0 {
		w.last = w.snapIndex
	}
	w.lastMin, w.lastMax = w.last, w.last
	if w.first == 0 {
		w.lastMin = 0
	}
	w.term, err = w.st.Stable.GetUint64([]byte("CurrentTerm"))
	w.termNext = w.term
	return err
}

// crashEverywhere runs a workload and crashes at every call. It returns the
// first thing that is wrong.
func crashEverywhere(seed uint64, wrap func(vfs.FS) vfs.FS) (crashes int, problem error) {
	c := &crasher{wrap: wrap, coins: rand.New(rand.NewPCG(seed, 2)), mem: memfs.New()}
	w, err := newWorld(wrap(c.mem), rand.New(rand.NewPCG(seed, 1)), seed%2 == 1)
	c.mem.OnCall(c.call)
	c.w = w
	for i := 0; i < 60 && err == nil && c.problem == nil; i++ {
		if err = outcome(w.step); c.next != nil {
			err = c.reborn()
		}
	}
	return c.crashes, errors.Join(c.problem, err)
}

// crashSeeds is the number of workloads.
const crashSeeds = 300

func TestCrashAtEveryCall(t *testing.T) {
	total := 0
	for seed := range uint64(crashSeeds) {
		crashes, problem := crashEverywhere(seed, func(f vfs.FS) vfs.FS { return f })
		if problem != nil {
			t.Fatalf("seed %d: %v", seed, problem)
		}
		total += crashes
	}
	t.Logf("%d crashes", total)
}

// TestLostSyncIsCaught takes away the syncs of one place at a time: the crash
// test must then find something.
func TestLostSyncIsCaught(t *testing.T) {
	for _, place := range []string{
		"raftmeta.(*LogStore).writeDurably Sync", "raftmeta.(*LogStore).writeDurably SyncDir",
		"raftmeta.(*LogStore).unlink SyncDir", "raftmeta.(*segment).prove Sync",
		"raftmeta.(*LogStore).shorten ReplaceFile.Sync", "raftmeta.(*LogStore).shorten ReplaceFile.SyncDir",
		"raftmeta.(*StableStore).write Sync", "raftmeta.openStable SyncDir", "raftmeta.OpenStore SyncDir",
		"raftmeta.(*snapshotSink).publish Sync", "raftmeta.(*SnapshotStore).writeMeta Sync",
		"raftmeta.(*snapshotSink).publish SyncDir",
	} {
		t.Run(place, func(t *testing.T) {
			var left atomic.Int64
			for seed := range uint64(lostSeedsMax) {
				_, problem := crashEverywhere(seed, func(f vfs.FS) vfs.FS { return vfstest.NewLeaveOut(f, place, &left) })
				if problem != nil {
					t.Logf("seed %d, %d syncs left out: %v", seed, left.Load(), problem)
					return
				}
			}
			t.Errorf("%d syncs were left out and nobody noticed", left.Load())
		})
	}
}

// lostSeedsMax bounds the workloads that look for the harm of a missing sync.
const lostSeedsMax = 600
