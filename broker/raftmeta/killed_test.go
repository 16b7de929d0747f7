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
		{memfs.OpSyncDir, Folder, false, "raftmeta.proveNames SyncDir"},
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
	st, err := openWorld(vfstest.NewLeaveOut(mem, leaveOut, nil))
	if err != nil {
		t.Fatal(err)
	}
	last, _ := st.Log.LastIndex()
	if err := st.Log.StoreLogs(entriesAt(last+1, 1, 100)); err != nil {
		t.Fatal(err)
	}
	again, err := openWorld(mem.CrashClone(rand.New(rand.NewPCG(seed, 5))))
	if err != nil {
		return 1
	}
	if got, _ := again.Log.LastIndex(); got != last+1 {
		return 1
	}
	return 0
}

// TestVoteAfterAFailedSync: a term and a name that a process could not sync, or
// was killed before it did, are read by the next one, which goes on from them.
// They survive a power loss all the same.
func TestVoteAfterAFailedSync(t *testing.T) {
	for _, c := range []struct {
		op    memfs.Op
		kills bool   // the process is killed before the call, else the call fails
		lost  string // the sync without which the term is lost
	}{
		{memfs.OpSync, false, "raftmeta.(*StableStore).write Sync"},
		{memfs.OpSync, true, "raftmeta.(*StableStore).write Sync"},
		{memfs.OpSyncDir, true, "raftmeta.proveNames SyncDir"},
	} {
		for _, leaveOut := range []string{"", c.lost} {
			lost := 0
			for seed := range uint64(20) {
				lost += voteLostAfter(t, voteCutShort(t, c.op, c.kills), leaveOut, seed)
			}
			if (lost > 0) != (leaveOut != "") {
				t.Errorf("%s, kills %t, without %q: %d of 20 power losses took the term", c.op, c.kills, leaveOut, lost)
			}
		}
	}
}

// voteCutShort is the disk of a process that stored term 1, and then failed, or
// was killed, in the first call of op: of its start for the folder, of storing
// term 2 for the file.
func voteCutShort(t *testing.T, op memfs.Op, kills bool) *memfs.FS {
	t.Helper()
	mem := memfs.New()
	if err := errors.Join(mem.MkdirAll(worldDir), mem.SyncDir(".")); err != nil {
		t.Fatal(err)
	}
	left := mem
	arm := func() {
		mem.OnCall(func(call memfs.Call) error {
			if call.Op != op || left != mem {
				return nil
			}
			if kills {
				left = mem.Clone()
				return nil
			}
			mem.OnCall(nil)
			return errDropped
		})
	}
	if op == memfs.OpSync {
		st, err := openWorld(mem)
		if err == nil {
			err = st.Stable.set("CurrentTerm", "1-------")
		}
		if err != nil {
			t.Fatal(err)
		}
		arm()
		_ = st.Stable.set("CurrentTerm", "2-------") // fails where the process is not killed
		return left
	}
	folder := worldDir + "/" + Folder
	if err := errors.Join(mem.MkdirAll(folder), mem.SyncDir(worldDir)); err != nil {
		t.Fatal(err)
	}
	arm()
	if _, err := openStable(mem, folder, newGuard(manual.New(), func(error) {}), true); err != nil {
		t.Fatal(err)
	}
	return left
}

// voteLostAfter opens what is left, which stores a term if it finds none, cuts
// the power, and counts one if the term that was read is not there any more.
func voteLostAfter(t *testing.T, mem *memfs.FS, leaveOut string, seed uint64) int {
	t.Helper()
	st, err := openWorld(vfstest.NewLeaveOut(mem, leaveOut, nil))
	if err != nil {
		t.Fatal(err)
	}
	seen, _ := st.Stable.Get([]byte("CurrentTerm"))
	if len(seen) == 0 {
		seen = []byte("1-------")
		if err := st.Stable.set("CurrentTerm", "1-------"); err != nil {
			t.Fatal(err)
		}
	}
	again, err := openWorld(mem.CrashClone(rand.New(rand.NewPCG(seed, 5))))
	if err != nil {
		return 1
	}
	if term, _ := again.Stable.Get([]byte("CurrentTerm")); string(term) != string(seen) {
		return 1
	}
	return 0
}

func openWorld(fsys vfs.FS) (*Store, error) {
	return OpenStore(StoreConfig{FS: fsys, Clock: manual.New(), LogDir: worldDir})
}
