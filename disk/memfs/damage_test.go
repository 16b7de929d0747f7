package memfs_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/moldau/moldau/disk/memfs"
)

func TestDamageReachesTheSyncedBytes(t *testing.T) {
	fsys := memfs.New()
	f := synced(t, fsys, "f", strings.Repeat("a", 5000))
	write(t, f, "tail", 5000)
	f.(memfs.Damager).Damage([]byte("XYZ"), 4095)
	f.(memfs.Damager).Damage([]byte("past the end"), 5003)
	want := strings.Repeat("a", 4095) + "XYZ" + strings.Repeat("a", 902)
	if got := read(t, fsys, "f"); got != want+"taip" {
		t.Errorf("contents end in %q", got[4090:])
	}
	for outcome := range outcomes(fsys, func(clone *memfs.FS) string { return read(t, clone, "f") }) {
		if !strings.HasPrefix(outcome, want) {
			t.Fatalf("after a crash: %q", outcome[4090:])
		}
	}
}

func TestDamageLeavesClonesAlone(t *testing.T) {
	fsys := memfs.New()
	f := synced(t, fsys, "f", strings.Repeat("a", 5000))
	clone, crashed := fsys.Clone(), fsys.CrashClone(rng(1))
	f.(memfs.Damager).Damage([]byte("X"), 0)
	if read(t, clone, "f")[0] != 'a' || read(t, crashed, "f")[0] != 'a' || read(t, fsys, "f")[0] != 'X' {
		t.Error("damage crossed over to a clone")
	}
}

func TestDropDirty(t *testing.T) {
	fsys := memfs.New()
	f := synced(t, fsys, "f", "old")
	write(t, f, "new", 0)
	f.(memfs.Damager).DropDirty()
	must(t, f.Sync())
	if read(t, fsys, "f") != "new" {
		t.Error("the contents went with the dirty pages")
	}
	mustSee(t, outcomes(fsys, func(clone *memfs.FS) string { return read(t, clone, "f") }), "old")
}

func TestIDsFollowTheFile(t *testing.T) {
	fsys := memfs.New()
	f := synced(t, fsys, "f", "1")
	g := synced(t, fsys, "g", "2")
	must(t, errors.Join(fsys.Rename("f", "h"), fsys.SyncDir("/")))
	clone := fsys.CrashClone(rng(1))
	fresh := synced(t, clone, "f", "3")
	ids := map[string]uint64{}
	clone.Files(func(path string, id uint64, size int64) { ids[path] = id })
	want := map[string]uint64{"/h": f.(memfs.Damager).ID(), "/g": g.(memfs.Damager).ID(), "/f": fresh.(memfs.Damager).ID()}
	for path, id := range want {
		if ids[path] != id {
			t.Errorf("%s has id %d, want %d", path, ids[path], id)
		}
	}
	if len(ids) != 3 || want["/f"] == want["/h"] || want["/f"] == want["/g"] {
		t.Errorf("ids %v", ids)
	}
}
