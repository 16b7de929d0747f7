package raftmeta

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/raft"

	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/disk/vfs/vfstest"
)

var errDropped = errors.New("input/output error")

// TestPowerLossAfterAKill: what a process finds that was killed in the middle
// of a store, or whose sync failed, it can read, though no sync brings it to the
// disk any more. What the process acknowledges behind it survives a power loss.
func TestPowerLossAfterAKill(t *testing.T) {
	for _, c := range []struct {
		op    memfs.Op
		name  string // part of the file's
		fails bool   // the call fails, else the process is killed before it
		lost  string // the sync without which entries are lost; "" where it is a write
	}{
		{memfs.OpSync, segmentPrefix, true, ""},
		{memfs.OpSyncDir, Folder, false, "raftmeta.openLog SyncDir"},
	} {
		for _, leaveOut := range slices.Compact([]string{"", c.lost}) {
			mem := memfs.New()
			w, err := newWorld(mem, rand.New(rand.NewPCG(1, 1)), false)
			if err != nil {
				t.Fatal(err)
			}
			var killed *memfs.FS
			mem.OnCall(func(call memfs.Call) error {
				if killed != nil || call.Op != c.op || !strings.Contains(call.Name, c.name) {
					return nil
				}
				if killed = mem; !c.fails {
					killed = mem.Clone()
					return nil
				}
				return errDropped
			})
			_ = w.st.Log.StoreLogs(entriesAt(1, 1, 9000)) // more than the page that the next write makes dirty
			mem.OnCall(nil)
			lost := 0
			for seed := range uint64(20) {
				lost += lostAfter(t, killed.Clone(), leaveOut, seed)
			}
			if (lost > 0) != (leaveOut != "") {
				t.Errorf("%s %s, without %q: %d of 20 power losses took an entry", c.op, c.name, leaveOut, lost)
			}
		}
	}
}

// entriesAt are n entries of a size.
func entriesAt(first uint64, n, size int) (logs []*raft.Log) {
	for i := range n {
		logs = append(logs, &raft.Log{Index: first + uint64(i), Term: 1, Type: raft.LogCommand, Data: make([]byte, size)})
	}
	return logs
}

// lostAfter opens the store that a killed process left, stores an entry, cuts
// the power, and counts one if the log does not end with that entry.
func lostAfter(t *testing.T, mem *memfs.FS, leaveOut string, seed uint64) int {
	t.Helper()
	open := func(fsys vfs.FS) (*Store, error) {
		return OpenStore(StoreConfig{FS: fsys, Clock: manual.New(), LogDir: worldDir})
	}
	st, err := open(vfstest.NewLeaveOut(mem, leaveOut, nil))
	if err != nil {
		t.Fatal(err)
	}
	last, _ := st.Log.LastIndex()
	if err := st.Log.StoreLogs(entriesAt(last+1, 1, 100)); err != nil {
		t.Fatal(err)
	}
	again, err := open(mem.CrashClone(rand.New(rand.NewPCG(seed, 5))))
	if err != nil {
		return 1
	}
	if got, _ := again.Log.LastIndex(); got != last+1 {
		return 1
	}
	return 0
}
