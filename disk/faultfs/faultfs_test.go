package faultfs_test

import (
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/disk/faultfs"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/osfs"
	"github.com/moldau/moldau/disk/vfs"
	"github.com/moldau/moldau/disk/vfs/vfstest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestContract: without rules nothing is changed, but that descriptors go.
func TestContract(t *testing.T) {
	vfstest.Run(t, vfstest.Config{New: func(t *testing.T) (vfs.FS, string) {
		return faultfs.New(osfs.New(), manual.New()), t.TempDir()
	}})
}

func fresh(t *testing.T) (*faultfs.FS, *manual.Clock, vfs.File) {
	t.Helper()
	clk := manual.New()
	fsys := faultfs.New(memfs.New(), clk)
	f, err := fsys.Create("/00.log")
	if err != nil {
		t.Fatal(err)
	}
	return fsys, clk, f
}

func TestSyncIsDelayedByTheClock(t *testing.T) {
	fsys, clk, f := fresh(t)
	remove := fsys.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpSync}, Delay: 5 * time.Millisecond})
	synced := make(chan error)
	go func() { synced <- f.Sync() }()
	clk.AwaitPending(1)
	clk.Advance(5*time.Millisecond - 1)
	select {
	case <-synced:
		t.Fatal("sync ended before its delay")
	default:
	}
	clk.Advance(1)
	if err := <-synced; err != nil {
		t.Error(err)
	}
	remove()
	if err := f.Sync(); err != nil {
		t.Error(err)
	}
}

func TestHeldUntilReleased(t *testing.T) {
	fsys, _, f := fresh(t)
	release := make(chan struct{})
	fsys.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpSync}, Pattern: "*.log", Hold: release})
	synced := make(chan error)
	go func() { synced <- f.Sync() }()
	other, err := fsys.Create("/00.index")
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Sync(); err != nil { // another file is not held
		t.Error(err)
	}
	close(release)
	if err := <-synced; err != nil {
		t.Error(err)
	}
}

func TestErrorsByRule(t *testing.T) {
	fault := errors.New("injected")
	fsys, _, f := fresh(t)
	fsys.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpSync, faultfs.OpSyncDir}, Nth: 2, Err: fault})
	fsys.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpRead}, Pattern: "/00.log", Err: fault})
	if err := f.Sync(); err != nil {
		t.Error(err)
	}
	if err := fsys.SyncDir("/"); !errors.Is(err, fault) {
		t.Errorf("second sync: %v", err)
	}
	if err := f.Sync(); err != nil {
		t.Error(err)
	}
	if _, err := f.ReadAt(make([]byte, 1), 0); !errors.Is(err, fault) {
		t.Errorf("read: %v", err)
	}
}

func TestPartOfAWrite(t *testing.T) {
	fsys, _, f := fresh(t)
	remove := fsys.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.OpWrite}, Err: vfs.ErrNoSpace, PartBytes: 5})
	n, err := f.WriteVecAt([][]byte{[]byte("abc"), []byte("def")}, 0)
	if n != 5 || !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("vectored write: %d, %v", n, err)
	}
	if n, err := f.WriteAt([]byte("ghijklm"), 5); n != 5 || !errors.Is(err, vfs.ErrNoSpace) {
		t.Errorf("write: %d, %v", n, err)
	}
	remove()
	data, err := vfs.ReadFile(fsys, "/00.log", 100)
	if err != nil || string(data) != "abcdeghijk" {
		t.Errorf("read %q, %v", data, err)
	}
}

// TestEveryCallIsSeen: a rule without limits stops them all.
func TestEveryCallIsSeen(t *testing.T) {
	fault := errors.New("injected")
	fsys, _, f := fresh(t)
	fsys.Add(faultfs.Rule{Err: fault})
	_, create := fsys.Create("a")
	_, open := fsys.Open("a")
	_, openRead := fsys.OpenRead("a")
	_, list := fsys.List("/")
	_, stat := fsys.Stat("/")
	_, lock := fsys.Lock("l")
	_, usage := fsys.Usage("/")
	_, read := f.ReadAt(nil, 0)
	_, write := f.WriteAt(nil, 0)
	_, writeVec := f.WriteVecAt(nil, 0)
	for i, err := range []error{
		create, open, openRead, list, stat, lock, usage, read, write, writeVec, f.Sync(), f.Truncate(0),
		fsys.Remove("a"), fsys.RemoveAll("a"), fsys.Rename("a", "b"), fsys.MkdirAll("d"), fsys.SyncDir("/"),
	} {
		if !errors.Is(err, fault) {
			t.Errorf("call %d: %v", i, err)
		}
	}
}
