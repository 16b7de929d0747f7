package memfs_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/moldau/moldau/clock/manual"
	"github.com/moldau/moldau/disk/memfs"
	"github.com/moldau/moldau/disk/vfs"
)

func free(t *testing.T, fsys *memfs.FS) int64 {
	t.Helper()
	u, err := fsys.Usage("/")
	must(t, err)
	return u.Free
}

func TestCapacity(t *testing.T) {
	fsys := memfs.New()
	fsys.SetCapacity(10 * 4096)
	f := create(t, fsys, "f", strings.Repeat("x", 7*4096))
	n, err := f.WriteVecAt([][]byte{make([]byte, 2*4096), make([]byte, 2*4096)}, 7*4096)
	if !errors.Is(err, vfs.ErrNoSpace) || n != 3*4096 {
		t.Errorf("wrote %d bytes into 3 free pages, %v", n, err)
	}
	if size, err := f.Size(); err != nil || size != 10*4096 {
		t.Errorf("size %d, %v", size, err)
	}
	write(t, f, "overwriting needs no space", 0)
	must(t, f.Truncate(4096))
	if got := free(t, fsys); got != 9*4096 {
		t.Errorf("%d bytes free after truncation", got)
	}
	must(t, fsys.Remove("f"))
	if got := free(t, fsys); got != 9*4096 {
		t.Errorf("%d bytes free while the removed file is open", got)
	}
	must(t, f.Close())
	create(t, fsys, "g", "x")
	create(t, fsys, "h", "x")
	must(t, fsys.Rename("g", "h"))
	if got, clone := free(t, fsys), free(t, fsys.Clone()); got != 8*4096 || clone != 9*4096 {
		t.Errorf("%d bytes free with one file open, %d in a clone", got, clone)
	}
	create(t, fsys, "h", "")
	if got := free(t, fsys); got != 9*4096 {
		t.Errorf("%d bytes free after the file was emptied", got)
	}
}

func TestHookSeesEveryChange(t *testing.T) {
	fsys := memfs.New()
	var seen []string
	fsys.OnCall(func(c memfs.Call) error {
		seen = append(seen, fmt.Sprint(c.Op, " ", c.Name, c.NewName, " ", c.Off, " ", c.Len))
		fsys.CrashClone(rng(1)) // no lock is held
		return nil
	})
	must(t, fsys.MkdirAll("d"))
	f := create(t, fsys, "d/f", "12345")
	_, err := f.WriteVecAt([][]byte{{1}, {2}}, 5)
	must(t, err)
	must(t, errors.Join(f.Truncate(3), f.Sync(), f.Close()))
	must(t, errors.Join(fsys.Rename("d/f", "d/g"), fsys.SyncDir("d"), fsys.Remove("d/g"), fsys.RemoveAll("d")))
	lock, err := fsys.Lock(".lock")
	must(t, err)
	must(t, lock.Close())
	want := "mkdirall d 0 0|create d/f 0 0|write d/f 0 5|write d/f 5 2|truncate d/f 0 3|sync d/f 0 0|" +
		"rename d/fd/g 0 0|syncdir d 0 0|remove d/g 0 0|removeall d 0 0|lock .lock 0 0"
	if got := strings.Join(seen, "|"); got != want {
		t.Errorf("hook saw %s", got)
	}
}

func TestHookFailsCalls(t *testing.T) {
	fsys := memfs.New()
	f := create(t, fsys, "f", "data")
	fault := errors.New("injected")
	fsys.OnCall(func(memfs.Call) error { return fault })
	_, createErr := fsys.Create("g")
	_, lockErr := fsys.Lock("l")
	_, writeErr := f.WriteAt([]byte("x"), 0)
	for i, err := range []error{
		createErr, lockErr, writeErr, f.Truncate(0), f.Sync(), fsys.Remove("f"), fsys.RemoveAll("f"),
		fsys.Rename("f", "g"), fsys.MkdirAll("d"), fsys.SyncDir("/"),
	} {
		if !errors.Is(err, fault) {
			t.Errorf("call %d: %v", i, err)
		}
	}
	if got := dump(t, fsys, ""); got != "/f \"data\"\n" {
		t.Errorf("failed calls changed something: %s", got)
	}
}

func TestModTimeGoesByTheClock(t *testing.T) {
	fsys, clk := memfs.New(), manual.New()
	fsys.SetClock(clk)
	f := create(t, fsys, "f", "x")
	clk.Advance(time.Minute)
	write(t, f, "y", 0)
	info, err := fsys.Stat("f")
	must(t, err)
	if info.ModTime.UnixMilli() != clk.Wall() {
		t.Errorf("modified at %v", info.ModTime)
	}
}

func TestHeldBytes(t *testing.T) {
	fsys := memfs.New()
	held := func(what string, want int64) {
		t.Helper()
		if got := fsys.HeldBytes(); got != want {
			t.Errorf("%s: %d bytes held, want %d", what, got, want)
		}
	}
	held("nothing", 0)
	f := create(t, fsys, "f", strings.Repeat("x", 2*4096))
	held("two pages, and the write that made them", 4*4096)
	must(t, f.Sync())
	held("synced, so that both images share them", 2*4096)
	write(t, f, "y", 0)
	held("a page in two versions, and a byte", 3*4096+1)
	must(t, f.Close())
	must(t, fsys.SyncDir("/"))
	must(t, fsys.Remove("f"))
	held("removed, but a crash may bring it back", 3*4096+1)
	must(t, fsys.SyncDir("/"))
	held("gone", 0)
}
